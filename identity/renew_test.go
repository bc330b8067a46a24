package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

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
