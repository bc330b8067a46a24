package identity

import (
	"errors"
	"strings"
	"testing"
	"time"

	"statewire/internal/control"
	"statewire/trust"
)

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

func TestNoCertificateOutlivesItsAuthority(t *testing.T) {
	s := newSite(t)
	token := s.token(t, TokenSpec{Expires: 300 * 24 * time.Hour})
	ends := s.site.authority().cert.NotAfter
	s.clock.add(ends.Add(-10 * 24 * time.Hour).Sub(s.clock.now()))
	if _, err := s.enroll(t, trust.EnrollRequest{Token: token}); code(err) != "403 token_expired" {
		t.Fatal(err)
	}
	c := s.enrolled(t, one)
	if !c.NotAfter.Equal(ends) {
		t.Errorf("it ends at %v, its authority at %v", c.NotAfter, ends)
	}
}
