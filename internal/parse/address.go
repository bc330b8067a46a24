package parse

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// hostForm has what names, IPv4 and IPv6 addresses are written with.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9._:%-]+$`)

// Listen reads HOST:PORT or :PORT, an address to listen on. Port 0 takes a free one.
func Listen(text string) (host string, port uint16, err error) { return address(text, 0) }

// Dial reads HOST:PORT, an address to call.
func Dial(text string) (host string, port uint16, err error) {
	if host, port, err = address(text, 1); err == nil && host == "" {
		return "", 0, fmt.Errorf("%.80q names no host; write HOST:PORT", text)
	}
	return host, port, err
}

func address(text string, least uint64) (host string, port uint16, err error) {
	host, number, err := net.SplitHostPort(text)
	if err != nil || host != "" && !isHost(host) {
		return "", 0, fmt.Errorf("%.80q is no address; write HOST:PORT", WithoutUser(text))
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n < least {
		return "", 0, fmt.Errorf("%.80q has the port %.20q; allowed are %d to 65535", WithoutUser(text), number, least)
	}
	return host, uint16(n), nil
}

// URL reads SCHEME://HOST or SCHEME://HOST:PORT, the address of a server. A path may follow, a user, query or fragment
// may not.
func URL(text string, schemes ...string) (*url.URL, error) {
	wrong := fmt.Errorf("%.200q is no address; write %s://HOST or %[2]s://HOST:PORT", WithoutUser(text), schemes[0])
	u, err := url.Parse(text)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" || u.User != nil || u.RawQuery != "" ||
		u.ForceQuery || u.Fragment != "" {
		return nil, wrong
	}
	if _, _, err := Dial(net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443"))); err != nil {
		return nil, fmt.Errorf("%.200q is no address: %w", WithoutUser(text), err)
	}
	return u, nil
}

// Base is URL without a path.
func Base(text string, schemes ...string) (*url.URL, error) {
	u, err := URL(text, schemes...)
	if err == nil && strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("%.200q has a path; write %s://HOST or %[2]s://HOST:PORT", text, schemes[0])
	}
	return u, err
}

// HostName reads the name or address of a host, without a port.
func HostName(text string) error {
	if !isHost(text) || strings.Contains(text, ":") && net.ParseIP(text) == nil {
		return errors.New("is no name of a host; write it without scheme and port, as statewire.example")
	}
	return nil
}

// WithoutUser is an address for a message: a password that somebody wrote before the host is not in it.
func WithoutUser(text string) string {
	end := strings.LastIndexByte(text, '@')
	if end < 0 {
		return text
	}
	begin := 0
	if scheme := strings.Index(text, "://"); scheme >= 0 && scheme < end {
		begin = scheme + len("://")
	}
	return text[:begin] + "…" + text[end:]
}

func isHost(text string) bool { return hostForm.MatchString(text) }

// Loopback says whether every connection to a host comes from this machine.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
