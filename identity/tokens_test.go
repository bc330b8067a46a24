package identity

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"statewire/internal/control"
	"statewire/trust"
)

func TestAttackTokensThatAreNotGood(t *testing.T) {
	s := newSite(t)
	good, err := trust.ParseToken(s.token(t, TokenSpec{Uses: 100}))
	if err != nil {
		t.Fatal(err)
	}
	unknown, wrong := good, good
	unknown.ID = trust.NewID()
	wrong.Secret[0] ^= 1
	_, errUnknown := s.enroll(t, trust.EnrollRequest{Token: unknown.String()})
	_, errWrong := s.enroll(t, trust.EnrollRequest{Token: wrong.String()})
	_, errForm := s.enroll(t, trust.EnrollRequest{Token: "swe1.x"})
	if code(errUnknown) != "403 token_invalid" || errUnknown.Error() != errWrong.Error() ||
		errWrong.Error() != errForm.Error() {
		t.Errorf("%v; %v; %v", errUnknown, errWrong, errForm)
	}
	for range 2 {
		s.enroll(t, trust.EnrollRequest{Token: wrong.String()})
	}
	var refused *Refusal
	if _, err = s.enroll(t, trust.EnrollRequest{Token: good.String()}); code(err) != "429 rate_limited" ||
		!errors.As(err, &refused) || refused.After != time.Minute || !refused.Retry {
		t.Errorf("the sixth of the minute: %v", err)
	}
	s.from = netip.MustParseAddr("192.0.2.8")
	if _, err := s.enroll(t, trust.EnrollRequest{Token: good.String()}); err != nil {
		t.Errorf("from another address: %v", err)
	}
	s.from = netip.MustParseAddr("192.0.2.7")
	s.clock.add(time.Minute)
	if _, err := s.enroll(t, trust.EnrollRequest{Token: good.String()}); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	if err := s.RevokeToken(t.Context(), good.ID); err != nil {
		t.Fatal(err)
	}
	for range 10 { // it is no guess
		if _, err := s.enroll(t, trust.EnrollRequest{Token: good.String()}); code(err) != "403 token_expired" {
			t.Errorf("a revoked one: %v", err)
		}
	}
	if err := s.RevokeToken(t.Context(), "ABCDEFGH"); !errors.Is(err, control.ErrNotFound) {
		t.Error(err)
	}
	for name, spec := range map[string]TokenSpec{
		"no use":                          {Expires: time.Hour},
		"no life":                         {Uses: 1},
		"two uses for two days":           {Uses: 2, Expires: 25 * time.Hour},
		"two clients with one id":         {Uses: 2, Expires: time.Hour, Client: one},
		"a role that is none":             {Uses: 1, Expires: time.Hour, Role: "ingest"},
		"a role in a collection":          {Uses: 1, Expires: time.Hour, Role: "fsp", Collection: "x"},
		"a role that is adopted":          {Uses: 1, Expires: time.Hour, Role: "fsp", Adopt: true},
		"a life that is longer than most": {Uses: 1, Expires: 366 * 24 * time.Hour},
	} {
		if _, err := s.CreateToken(t.Context(), spec); !errors.As(err, new(*control.InvalidError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, spec := range map[string]TokenSpec{
		"one use for a month":                 {Uses: 1, Expires: 30 * 24 * time.Hour},
		"many for a month, each one approved": {Uses: 9, Expires: 30 * 24 * time.Hour, Approval: true},
		"many for a day":                      {Uses: 10_000, Expires: 24 * time.Hour},
	} {
		if _, err := s.CreateToken(t.Context(), spec); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The secret of a token is nowhere but in the answer to whoever made it.
func TestASecretIsNotKept(t *testing.T) {
	s := newSite(t)
	text := s.token(t, TokenSpec{})
	token, err := trust.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Tokens(t.Context())
	secret := strings.Split(text, ".")[2]
	if err != nil || strings.Contains(fmt.Sprintf("%+v", list), secret) {
		t.Errorf("%+v, %v", list, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(s.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), secret) || strings.Contains(string(data), string(token.Secret[:])) {
			t.Errorf("%s holds the secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.start(t, EnrollConfig{})
}

func TestATokenIsGoodBeforeItsEnd(t *testing.T) {
	s := newSite(t)
	token := s.token(t, TokenSpec{Uses: 2})
	s.clock.add(time.Hour - time.Second)
	if _, err := s.enroll(t, trust.EnrollRequest{Token: token}); err != nil {
		t.Error(err)
	}
	s.clock.add(time.Second)
	if _, err := s.enroll(t, trust.EnrollRequest{Token: token}); code(err) != "403 token_expired" {
		t.Error(err)
	}
}

// A first token is made once in a site's life, whatever became of it.
func TestTheFirstToken(t *testing.T) {
	s := newSite(t)
	first := func() string {
		t.Helper()
		text, err := s.FirstToken(t.Context(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if first() == "" || first() != "" {
		t.Error("not one token")
	}
	ended := s.clock.now().Add(time.Hour)
	s.forget(t, ended.Add(90*24*time.Hour))
	if list, err := s.Tokens(t.Context()); err != nil || len(list) != 1 || list[0].State != "expired" {
		t.Errorf("%+v, %v", list, err)
	}
	s.forget(t, s.clock.now().Add(time.Second))
	if list, err := s.Tokens(t.Context()); err != nil || len(list) != 0 || first() != "" {
		t.Errorf("%+v, %v, or another first token", list, err)
	}

	s = newSite(t)
	notifier := asUser{s, control.Peer{UID: 1, Role: "notifier"}} // a role of this machine is no client
	if _, err := notifier.IssueRole(t.Context(), trust.RenewRequest{CSR: csr(t)}); err != nil || first() == "" {
		t.Errorf("no token once a role has its certificate: %v", err)
	}

	s = newSite(t)
	s.enrolled(t, one)
	s.forget(t, s.clock.now().Add(91*24*time.Hour))
	if first() != "" {
		t.Error("a site that has clients makes a first token")
	}
}
