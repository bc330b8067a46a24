package channel

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"statewire/notifier/wire"
)

// A server that stops and one that does not know a session end it with one code: its text tells, once.
func TestAServersTextIsToldOnce(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "the server stops",
		"the server stops": "the server stops",
		"the server does not know this session any more": "the server does not know this session any more",
		"two\nlines (of it)":                             `two\nlines (of it)`,
	} {
		if got := (&closed{CloseMessage: wire.CloseMessage{Code: wire.CloseStopping, Text: text}}).Error(); got != want {
			t.Errorf("%q is told as %q; want %q", text, got, want)
		}
	}
}

func TestFailuresAreInPlainWords(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for _, tt := range []struct {
		by   string
		err  error
		want string
	}{
		{"tcp", dial(syscall.ECONNREFUSED), "tcp push.example:10123: connection refused"},
		{"tcp", dial(syscall.ENETUNREACH), "no route"},
		{"tcp", dial(syscall.EHOSTUNREACH), "no route"},
		{"tcp", dial(syscall.ECONNRESET), "was reset"},
		{"tcp", dial(context.DeadlineExceeded), "no answer in 10s"},
		{"tcp", dial(syscall.ETIMEDOUT), "no answer in 10s"},
		{"tcp", fmt.Errorf("sign in: %w", io.EOF), "ended by the other side"},
		{"tcp", dial(&net.DNSError{Name: "push.example", IsNotFound: true}), "no name server knows push.example"},
		{"tcp", dial(&net.DNSError{Name: "push.example", IsTimeout: true}), "name servers do not answer"},
		{"tcp", &proxyError{"gw:3128", dial(syscall.ECONNREFUSED)}, "the proxy gw:3128: connection refused"},
		{"tcp", x509.UnknownAuthorityError{}, "(issuer unknown) is not of this client's site"},
		{"https", x509.UnknownAuthorityError{}, "https push.example:10123: a TLS-inspecting proxy (issuer unknown) stands " +
			"between; exempt push.example or open 10123"},
		{"tcp", x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{
			NotBefore: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)}},
			"its certificate is good from 2026-01-02T00:00:00Z to 2026-03-04T00:00:00Z, and this machine's clock says "},
		{"tcp", errors.New("something else"), "something else"},
		{"tcp", &closed{CloseMessage: wire.CloseMessage{Code: wire.CloseStopping}}, "the server stops"},
	} {
		f := &failure{tt.by, "push.example:10123", words(tt.by, "push.example:10123", tt.err, time.Now()), tt.err}
		if !strings.Contains(f.Error(), tt.want) {
			t.Errorf("%v is told as %q; want %q in it", tt.err, f, tt.want)
		}
		if told(f) == nil && tt.want == "the server stops" || !errors.Is(f, tt.err) {
			t.Errorf("what stands behind %q is lost", f)
		}
	}
}
