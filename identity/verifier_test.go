package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/internal/control"
	"statewire/trust"
)

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

// A list that was replaced by one of the same size is another list.
func TestAChangedListIsRead(t *testing.T) {
	s := newSite(t)
	texts := map[uuid.UUID]string{}
	for _, id := range []uuid.UUID{one, two} {
		got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(id)})
		if err != nil {
			t.Fatal(err)
		}
		texts[id] = got.Certificate
	}
	v, path := s.verifier(t), filepath.Join(s.dir, "identity", deniedFile)
	for i, id := range []uuid.UUID{one, two} {
		line := Denied{clientKey(id): caller(t, texts[id]).Number + 1}.text()
		at := s.clock.now().Add(time.Duration(i) * time.Second)
		if err := errors.Join(os.WriteFile(path, line, 0o644), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
		if err := v.Refresh(); err != nil {
			t.Fatal(err)
		}
		for other, text := range texts {
			if err := v.Verify(state(t, text)); (code(err) == "401 certificate_revoked") != (other == id) {
				t.Errorf("%s, while %s is denied: %v", other, id, err)
			}
		}
	}
}

func TestLinesOfDeniedCertificates(t *testing.T) {
	for text, want := range map[string]uint64{
		"GUID:A below 9\nGUID:A below 7\n": 9, "GUID:A below 7\nGUID:A below 9\n": 9, "": 0, "GUID:A below 12": 0,
		" below 9\n": 0, "GUID:A below x\n": 0, "GUID:A\n": 0,
	} {
		d, err := parseDenied([]byte(text))
		if d["GUID:A"] != want || (err == nil) != (want > 0 || text == "") {
			t.Errorf("%q is %v, %v", text, d, err)
		}
	}
}

// Who was let in is held against what became of the certificate since.
func TestI20RefusalTellsWhatBecameOfACertificate(t *testing.T) {
	s := newSite(t)
	v := s.verifier(t)
	var callers [2]Caller
	for i := range callers {
		got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{})})
		if err != nil {
			t.Fatal(err)
		}
		cs := state(t, got.Certificate)
		if callers[i], err = v.Caller(&cs); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(c Caller, code string) {
		t.Helper()
		err := v.Refusal(c)
		var refusal *Refusal
		if errors.As(err, &refusal) != (code != "") || code != "" && refusal.Code != code {
			t.Errorf("%s: %v, not %q", c.Key(), err, code)
		}
	}
	refused(callers[0], "")
	if err := s.Revoke(t.Context(), callers[0].Key(), "lost"); err != nil {
		t.Fatal(err)
	}
	s.clock.add(rereadInterval)
	refused(callers[0], CodeRevoked)
	refused(callers[1], "")
	s.clock.add(callers[1].NotAfter.Sub(s.clock.now()))
	refused(callers[1], "")
	s.clock.add(time.Second)
	refused(callers[1], CodeExpired)
	refused(callers[0], CodeRevoked)
}
