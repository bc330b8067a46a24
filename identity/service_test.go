package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/audit"
	"statewire/trust"
)

// roots are keys of a trust document that nobody looks into here.
type roots struct{ ids []string }

func (r *roots) Document() ([]byte, error) { return []byte(`{"payload":""}`), nil }

func (r *roots) RootIDs() []string { return r.ids }

// sent is what clients have sent before they enrol.
type sent struct {
	mu   sync.Mutex
	next map[uuid.UUID]uint64
	err  error
}

func (s *sent) NextSerial(_ context.Context, client uuid.UUID, last uint64) (uint64, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, known := s.next[client]
	return max(next, last+1), known, s.err
}

// site is an identity stage with everything that it needs, and a time that a test moves.
type site struct {
	*Service

	dir   string
	clock *clock
	roots *roots
	sent  *sent
	audit *audit.Log
	from  netip.Addr
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), clock: &clock{at: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)},
		roots: &roots{ids: []string{"root"}}, sent: &sent{next: map[uuid.UUID]uint64{}},
		from: netip.MustParseAddr("192.0.2.7")}
	var err error
	if s.audit, err = audit.Open(filepath.Join(s.dir, "audit"), audit.Options{Clock: s.clock.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.audit.Close() })
	s.start(t, EnrollConfig{})
	t.Cleanup(func() { s.Close() })
	return s
}

// start opens the stage, again if it was closed.
func (s *site) start(t testing.TB, enroll EnrollConfig) {
	t.Helper()
	own, err := Open(filepath.Join(s.dir, "identity"), Options{Clock: s.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	s.Service, err = New(DefaultConfig(), enroll, Deps{Site: own, Audit: s.audit, Serials: s.sent, Trust: s.roots,
		Clock: s.clock.now})
	if err != nil {
		t.Fatal(err)
	}
}

// token makes a token.
func (s *site) token(t testing.TB, spec TokenSpec) string {
	t.Helper()
	if spec.Uses == 0 {
		spec.Uses = 1
	}
	if spec.Expires == 0 {
		spec.Expires = time.Hour
	}
	made, err := s.CreateToken(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return made.Text
}

// csr is a signing request with a new key.
func csr(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return csrOf(t, key)
}

func csrOf(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "root of all"}, DNSNames: []string{"relay.example"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func (s *site) enroll(t testing.TB, r trust.EnrollRequest) (trust.EnrollAnswer, error) {
	t.Helper()
	if r.CSR == "" {
		r.CSR = csr(t)
	}
	return s.Enroll(t.Context(), EnrollCall{Request: r, From: s.from})
}

// code is the code of a refusal; empty for none.
func code(err error) string {
	var refused *Refusal
	if errors.As(err, &refused) {
		return fmt.Sprint(refused.Status, " ", refused.Code)
	}
	return fmt.Sprint(err)
}

// certificate reads the leaf of an answer.
func certificate(t testing.TB, text string) *x509.Certificate {
	t.Helper()
	certs, err := parseBundle([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return certs[0]
}

// caller is whom a certificate names.
func caller(t testing.TB, text string) Caller {
	t.Helper()
	c, err := callerOf(certificate(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	one = uuid.MustParse("f1b00000-0000-4000-8000-000000000001")
	two = uuid.MustParse("f1b00000-0000-4000-8000-000000000002")
)

func TestWhoGetsACertificate(t *testing.T) {
	for _, c := range []struct {
		name     string
		known    bool // it has rows or polls
		enrolled bool
		revoked  bool // after it enrolled
		early    bool // the token was made before the revocation
		asks     uuid.UUID
		token    TokenSpec
		want     string
		action   string // in the audit log
		denied   bool   // certificates until now are refused
	}{
		{name: "no id", want: "<nil>"},
		{name: "no id, and a token for a client", token: TokenSpec{Client: one}, want: "<nil>"},
		{name: "never seen", asks: one, want: "<nil>"},
		{name: "never seen, a token for it", asks: one, token: TokenSpec{Client: one}, want: "<nil>"},
		{name: "a token for another", asks: one, token: TokenSpec{Client: two}, want: "403 wrong_client"},
		{name: "has rows", known: true, asks: one, want: "403 client_known"},
		{name: "has rows, adopted", known: true, asks: one, token: TokenSpec{Adopt: true}, want: "<nil>",
			action: "client.adopt"},
		{name: "has rows, bound", known: true, asks: one, token: TokenSpec{Client: one}, want: "<nil>",
			action: "client.adopt"},
		{name: "enrolled", enrolled: true, asks: one, want: "409 already_enrolled"},
		{name: "enrolled, adopted", enrolled: true, known: true, asks: one, token: TokenSpec{Adopt: true},
			want: "409 already_enrolled"},
		{name: "enrolled, bound", enrolled: true, asks: one, token: TokenSpec{Client: one}, want: "<nil>",
			action: "client.reenrol", denied: true},
		{name: "enrolled, bound, asks for none", enrolled: true, token: TokenSpec{Client: one}, want: "<nil>",
			action: "client.reenrol", denied: true},
		{name: "revoked", enrolled: true, revoked: true, asks: one, want: "403 client_revoked", denied: true},
		{name: "revoked, a token of before", enrolled: true, revoked: true, early: true, asks: one,
			token: TokenSpec{Client: one}, want: "403 client_revoked", denied: true},
		{name: "revoked, a token of after", enrolled: true, revoked: true, asks: one, token: TokenSpec{Client: one},
			want: "<nil>", action: "client.reenrol", denied: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			var first trust.EnrollAnswer
			if c.enrolled {
				var err error
				if first, err = s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}),
					ClientID: clientKey(one)}); err != nil {
					t.Fatal(err)
				}
			}
			if c.known {
				s.sent.next[one] = 1432
			}
			s.clock.add(time.Minute)
			early := s.token(t, c.token)
			s.clock.add(time.Minute)
			if c.revoked {
				if err := s.Revoke(t.Context(), clientKey(one), "stolen"); err != nil {
					t.Fatal(err)
				}
			}
			s.clock.add(time.Minute)
			token := early
			if !c.early {
				token = s.token(t, c.token)
			}
			request := trust.EnrollRequest{Token: token, LastSerial: 9}
			if c.asks != uuid.Nil {
				request.ClientID = clientKey(c.asks)
			}
			got, err := s.enroll(t, request)
			if code(err) != c.want {
				t.Fatalf("%v, want %s", err, c.want)
			}
			denied, err := readDenied(filepath.Join(s.dir, "identity", deniedFile))
			if err != nil {
				t.Fatal(err)
			}
			if (len(denied) == 1) != c.denied {
				t.Errorf("denied are %v", denied)
			}
			if c.enrolled && denied.Holds(caller(t, first.Certificate)) != c.denied {
				t.Errorf("the former certificate: denied are %v", denied)
			}
			if log := s.lines(t); strings.Contains(log, `"action":"client.adopt"`) != (c.action == "client.adopt") ||
				strings.Contains(log, `"action":"client.reenrol"`) != (c.action == "client.reenrol") {
				t.Errorf("the audit log has %s", log)
			}
			if c.want != "<nil>" {
				return
			}
			who := caller(t, got.Certificate)
			want := c.asks
			if c.token.Client != uuid.Nil {
				want = c.token.Client
			}
			if want != uuid.Nil && who.Client != want || got.ClientID != who.Key() || denied.Holds(who) {
				t.Errorf("the certificate is of %+v, the answer says %s", who, got.ClientID)
			}
			next := uint64(10)
			if c.known {
				next = 1432
			}
			if got.NextSerial != next {
				t.Errorf("it goes on at %d, want %d", got.NextSerial, next)
			}
		})
	}
}

// lines is the whole audit log.
func (s *site) lines(t testing.TB) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "audit", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func TestACertificateSaysWhoseItIs(t *testing.T) {
	s := newSite(t)
	got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(one)})
	if err != nil {
		t.Fatal(err)
	}
	leaf, now := certificate(t, got.Certificate), s.clock.now()
	if leaf.URIs[0].String() != "urn:statewire:"+s.site.ID().String()+":client:"+one.String() ||
		leaf.Subject.CommonName != clientKey(one) || len(leaf.DNSNames) != 0 {
		t.Errorf("%v %s %v", leaf.URIs, leaf.Subject, leaf.DNSNames)
	}
	if len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth || leaf.IsCA {
		t.Error(leaf.ExtKeyUsage, leaf.IsCA)
	}
	if !leaf.NotBefore.Equal(now.Add(-5*time.Minute)) || !leaf.NotAfter.Equal(now.Add(60*24*time.Hour)) ||
		!got.NotAfter.Equal(leaf.NotAfter) {
		t.Error(leaf.NotBefore, leaf.NotAfter, got.NotAfter)
	}
	role, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{Role: "relay"}), RoleName: "dmz-1",
		Hosts: []string{"mp.example", "192.0.2.1"}})
	if err != nil {
		t.Fatal(err)
	}
	leaf = certificate(t, role.Certificate)
	if leaf.URIs[0].String() != "urn:statewire:"+s.site.ID().String()+":role:relay:dmz-1" ||
		leaf.VerifyHostname("mp.example") != nil || leaf.VerifyHostname("192.0.2.1") != nil ||
		len(leaf.ExtKeyUsage) != 2 || !leaf.NotAfter.Equal(now.Add(90*24*time.Hour)) || role.ClientID != "" {
		t.Errorf("%v %v %v %v", leaf.URIs, leaf.DNSNames, leaf.ExtKeyUsage, leaf.NotAfter)
	}
	for name, r := range map[string]trust.EnrollRequest{
		"a role with a client's token":  {Token: s.token(t, TokenSpec{}), RoleName: "x"},
		"a client with a role's token":  {Token: s.token(t, TokenSpec{Role: "fsp"}), ClientID: clientKey(two)},
		"a role whose name is a path":   {Token: s.token(t, TokenSpec{Role: "fsp"}), RoleName: "../x"},
		"a role without a name":         {Token: s.token(t, TokenSpec{Role: "fsp"})},
		"a host that is none":           {Token: s.token(t, TokenSpec{}), Hosts: []string{"a b"}},
		"an id without its prefix":      {Token: s.token(t, TokenSpec{}), ClientID: one.String()},
		"the id of nobody":              {Token: s.token(t, TokenSpec{}), ClientID: clientKey(uuid.Nil)},
		"an id in another spelling":     {Token: s.token(t, TokenSpec{}), ClientID: "GUID:{" + one.String() + "}"},
		"a serial behind all":           {Token: s.token(t, TokenSpec{}), LastSerial: 1 << 62},
		"a name that is a book":         {Token: s.token(t, TokenSpec{}), NetBIOSName: strings.Repeat("x", 257)},
		"no csr":                        {Token: s.token(t, TokenSpec{}), CSR: "none"},
		"a csr with something behind":   {Token: s.token(t, TokenSpec{}), CSR: csr(t) + csr(t)},
		"a csr with a changed key":      {Token: s.token(t, TokenSpec{}), CSR: forged(t)},
		"a csr with a key of RSA":       {Token: s.token(t, TokenSpec{}), CSR: csrOf(t, rsaKey(t))},
		"a csr with a key on 384 bits":  {Token: s.token(t, TokenSpec{}), CSR: csrOf(t, p384(t))},
		"an id with something in front": {Token: s.token(t, TokenSpec{}), ClientID: "xGUID:" + one.String()},
	} {
		if _, err := s.enroll(t, r); err == nil || strings.HasPrefix(code(err), "5") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), CSR: csrOf(t, ed)}); err != nil {
		t.Errorf("a key of Ed25519: %v", err)
	}
}

func forged(t testing.TB) string {
	block, _ := pem.Decode([]byte(csr(t)))
	other, _ := pem.Decode([]byte(csr(t)))
	a, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.ParseCertificateRequest(other.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(block.Bytes), string(a.RawSubjectPublicKeyInfo), string(b.RawSubjectPublicKeyInfo), 1)
	return string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: []byte(text)}))
}

func rsaKey(t testing.TB) any {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func p384(t testing.TB) any {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// One use is one certificate, however many ask at once; and it can be asked for again, when its answer was lost.
func TestAttackOneUseIsOneCertificate(t *testing.T) {
	s := newSite(t)
	token := s.token(t, TokenSpec{})
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for range 20 {
		request := trust.EnrollRequest{Token: token, CSR: csr(t)}
		wg.Go(func() {
			_, err := s.enroll(t, request)
			mu.Lock()
			defer mu.Unlock()
			got[code(err)]++
		})
	}
	wg.Wait()
	if got["<nil>"] != 1 || got["403 token_used"] != 19 {
		t.Errorf("%v", got)
	}
	list, err := s.Tokens(t.Context())
	if err != nil || list[0].Used != 1 || list[0].State != "used" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestAttackALostAnswerIsGivenAgain(t *testing.T) {
	s := newSite(t)
	s.sent.next[one] = 50
	request := trust.EnrollRequest{Token: s.token(t, TokenSpec{Adopt: true}), CSR: csr(t), ClientID: clientKey(one)}
	first, err := s.enroll(t, request)
	if err != nil {
		t.Fatal(err)
	}
	s.clock.add(10 * time.Minute)
	s.sent.next[one] = 60
	again, err := s.enroll(t, request)
	if err != nil || again.Certificate != first.Certificate || again.NextSerial != first.NextSerial ||
		again.ClientID != first.ClientID {
		t.Errorf("%v: the second answer is another one: %+v", err, again)
	}
	if list, _ := s.Tokens(t.Context()); list[0].Used != 1 {
		t.Errorf("the token was used %d times", list[0].Used)
	}
	other := request
	other.Token = s.token(t, TokenSpec{})
	if _, err := s.enroll(t, other); code(err) != "409 already_enrolled" {
		t.Errorf("the same key with another token: %v", err)
	}
	s.clock.add(time.Hour)
	if _, err := s.enroll(t, request); code(err) != "403 token_expired" {
		t.Errorf("after the token's end: %v", err)
	}
}

// What cannot be noted is not done.
func TestNothingIsDoneThatIsNotNoted(t *testing.T) {
	s := newSite(t)
	token := s.token(t, TokenSpec{})
	pending := s.token(t, TokenSpec{Approval: true})
	waits, err := s.enroll(t, trust.EnrollRequest{Token: pending})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.enroll(t, trust.EnrollRequest{Token: token, ClientID: clientKey(one)}); err != nil {
		t.Fatal(err)
	}
	if err := s.audit.Close(); err != nil { // it takes nothing more
		t.Fatal(err)
	}
	ctx := t.Context()
	for name, do := range map[string]func() error{
		"create": func() error {
			_, err := s.CreateToken(ctx, TokenSpec{Uses: 1, Expires: time.Hour})
			return err
		},
		"revoke a token": func() error { return s.RevokeToken(ctx, strings.Split(token, ".")[1]) },
		"revoke":         func() error { return s.Revoke(ctx, clientKey(one), "stolen") },
		"pause":          func() error { return s.Pause(ctx, true) },
		"approve":        func() error { return s.Decide(ctx, waits.Pending, true) },
		"stage":          func() error { _, err := s.StageCA(ctx); return err },
	} {
		if err := do(); code(err) != "503 audit_unavailable" {
			t.Errorf("%s: %v", name, err)
		}
	}
	sum, err := s.Summary(ctx)
	if err != nil || sum.Paused || sum.States["enrolled"] != 1 || sum.Pending != 1 || sum.Tokens != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
	if staged, err := s.Staged(ctx); staged != nil || err != nil {
		t.Errorf("%+v, %v", staged, err)
	}
	if denied, err := readDenied(filepath.Join(s.dir, "identity", deniedFile)); len(denied) != 0 || err != nil {
		t.Errorf("%v, %v", denied, err)
	}
}
