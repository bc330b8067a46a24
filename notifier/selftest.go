package notifier

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

const (
	// selfRole is the role whose certificate may sign in as nobody: it is the server's own.
	selfRole = "notifier"

	selfTestInterval = 5 * time.Minute
	selfTestFirst    = 10 * time.Second
	selfTestWithin   = 20 * time.Second
)

// selfClient is the id that the built-in client signs in with. No certificate has it.
var selfClient = uuid.MustParse("00000000-0000-0000-0000-000000000001")

// SelfTest is how a server tries its own listeners, as a client would. It finds what nobody else tells: a port that a
// firewall of the machine closed, a relay that does not pass the channel on.
type SelfTest struct {
	// TLS is how a client of role notifier connects to a host: it shows the server's certificate of that role.
	TLS func(host string) *tls.Config
	// Notifier is the address that clients use, host:port. Empty: the listener's own port on this machine.
	Notifier string
	// Channel is the URL of the HTTP side, https://host:port/mp/channel. Empty: it is not tried.
	Channel string
}

// selfTests tries the listeners every five minutes until ctx is done.
func (s *Server) selfTests(ctx context.Context) {
	if s.deps.SelfTest == nil {
		return
	}
	timer := time.NewTimer(selfTestFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			s.selfTest(ctx)
			timer.Reset(selfTestInterval)
		}
	}
}

// selfTest tries both listeners once.
func (s *Server) selfTest(ctx context.Context) {
	test := s.deps.SelfTest
	addr := test.Notifier
	if addr == "" {
		_, port, _ := net.SplitHostPort(s.listener.Addr().String())
		addr = net.JoinHostPort("localhost", port)
	}
	s.tried(ctx, "tcp", addr, s.tryTCP(ctx, addr))
	if test.Channel != "" {
		s.tried(ctx, "http", test.Channel, s.tryHTTP(ctx, test.Channel))
	}
}

// tried tells how a try went.
func (s *Server) tried(ctx context.Context, channel, where string, err error) {
	if ctx.Err() != nil {
		return
	}
	ok := s.metrics.selfTest.WithLabelValues(channel)
	if err == nil {
		ok.Set(1)
		return
	}
	ok.Set(0)
	s.log.Warn("the server cannot be reached from itself", "channel", channel, "at", where, "err", err)
	s.messages.say(wire.PortUnreachable, channel, "The notification server cannot be reached from itself at %s: %v.",
		where,
		err)
}

func (s *Server) selfSignIn() []byte {
	m := wire.SignInMessage{Time: s.now(), Client: selfClient, Version: "self-test", Session: 1, Boot: "self-test",
		Reason: wire.ReasonStart}
	return wire.AppendFrame(nil, wire.SignIn, m.Encode())
}

func (s *Server) tryTCP(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, selfTestWithin)
	defer cancel()
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	config := s.deps.SelfTest.TLS(host)
	config.NextProtos = []string{wire.ALPN}
	raw, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(selfTestWithin))
	if _, err := raw.Write(s.selfSignIn()); err != nil {
		return err
	}
	return s.confirmed(raw)
}

func (s *Server) tryHTTP(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, selfTestWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(s.selfSignIn()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", mediaType)
	transport := &http.Transport{TLSClientConfig: s.deps.SelfTest.TLS(req.URL.Hostname()), DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return fmt.Errorf("answered %s: %s", resp.Status, strings.ToValidUTF8(string(bytes.TrimSpace(text)), "?"))
	}
	return s.confirmed(resp.Body)
}

// confirmed says whether what came is this server's confirmation.
func (s *Server) confirmed(r io.Reader) error {
	kind, payload, err := wire.ReadFrame(r, wire.MaxFrame)
	if err != nil {
		return fmt.Errorf("read the answer to the sign-in: %w", err)
	}
	if kind != wire.SignInConfirm {
		return fmt.Errorf("the sign-in was answered with a frame of type %d", kind)
	}
	m, err := wire.DecodeSignInConfirm(payload)
	if err != nil {
		return err
	}
	if m.ServerID != s.deps.ServerID || m.Epoch != s.epoch {
		return errors.New("another server answers there")
	}
	return nil
}
