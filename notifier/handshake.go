package notifier

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"statewire/identity"
	"statewire/notifier/wire"
)

// Classes of handshakes that failed, as metrics count them.
const (
	failedUnknown  = "unknown_certificate"
	failedExpired  = "expired"
	failedRevoked  = "revoked"
	failedNone     = "no_certificate"
	failedVersion  = "protocol_version"
	failedClock    = "clock"
	failedNotTLS   = "not_tls"
	failedProxy    = "proxy"
	failedDistrust = "distrust"
	failedALPN     = "protocol"
	failedTimeout  = "timeout"
	failedClosed   = "closed"
	failedOther    = "other"
)

// plain says in words what the classes mean, and what to do.
var plain = map[string]string{
	failedUnknown: "the client's certificate is not one of this site's: enrol the client anew",
	failedExpired: "the client's certificate is out of its time: the client renews it at a relay",
	failedRevoked: "the client's certificate was revoked, or replaced by a new enrolment",
	failedNone:    "the client showed no certificate: it has not enrolled, or something that ends TLS stands between",
	failedVersion: "the client does not speak TLS 1.3: something old, or a scanner",
	failedClock:   "the client holds the server's certificate for expired: one of the two clocks is wrong, or it is",
	failedNotTLS:  "what came is not TLS: another program, or a plain connection, uses this port",
	failedProxy: "the other end does not know this site's authority: a client of another site, or a proxy that inspects " +
		"TLS stands between; exempt this server from it",
	failedDistrust: "the other end does not accept the server's certificate: a client of another site, a proxy that " +
		"inspects TLS, or a clock that is wrong",
	failedALPN: "the other end does not speak the protocol of the channel: another program, or a proxy that " +
		"inspects TLS",
	failedTimeout: "the handshake did not end in time: packets are lost, or a scanner says nothing",
	failedClosed:  "the other end hung up in the handshake: mostly a check of a load balancer, or a scanner",
	failedOther:   "the TLS handshake failed",
}

// errProtocol is the refusal of TLS clients that name no protocol.
var errProtocol = errors.New("the client names no protocol of the channel")

// verify decides on a handshake, new or resumed, once TLS itself is content.
func (s *Server) verify(cs tls.ConnectionState) error {
	if cs.NegotiatedProtocol != wire.ALPN {
		return errProtocol
	}
	if err := s.deps.Callers.Verify(cs); err != nil {
		return err
	}
	caller, err := s.deps.Callers.Caller(&cs)
	switch {
	case err != nil: // an expired one may renew at a relay, and do nothing here
		return err
	case !caller.IsClient() && caller.Role != selfRole:
		return &identity.Refusal{Code: identity.CodeUnknown, Detail: "the certificate is of a " + caller.Role +
			", and the channel is for clients"}
	}
	return nil
}

// failed counts a handshake that failed, and speaks of each class once a minute.
func (l *listener) failed(c *conn, err error) {
	class := classOf(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.gone || l.closed {
		return // counted when it gave way
	}
	l.s.metrics.failed.WithLabelValues(class).Inc()
	once := l.spoken[class]
	if once == nil {
		once = &rate.Sometimes{Interval: time.Minute}
		l.spoken[class] = once
	}
	once.Do(func() {
		l.s.log.Warn("tls handshake failed", "class", class, "means", plain[class], "remote", c.tls.RemoteAddr().String(),
			"err", err)
	})
}

// classOf is what kind of failure the error of a handshake is.
func classOf(err error) string {
	var refused *identity.Refusal
	var notTLS tls.RecordHeaderError
	var alert *net.OpError
	switch {
	case errors.As(err, &refused):
		return classOfRefusal(refused.Code)
	case errors.Is(err, errProtocol):
		return failedALPN
	case errors.Is(err, os.ErrDeadlineExceeded):
		return failedTimeout
	case errors.As(err, &notTLS):
		return failedNotTLS
	case errors.As(err, &alert) && alert.Op == "remote error":
		return classOfAlert(err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return failedClosed
	}
	for _, known := range []struct{ text, class string }{
		{"unsupported versions", failedVersion},
		{"didn't provide a certificate", failedNone},
		{"application protocol", failedALPN},
		// OpenSSL says in clear that it does not believe the server, where a record under the new keys is due.
		{"bad record MAC", failedDistrust},
	} {
		if strings.Contains(err.Error(), known.text) {
			return known.class
		}
	}
	return failedOther
}

func classOfRefusal(code string) string {
	switch code {
	case identity.CodeExpired:
		return failedExpired
	case identity.CodeRevoked:
		return failedRevoked
	}
	return failedUnknown
}

// classOfAlert is what the other end meant when it gave up.
func classOfAlert(err error) string {
	for _, known := range []struct{ text, class string }{
		{"expired certificate", failedClock},
		{"unknown certificate", failedProxy}, // or its authority
		{"bad certificate", failedDistrust},  // which is all that Go's clients say
		{"protocol version", failedVersion},
		{"application protocol", failedALPN},
	} {
		if strings.Contains(err.Error(), known.text) {
			return known.class
		}
	}
	return failedOther
}

// unsigned counts a connection that ended before it signed in.
func (l *listener) unsigned(c *conn, err error) {
	l.mu.Lock()
	gone := c.gone || l.closed
	l.mu.Unlock()
	var late net.Error
	switch {
	case gone || err == nil:
	case errors.As(err, &late) && late.Timeout():
		l.s.metrics.refused.WithLabelValues(limitSignIn).Inc()
	default:
		l.s.log.Debug("connection ended before its sign-in", "remote", c.tls.RemoteAddr().String(), "err", err)
	}
}
