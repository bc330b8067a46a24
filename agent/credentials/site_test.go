package credentials

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/audit"
	"statewire/identity"
	"statewire/inbox"
	"statewire/relay"
	"statewire/smx"
	"statewire/trust"
)

// realSite is a relay and the identity role of a site, with a clock that a test moves.
type realSite struct {
	t        *testing.T
	dir      string
	relay    string
	service  *identity.Service
	verifier *identity.Verifier
	inbox    *inbox.Dir

	mu  sync.Mutex
	now time.Time
}

func (s *realSite) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *realSite) later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// NextSerial says that the site has seen 500 serials of every client.
func (s *realSite) NextSerial(_ context.Context, _ uuid.UUID, last uint64) (uint64, bool, error) {
	return max(last, 500) + 1, false, nil
}

func newRealSite(t *testing.T) *realSite {
	t.Helper()
	s := &realSite{t: t, dir: t.TempDir(), now: time.Now()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	own, err := identity.Open(filepath.Join(s.dir, "identity"), identity.Options{Clock: s.clock})
	must(err)
	keys, err := trust.OpenKeys(filepath.Join(s.dir, "identity", "trust"), trust.Options{Clock: s.clock})
	must(err)
	log, err := audit.Open(filepath.Join(s.dir, "audit"), audit.Options{Clock: s.clock})
	must(err)
	t.Cleanup(func() { log.Close() })
	s.service, err = identity.New(identity.DefaultConfig(), identity.EnrollConfig{}, identity.Deps{Site: own, Audit: log,
		Serials: s, Trust: keys, Clock: s.clock})
	must(err)
	t.Cleanup(func() { s.service.Close() })
	s.verifier, err = identity.NewVerifier(filepath.Join(s.dir, "identity"), 90*day, identity.Options{Clock: s.clock})
	must(err)
	s.inbox, err = inbox.Open(filepath.Join(s.dir, "inbox"), quiet)
	must(err)
	t.Cleanup(func() { s.inbox.Close() })
	cfg := relay.DefaultConfig()
	cfg.Listen, cfg.DiskReserve, cfg.InodeReserve = "127.0.0.1:0", 0, 0
	r, err := relay.New(cfg, relay.Deps{Inbox: s.inbox, Certificate: own.Certificate, Callers: s.verifier, Denied: s.verifier,
		Enrolment: s.service, Clock: s.clock})
	must(err)
	addr, err := r.Listen()
	must(err)
	s.relay = "https://" + addr.String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() { cancel(); must(<-ended) })
	return s
}

// client is a client with its folder; open it again to see what the next process sees.
func (s *realSite) client(dir string, id smx.ClientID, kept *cache.Memory) (*Credentials, *transport.Sender) {
	s.t.Helper()
	c, err := Open(OpenFolder(dir), Options{Client: id, Serials: kept, Log: quiet, Now: s.clock})
	if err != nil {
		s.t.Fatal(err)
	}
	base, err := transport.Trust(nil, "")
	if err != nil {
		s.t.Fatal(err)
	}
	sender, err := transport.NewSender(s.relay, c.TLS(base, "127.0.0.1"), 1)
	if err != nil {
		s.t.Fatal(err)
	}
	sender.Heed(c.Heed)
	c.OnChange(sender.Close)
	s.t.Cleanup(sender.Close)
	return c, sender
}

func (s *realSite) token(spec identity.TokenSpec) trust.Token {
	s.t.Helper()
	spec.Uses, spec.Expires = 1, time.Hour
	made, err := s.service.CreateToken(s.t.Context(), spec)
	if err != nil {
		s.t.Fatal(err)
	}
	token, err := trust.ParseToken(made.Text)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

func (s *realSite) enrol(c *Credentials, token trust.Token) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	return c.Enroll(ctx, Request{Relay: s.relay, Token: token, NetBIOSName: "PC1", ClientVersion: "1.4.0"},
		func(Progress) {})
}

// report is a report of a client.
func (s *realSite) report(id smx.ClientID) []byte {
	return smx.AppendReport(nil, &smx.Report{Header: smx.Header{Client: id, ClientInstalled: 1, ClientType: 1,
		NetBIOSName: "PC1", ClientVersion: "1.4.0", CodePage: "65001", Priority: smx.NoPriority, Date: s.clock()},
		Messages: []smx.Message{{Serial: 501, Time: s.clock(), TopicType: 9100, TopicID: "x", StateID: 1}}})
}

// From the token to the end: a client of a real site enrols, reports under its own id only, is off beyond the end of
// its certificate and comes back, follows the site to its next authority, is told when its copy took over, and is
// revoked.
func TestAClientOfARealSite(t *testing.T) {
	s := newRealSite(t)
	id, dir, kept := smx.ClientID(uuid.New()), filepath.Join(t.TempDir(), "identity"), cache.NewMemory(7)
	c, sender := s.client(dir, id, kept)
	if err := s.enrol(c, s.token(identity.TokenSpec{})); err != nil {
		t.Fatal(err)
	}
	if kept.LastSerial() != 500 {
		t.Errorf("it continues behind serial %d, want 500", kept.LastSerial())
	}
	works := func(when string) {
		t.Helper()
		if got := sender.Post(t.Context(), s.report(id)); got.Outcome != transport.Accepted || got.Receipt == "" {
			t.Fatalf("%s a report got %+v", when, got)
		}
	}
	works("at first")
	other := id
	other[0] ^= 1
	if got := sender.Post(t.Context(), s.report(other)); got.Status != 403 {
		t.Errorf("a report in another client's name got %+v", got)
	}

	s.later(70 * day)
	if got := sender.Post(t.Context(), s.report(id)); got.Status != 401 || got.Code != transport.CodeExpired ||
		got.Outcome != transport.Again {
		t.Errorf("after the end of its certificate, a report got %+v", got)
	}
	if _, err := c.Tend(t.Context(), sender); err != nil || c.Status().Expired || c.Status().Problem != "" {
		t.Fatalf("%v, %+v", err, c.Status())
	}
	works("renewed")

	if _, err := s.service.StageCA(t.Context()); err != nil {
		t.Fatal(err)
	}
	bundle := func() []byte {
		text, err := os.ReadFile(filepath.Join(s.dir, "identity", "ca.crt"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if err := c.Believe(bundle(), nil); err != nil || c.Status().Distrust != "" {
		t.Fatalf("%v, %+v", err, c.Status())
	}
	if _, err := s.service.SwitchCA(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.verifier.Refresh(); err != nil {
		t.Fatal(err)
	}
	sender.Close()
	works("after the change of the authority")
	image := load(t, dir)
	s.later(50 * day)
	if _, err := c.Tend(t.Context(), sender); err != nil || c.Status().Problem != "" {
		t.Fatalf("%v, %+v", err, c.Status())
	}
	works("with a certificate of the next authority")

	copied := filepath.Join(t.TempDir(), "identity")
	if err := OpenFolder(copied).Save(image); err != nil {
		t.Fatal(err)
	}
	twin, twinSender := s.client(copied, id, cache.NewMemory(500))
	for range 500 { // the relay tells who was seen a little later
		if seen, err := s.service.Client(t.Context(), id.String()); err != nil || seen.Used == seen.Number {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := twin.Tend(t.Context(), twinSender); err != nil {
		t.Fatal(err)
	}
	if twin.Status().Ended != transport.CodeSuperseded {
		t.Errorf("the copy is told %+v", twin.Status())
	}

	if err := s.service.Revoke(t.Context(), id.String(), "lost"); err != nil {
		t.Fatal(err)
	}
	if err := s.verifier.Refresh(); err != nil {
		t.Fatal(err)
	}
	if got := sender.Post(t.Context(), s.report(id)); got.Outcome != transport.Again || got.Status != 401 ||
		!strings.Contains(c.Status().Problem, "revoked") {
		t.Errorf("revoked, over an open connection, a report got %+v; %+v", got, c.Status())
	}
	if got := sender.Post(t.Context(), s.report(id)); !transport.CertificateRefused(got.Err) {
		t.Errorf("revoked, over a new connection, a report got %+v", got)
	}
	var refusal *Refusal
	if err := s.enrol(c, s.token(identity.TokenSpec{})); !errors.As(err, &refusal) || refusal.Code != "client_revoked" {
		t.Errorf("revoked, with any token: %v", err)
	}
	s.later(time.Minute) // a token made at the moment of the revocation is not made after it
	if err := s.enrol(c, s.token(identity.TokenSpec{Client: uuid.UUID(id)})); err != nil {
		t.Fatalf("revoked, with a token for it: %v", err)
	}
	works("let in again")
}
