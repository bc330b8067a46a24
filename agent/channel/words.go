package channel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"statewire/agent/transport"
	"statewire/notifier/wire"
)

// failure is why a client is not connected, in words for a person.
type failure struct {
	by, address string
	words       string
	err         error
}

func (f *failure) Error() string { return fmt.Sprintf("%s %s: %s", f.by, f.address, f.words) }
func (f *failure) Unwrap() error { return f.err }

// explained puts into words why the notifier, by tcp, or the relay, by https, was not reached.
func (c *Channel) explained(by, address string, err error) error {
	if u, bad := url.Parse(address); bad == nil && u.Host != "" {
		address = u.Host
	}
	return &failure{by, address, words(by, address, err, c.d.Now()), err}
}

func words(by, address string, err error, now time.Time) string {
	host, _, _ := net.SplitHostPort(address)
	var (
		proxy   *proxyError
		plain   tls.RecordHeaderError
		name    *net.DNSError
		strange x509.UnknownAuthorityError
	)
	switch {
	case errors.As(err, &proxy):
		return fmt.Sprintf("the proxy %s: %s", proxy.proxy, ofConnection(proxy.err))
	case errors.As(err, &strange) && by == "https":
		return fmt.Sprintf("a TLS-inspecting proxy (issuer %s) stands between; exempt %s or open 10123",
			issuer(strange), host)
	case errors.As(err, &strange):
		return fmt.Sprintf("its certificate (issuer %s) is not of this client's site: another server, or a TLS-inspecting "+
			"proxy between; exempt %s from inspection", issuer(strange), address)
	case transport.CertificateRefused(err):
		return "it refuses this client's certificate: it was revoked, it is another site's, or this client has none; enrol " +
			"it anew with `statewire agent enroll` (" + transport.Cause(err) + ")"
	case errors.As(err, &plain):
		return "what answers there speaks no TLS: another program has this port, or something stands between"
	case errors.As(err, &name) && name.IsNotFound:
		return fmt.Sprintf("no name server knows %.200s", name.Name)
	case errors.As(err, &name):
		return fmt.Sprintf("the name servers do not answer for %.200s", name.Name)
	}
	if text := ofCertificate(err, host, now); text != "" {
		return text
	}
	return ofConnection(err)
}

// ofCertificate says what is wrong with a certificate of the site's own authority, or with the handshake; empty when
// nothing is.
func ofCertificate(err error, host string, now time.Time) string {
	var (
		wrong   x509.HostnameError
		invalid x509.CertificateInvalidError
		alert   *net.OpError
	)
	switch {
	case errors.As(err, &wrong):
		return fmt.Sprintf("its certificate is not for %s: the address is wrong, or the site has to name it in the "+
			"certificate", host)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("its certificate is good from %s to %s, and this machine's clock says %s: set the clock, or "+
			"renew the certificate", stamp(invalid.Cert.NotBefore), stamp(invalid.Cert.NotAfter), stamp(now))
	case errors.As(err, &alert) && alert.Op == "remote error" && strings.Contains(alert.Err.Error(), "protocol version"):
		return "it speaks no TLS 1.3: it is not the site's, or something stands between"
	case errors.As(err, &alert) && alert.Op == "remote error" &&
		strings.Contains(alert.Err.Error(), "application protocol"):
		return errNotNotifier.Error()
	}
	return ""
}

// ofConnection says why a connection was not made, or ended.
func ofConnection(err error) string {
	var timeout net.Error
	switch {
	case refused(err):
		return "connection refused: nothing listens on this port, or a firewall rejects it"
	case unreachable(err):
		return "no route to it: see this machine's network"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in 10s: a firewall drops it, or the machine is off"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was ended by the other side"
	case reset(err):
		return "the connection was reset by the other side, or by something between"
	}
	return transport.Cause(err)
}

func issuer(e x509.UnknownAuthorityError) string {
	if e.Cert == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.200q", e.Cert.Issuer.String())
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Error puts the server's last word into words.
func (c *closed) Error() string {
	said := ""
	if c.words != "" {
		return c.words
	}
	if c.Text != "" {
		said = fmt.Sprintf(" (%.300q)", c.Text)
	}
	switch c.Code {
	case wire.CloseBadFrame, wire.CloseUnknownType:
		return "the server does not understand this agent" + said + ": update the older one of the two"
	case wire.CloseLimit:
		return "the server is full" + said + ": this client comes back later"
	case wire.CloseRevoked:
		return "the site revoked this client's certificate, or its time is over" + said +
			"; enrol it anew with `statewire agent enroll`"
	case wire.CloseReplaced:
		return "this client signed in elsewhere" + said + ": when that was not this machine, another one has its identity"
	case wire.CloseDuplicate:
		return "another machine has this client's identity" + said +
			": give the copy an id of its own with `statewire agent new-id`, and enrol it"
	case wire.CloseStopping:
		if c.Text == "" {
			return "the server stops"
		}
		quoted := fmt.Sprintf("%.300q", c.Text) // the server stops, or does not know this session
		return quoted[1 : len(quoted)-1]
	case wire.CloseWrongServer:
		return "this client belongs to another server" + said + "; its policy names it"
	case wire.CloseNotYours:
		return "the certificate is another client's" + said +
			": `statewire agent status` names both; enrol this one with `statewire agent enroll`"
	}
	return fmt.Sprintf("the server ended the connection with code %d", c.Code) + said
}
