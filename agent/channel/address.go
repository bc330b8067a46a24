package channel

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// defaultPort is the notifier's, where nobody says another.
const defaultPort = "10123"

// Notifier is the address of the notifier of a client: the one that its policy names; one without a host stands for the
// relay's, and one without a port for 10123. Without any it is the relay's host with that port.
func Notifier(named, relay string) (string, error) {
	host, port := "", ""
	if named != "" {
		var err error
		if host, port, err = net.SplitHostPort(named); err != nil {
			host, port = strings.Trim(named, "[]"), ""
		}
	}
	if host == "" {
		u, err := url.Parse(relay)
		if err != nil || u.Hostname() == "" {
			return "", fmt.Errorf("the relay %.100q has no host for the notifier", relay)
		}
		host = u.Hostname()
	}
	if port == "" {
		port = defaultPort
	}
	return net.JoinHostPort(host, port), nil
}
