package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/internal/control"
	"statewire/trust"
)

// enrolled is a client that has its certificate.
func (s *site) enrolled(t testing.TB, id uuid.UUID) Caller {
	t.Helper()
	got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(id)})
	if err != nil {
		t.Fatal(err)
	}
	return caller(t, got.Certificate)
}

func (s *site) renewed(t testing.TB, c Caller, request string) (Caller, trust.RenewAnswer, error) {
	t.Helper()
	got, err := s.Renew(t.Context(), RenewCall{Request: trust.RenewRequest{CSR: request}, Caller: c, From: s.from})
	if err != nil {
		return Caller{}, got, err
	}
	return caller(t, got.Certificate), got, nil
}

func TestAttackACertificateIsRenewed(t *testing.T) {
	s := newSite(t)
	first := s.enrolled(t, one)
	s.clock.add(40 * 24 * time.Hour)
	request := csr(t)
	second, answer, err := s.renewed(t, first, request)
	if err != nil || second.Client != one || second.Number <= first.Number ||
		!second.NotAfter.Equal(s.clock.now().Add(60*24*time.Hour)) {
		t.Fatalf("%+v after %+v, %v", second, first, err)
	}
	s.clock.add(time.Hour)
	if _, again, err := s.renewed(t, first, request); err != nil || again.Certificate != answer.Certificate {
		t.Errorf("a lost answer: %v, other bytes", err)
	}
	third, _, err := s.renewed(t, first, csr(t)) // the agent lost its new key with the answer
	if err != nil || third.Number <= second.Number {
		t.Errorf("%+v, %v", third, err)
	}
	if err := s.Seen(t.Context(), []Caller{third}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Caller{"the first": first, "one that was never used": second} {
		if _, _, err := s.renewed(t, c, csr(t)); code(err) != "403 superseded" {
			t.Errorf("%s, while the third is in use: %v", name, err)
		}
	}
	if _, _, err := s.renewed(t, first, request); code(err) != "403 superseded" {
		t.Errorf("with the request of before: %v", err)
	}
	if got, err := s.Client(t.Context(), clientKey(one)); err != nil || got.State != "shared" ||
		!got.Shared.Equal(s.clock.now()) {
		t.Errorf("%+v, %v", got, err)
	}
	if log := s.lines(t); strings.Count(log, `"action":"client.identity_shared"`) != 1 {
		t.Error(log)
	}
	if fourth, _, err := s.renewed(t, third, csr(t)); err != nil || fourth.Number <= third.Number {
		t.Errorf("who has the right one goes on: %+v, %v", fourth, err)
	}
}

func TestAttackRenewalsThatAreNone(t *testing.T) {
	s := newSite(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), CSR: csrOf(t, key),
		ClientID: clientKey(one)})
	if err != nil {
		t.Fatal(err)
	}
	c, other := caller(t, got.Certificate), s.enrolled(t, two)
	unknown, stranger := c, c
	unknown.Number--
	stranger.Number = other.Number
	for _, r := range []struct {
		name string
		c    Caller
		csr  string
		want string
	}{
		{"with the key of before", c, csrOf(t, key), "400 bad_csr"},
		{"no request", c, "", "400 bad_csr"},
		{"a number that was never issued", unknown, csr(t), "401 unknown_identity"},
		{"a number of another client", stranger, csr(t), "401 unknown_identity"},
	} {
		if _, _, err := s.renewed(t, r.c, r.csr); code(err) != r.want {
			t.Errorf("%s: %v, want %s", r.name, err, r.want)
		}
	}
	if err := s.Revoke(t.Context(), clientKey(one), "stolen"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.renewed(t, c, csr(t)); code(err) != "401 certificate_revoked" {
		t.Errorf("revoked: %v", err)
	}
	if _, _, err := s.renewed(t, other, csr(t)); err != nil {
		t.Errorf("the neighbour: %v", err)
	}
}

// Who enrolled or renewed after the backup from which the state came goes on: the authority's signature is its own. Who
// is refused in the state stays so.
func TestCertificatesThatABackupDoesNotKnow(t *testing.T) {
	s := newSite(t)
	state := filepath.Join(s.dir, "identity", stateFile)
	first, lost := s.enrolled(t, one), s.enrolled(t, uuid.New())
	if err := s.Revoke(t.Context(), lost.Key(), "stolen"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	s.start(t, EnrollConfig{})
	s.clock.add(time.Hour)
	renewed, _, err := s.renewed(t, first, csr(t))
	if err != nil {
		t.Fatal(err)
	}
	later := s.enrolled(t, two)
	s.Close()
	if err := os.WriteFile(state, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(t, EnrollConfig{})
	s.clock.add(time.Hour)
	for name, c := range map[string]Caller{"renewed since": renewed, "enrolled since": later} {
		request := csr(t)
		next, answer, err := s.renewed(t, c, request)
		if err != nil || next.Number <= c.Number || next.Key() != c.Key() {
			t.Errorf("%s: %+v, %v", name, next, err)
			continue
		}
		if _, again, err := s.renewed(t, c, request); err != nil || again.Certificate != answer.Certificate {
			t.Errorf("%s, a lost answer: %v", name, err)
		}
	}
	if got, err := s.Client(t.Context(), later.Key()); err != nil || got.State != "enrolled" {
		t.Errorf("%+v, %v", got, err)
	}
	lost.Number++ // as if it had renewed since
	if _, _, err := s.renewed(t, lost, csr(t)); code(err) != "401 certificate_revoked" {
		t.Errorf("revoked: %v", err)
	}
}

// Only what is newer counts as seen, and only what was issued.
func TestSeenNeverGoesBack(t *testing.T) {
	s := newSite(t)
	first := s.enrolled(t, one)
	second, _, err := s.renewed(t, first, csr(t))
	if err != nil {
		t.Fatal(err)
	}
	future := second
	future.Number += 1000
	stranger := Caller{Client: two, Number: 1}
	for _, step := range []struct {
		seen []Caller
		want uint64
	}{
		{[]Caller{first}, first.Number}, {[]Caller{future, stranger}, first.Number},
		{[]Caller{second, first}, second.Number}, {[]Caller{first}, second.Number},
	} {
		if err := s.Seen(t.Context(), step.seen); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Client(t.Context(), clientKey(one)); err != nil || got.Used != step.want {
			t.Errorf("after %v: %+v, %v", step.seen, got, err)
		}
	}
	if _, err := s.Client(t.Context(), clientKey(two)); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("a stranger is known: %v", err)
	}
}

// state is what a connection with the certificate would show.
func state(t testing.TB, text string) tls.ConnectionState {
	t.Helper()
	certs, err := parseBundle([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return tls.ConnectionState{PeerCertificates: certs}
}

func (s *site) verifier(t testing.TB) *Verifier {
	t.Helper()
	v, err := NewVerifier(filepath.Join(s.dir, "identity"), DefaultConfig().RenewGrace, Options{Clock: s.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAttackTheVerifierKnowsItsSite(t *testing.T) {
	s := newSite(t)
	got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(one)})
	if err != nil {
		t.Fatal(err)
	}
	own, v := state(t, got.Certificate), s.verifier(t)
	now := s.clock.now()
	strange := newSite(t)
	foreign, err := strange.enroll(t, trust.EnrollRequest{Token: strange.token(t, TokenSpec{})})
	if err != nil {
		t.Fatal(err)
	}
	server := leaf(t, s.site)
	sign := func(c Caller, change func(*x509.Certificate), public any) tls.ConnectionState {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if public == nil {
			public = key.Public()
		}
		made := certificate(t, got.Certificate)
		template := &x509.Certificate{SerialNumber: made.SerialNumber, Subject: made.Subject, URIs: made.URIs,
			NotBefore: made.NotBefore, NotAfter: made.NotAfter, ExtKeyUsage: made.ExtKeyUsage, KeyUsage: made.KeyUsage}
		if c != (Caller{}) {
			template.URIs[0] = c.urn()
		}
		if change != nil {
			change(template)
		}
		ca := s.site.authority()
		der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, public, ca.key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
	}
	us := caller(t, got.Certificate)
	elsewhere := us
	elsewhere.Site = uuid.New()
	for _, c := range []struct {
		name  string
		state tls.ConnectionState
		at    time.Time
		want  string // of Verify
		then  string // of Caller
	}{
		{"its own", own, now, "<nil>", "<nil>"},
		{"none", tls.ConnectionState{}, now, "<nil>", "401 no_identity"},
		{"another site's", state(t, foreign.Certificate), now, "401 unknown_identity", "401 unknown_identity"},
		{"a server's", tls.ConnectionState{PeerCertificates: []*x509.Certificate{server}}, now, "401 unknown_identity",
			"401 unknown_identity"},
		{"the authority's own", tls.ConnectionState{PeerCertificates: []*x509.Certificate{s.site.authority().cert}}, now,
			"401 unknown_identity", "401 unknown_identity"},
		{"one for servers alone", sign(Caller{}, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, nil), now, "401 unknown_identity", "<nil>"},
		{"of our authority in the name of another site", sign(elsewhere, nil, nil), now, "401 unknown_identity",
			"401 unknown_identity"},
		{"a key of RSA", sign(Caller{}, nil, rsaPublic(t)), now, "401 unknown_identity", "401 unknown_identity"},
		{"two names", sign(Caller{}, func(c *x509.Certificate) { c.URIs = append(c.URIs, us.urn()) }, nil), now,
			"401 unknown_identity", "401 unknown_identity"},
		{"not valid yet", own, now.Add(-6 * time.Minute), "<nil>", "401 certificate_expired"},
		{"a clock that is late by five minutes", own, now.Add(-5 * time.Minute), "<nil>", "<nil>"},
		{"on its last day", own, now.Add(60 * 24 * time.Hour), "<nil>", "<nil>"},
		{"in the grace", own, now.Add(130 * 24 * time.Hour), "<nil>", "401 certificate_expired"},
		{"on the last day of the grace", own, now.Add(150 * 24 * time.Hour), "<nil>", "401 certificate_expired"},
		{"behind the grace", own, now.Add(150*24*time.Hour + time.Second), "401 certificate_expired",
			"401 certificate_expired"},
	} {
		s.clock.add(c.at.Sub(s.clock.now()))
		if err := v.Verify(c.state); code(err) != c.want {
			t.Errorf("%s: the handshake says %v, want %s", c.name, err, c.want)
		}
		who, err := v.Caller(&c.state)
		if code(err) != c.then {
			t.Errorf("%s: the request says %v, want %s", c.name, err, c.then)
		}
		if (c.then == "<nil>" || c.want == "<nil>" && len(c.state.PeerCertificates) > 0) && who.Client != one {
			t.Errorf("%s: it is %+v", c.name, who)
		}
	}
}

func rsaPublic(t testing.TB) any {
	return rsaKey(t).(crypto.Signer).Public()
}

// A revocation bites on new, on resumed and on open connections; a neighbour goes on.
func TestAttackARevocationBites(t *testing.T) {
	s := newSite(t)
	got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(one)})
	if err != nil {
		t.Fatal(err)
	}
	neighbour, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(two)})
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Renew(t.Context(), RenewCall{Request: trust.RenewRequest{CSR: csr(t)},
		Caller: caller(t, got.Certificate)})
	if err != nil {
		t.Fatal(err)
	}
	v := s.verifier(t)
	if err := s.Revoke(t.Context(), clientKey(one), " "); err == nil {
		t.Error("without a reason")
	}
	if err := s.Revoke(t.Context(), clientKey(uuid.New()), "x"); !errors.Is(err, control.ErrNotFound) {
		t.Error(err)
	}
	if err := s.Revoke(t.Context(), clientKey(one), "stolen"); err != nil {
		t.Fatal(err)
	}
	s.clock.add(10 * time.Second)
	for name, text := range map[string]string{"the first": got.Certificate, "the renewed": second.Certificate} {
		c := state(t, text)
		if err := v.Verify(c); code(err) != "401 certificate_revoked" {
			t.Errorf("%s in a handshake: %v", name, err)
		}
		if _, err := v.Caller(&c); code(err) != "401 certificate_revoked" {
			t.Errorf("%s on an open connection: %v", name, err)
		}
	}
	c := state(t, neighbour.Certificate)
	if err := v.Verify(c); err != nil {
		t.Error(err)
	}
	path := filepath.Join(s.dir, "identity", deniedFile)
	if err := os.WriteFile(path, []byte("GUID:"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.clock.add(10 * time.Second)
	c = state(t, got.Certificate)
	if err := v.Verify(c); code(err) != "401 certificate_revoked" {
		t.Errorf("with a list that cannot be read: %v", err)
	}
	if _, err := NewVerifier(filepath.Join(s.dir, "identity"), 0, Options{}); err == nil {
		t.Error("a start with a list that cannot be read")
	}
	s.Close()
	s.start(t, EnrollConfig{}) // it writes the list from its state
	if denied, err := readDenied(path); err != nil || len(denied) != 1 {
		t.Errorf("%v, %v", denied, err)
	}
	client, err := s.Client(t.Context(), clientKey(one))
	if err != nil || client.State != "revoked" || client.Reason != "stolen" || client.Revoked.IsZero() ||
		!strings.HasPrefix(client.By, "local:") {
		t.Errorf("%+v, %v", client, err)
	}
}

// Revocation that is looked at in VerifyPeerCertificate alone does not see a resumed session.
func TestAttackAResumedSessionOfARevokedClientIsRefused(t *testing.T) {
	s := newSite(t)
	s.clock.add(time.Since(s.clock.now())) // crypto/tls has a clock of its own
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), CSR: csrOf(t, key),
		ClientID: clientKey(one)})
	if err != nil {
		t.Fatal(err)
	}
	keyText, err := keyPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair([]byte(got.Certificate), keyText)
	if err != nil {
		t.Fatal(err)
	}
	v := s.verifier(t)
	server := ServerTLS(s.site.Certificate)
	server.ClientAuth, server.VerifyConnection = tls.RequestClientCert, v.Verify
	client := &tls.Config{RootCAs: s.site.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{pair},
		ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	shake := func() (resumed bool, err error) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		done := make(chan error, 1)
		go func() {
			conn, err := ln.Accept()
			if err == nil {
				c := tls.Server(conn, server)
				if err = c.Handshake(); err == nil {
					_, err = c.Write([]byte("."))
				}
				c.Close()
			}
			done <- err
		}()
		conn, err := tls.Dial("tcp", ln.Addr().String(), client)
		if err == nil {
			_, err = conn.Read(make([]byte, 1)) // the ticket comes before it
			resumed = conn.ConnectionState().DidResume
			conn.Close()
		}
		return resumed, errors.Join(<-done, err)
	}
	if _, err := shake(); err != nil {
		t.Fatal(err)
	}
	if resumed, err := shake(); err != nil || !resumed {
		t.Fatalf("the second connection is not resumed: %v", err)
	}
	if err := s.Revoke(t.Context(), clientKey(one), "stolen"); err != nil {
		t.Fatal(err)
	}
	if err := v.Refresh(); err != nil {
		t.Fatal(err)
	}
	if _, err := shake(); code(err) != "401 certificate_revoked" {
		t.Errorf("resumed after the revocation: %v", err)
	}
}

func TestOldStateIsForgotten(t *testing.T) {
	s := newSite(t)
	first := s.enrolled(t, one)
	if _, _, err := s.renewed(t, first, csr(t)); err != nil {
		t.Fatal(err)
	}
	s.enrolled(t, two)
	if err := s.Revoke(t.Context(), clientKey(two), "stolen"); err != nil {
		t.Fatal(err)
	}
	count := func(bucket []byte) (n int) {
		_ = s.db.View(func(tx *bbolt.Tx) error { n = tx.Bucket(bucket).Stats().KeyN; return nil })
		return n
	}
	grace := DefaultConfig().RenewGrace
	for _, step := range []struct {
		at                      time.Time
		issued, tokens, revoked int
	}{
		{first.NotAfter.Add(grace), 3, 2, 1},
		{first.NotAfter.Add(grace + time.Second), 0, 0, 0},
	} {
		s.clock.add(step.at.Sub(s.clock.now()))
		for range 160 { // it goes on by a day each time
			if err := s.tidy(); err != nil {
				t.Fatal(err)
			}
		}
		denied, err := readDenied(filepath.Join(s.dir, "identity", deniedFile))
		if n := count(bucketIssued); n != step.issued || count(bucketKeys) != step.issued || len(denied) != step.revoked ||
			err != nil {
			t.Errorf("at %s: %d certificates, %d keys, denied %v, %v", step.at, n, count(bucketKeys), denied, err)
		}
	}
	if n := count(bucketTokens); n != 0 {
		t.Errorf("%d tokens", n)
	}
	if _, err := s.Client(t.Context(), clientKey(one)); err != nil {
		t.Errorf("a client that was here is known: %v", err)
	}
}

// A number is never given twice, not even when an old backup was restored.
func TestNumbersOnlyGrow(t *testing.T) {
	s := newSite(t)
	backup := filepath.Join(s.dir, "backup")
	state := filepath.Join(s.dir, "identity", stateFile)
	s.Close()
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(backup, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(t, EnrollConfig{})
	first := s.enrolled(t, one)
	s.clock.add(time.Minute)
	s.Close()
	if err := os.Rename(backup, state); err != nil {
		t.Fatal(err)
	}
	s.start(t, EnrollConfig{})
	second := s.enrolled(t, one)
	if second.Number <= first.Number {
		t.Errorf("%d after %d", second.Number, first.Number)
	}
	s.clock.add(-24 * time.Hour)
	if third := s.enrolled(t, two); third.Number <= second.Number {
		t.Errorf("with a clock that was set back: %d after %d", third.Number, second.Number)
	}
}

func TestAnAuthorityIsStagedAndSwitchedTo(t *testing.T) {
	s := newSite(t)
	old, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(one)})
	if err != nil {
		t.Fatal(err)
	}
	unused := s.token(t, TokenSpec{})
	id, before := s.site.ID(), leaf(t, s.site)
	if _, err := s.SwitchCA(t.Context()); !errors.As(err, new(*control.InvalidError)) {
		t.Errorf("none is staged: %v", err)
	}
	if _, err := s.StageCA(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.StageCA(t.Context()); !errors.As(err, new(*control.InvalidError)) {
		t.Errorf("staged twice: %v", err)
	}
	again, err := s.enroll(t, trust.EnrollRequest{Token: unused})
	if err != nil || strings.Count(again.CA, "BEGIN CERTIFICATE") != 2 {
		t.Fatalf("while it is staged: %v, %s", err, again.CA)
	}
	unused = s.token(t, TokenSpec{Expires: 20 * time.Hour})
	if !leaf(t, s.site).Equal(before) {
		t.Error("staging changed the server's certificate")
	}
	s.Close()
	s.start(t, EnrollConfig{}) // it outlives a restart
	s.clock.add(time.Hour)
	staged, err := s.SwitchCA(t.Context())
	if err != nil || s.clock.now().Sub(staged.Since) != time.Hour {
		t.Fatalf("%+v, %v", staged, err)
	}
	if s.site.ID() != id || leaf(t, s.site).Equal(before) || leaf(t, s.site).CheckSignatureFrom(
		s.site.authority().cert) != nil {
		t.Error("the site's id changed, or its server's certificate did not")
	}
	if _, err := s.enroll(t, trust.EnrollRequest{Token: unused}); code(err) != "403 token_expired" ||
		!strings.Contains(err.Error(), "void") {
		t.Errorf("a token of before: %v", err)
	}
	v := s.verifier(t)
	c := state(t, old.Certificate)
	if err := v.Verify(c); err != nil {
		t.Errorf("a certificate of before: %v", err)
	}
	fresh, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{})})
	if err != nil {
		t.Fatal(err)
	}
	c = state(t, fresh.Certificate)
	if err := v.Verify(c); err != nil {
		t.Errorf("a certificate of after: %v", err)
	}
	if _, _, err := s.renewed(t, caller(t, old.Certificate), csr(t)); err != nil {
		t.Errorf("a renewal of one of before: %v", err)
	}
	s.roots.ids = []string{"another"}
	made := s.token(t, TokenSpec{})
	s.Close()
	s.roots.ids = []string{"a third"}
	s.start(t, EnrollConfig{})
	if _, err := s.enroll(t, trust.EnrollRequest{Token: made}); code(err) != "403 token_expired" {
		t.Errorf("a token of other roots: %v", err)
	}
}

func TestAKeyIsWrittenInOneWay(t *testing.T) {
	for text, want := range map[string]string{
		clientKey(one): clientKey(one), one.String(): clientKey(one), strings.ToUpper(one.String()): clientKey(one),
		"guid:" + one.String(): clientKey(one), "role:relay:dmz-1": "role:relay:dmz-1",
		"": "", "GUID:": "", "PC1": "", uuid.Nil.String(): "", "role:ingest:x": "", "role:relay:": "", "role:relay:a/b": "",
		"relay:x": "",
	} {
		got, err := KeyOf(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
}

func FuzzDenied(f *testing.F) {
	f.Add([]byte("GUID:A below 7\nrole:relay:x below 9\n"))
	f.Add([]byte("GUID:A below -1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := parseDenied(text)
		if err != nil {
			return
		}
		again, err := parseDenied(d.text())
		if err != nil || len(again) != len(d) {
			t.Fatalf("%q is written as %q: %v", text, d.text(), err)
		}
		for key, below := range d {
			if again[key] != below {
				t.Fatalf("%q: %d is %d", key, below, again[key])
			}
		}
	})
}

func FuzzCSR(f *testing.F) {
	f.Add(csr(f))
	f.Add(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte{0x30, 0}})))
	f.Fuzz(func(t *testing.T, text string) {
		key, _, err := readCSR(text)
		if err == nil && strongKey(key) != nil {
			t.Fatal("a weak key was taken")
		}
	})
}

// Whatever a certificate calls itself, it is one caller's, whose name is written back as it was.
func FuzzCaller(f *testing.F) {
	f.Add("urn:statewire:f1b00000-0000-4000-8000-000000000001:client:f1b00000-0000-4000-8000-000000000002")
	f.Add("urn:statewire:f1b00000-0000-4000-8000-000000000001:role:relay:dmz")
	f.Fuzz(func(t *testing.T, text string) {
		uri, err := url.Parse(text)
		if err != nil {
			return
		}
		c, err := callerOf(&x509.Certificate{URIs: []*url.URL{uri}, SerialNumber: big.NewInt(1)})
		if err != nil {
			return
		}
		if c.urn().String() != text || c.IsClient() == slices.Contains(RoleKinds, c.Role) {
			t.Fatalf("%q is %+v, written %q", text, c, c.urn())
		}
		if _, err := KeyOf(c.Key()); err != nil {
			t.Fatalf("%q has the key %q: %v", text, c.Key(), err)
		}
	})
}

func BenchmarkCaller(b *testing.B) {
	s := newSite(b)
	got, err := s.enroll(b, trust.EnrollRequest{Token: s.token(b, TokenSpec{})})
	if err != nil {
		b.Fatal(err)
	}
	own, v := state(b, got.Certificate), s.verifier(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Caller(&own); err != nil {
			b.Fatal(err)
		}
	}
}

// A token for a role names no role: it drives out none that is enrolled.
func TestARoleKeepsItsName(t *testing.T) {
	s := newSite(t)
	ask := func() error {
		_, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{Role: "relay"}), RoleName: "dmz"})
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if err := ask(); code(err) != "409 already_enrolled" || !strings.Contains(err.Error(), "client revoke role:relay:dmz") {
		t.Errorf("the name of another: %v", err)
	}
	if err := s.Revoke(t.Context(), "role:relay:dmz", "moved"); err != nil {
		t.Fatal(err)
	}
	s.clock.add(time.Second)
	if err := ask(); err != nil {
		t.Errorf("revoked: %v", err)
	}
}
