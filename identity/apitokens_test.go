package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/internal/control"
)

const day = 24 * time.Hour

var (
	localAdmin = Person{Actor: "local:0", Role: Admin}
	tokenDay   = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
)

// noted records what the audit log is told, and may refuse it.
type noted struct {
	mu     sync.Mutex
	lines  []audit.Action
	ends   []string
	refuse error
	before func(audit.Action)
}

func (n *noted) Begin(_ context.Context, a audit.Action) (func(outcome, detail string), error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.before != nil {
		n.before(a)
	}
	if n.refuse != nil {
		return nil, n.refuse
	}
	n.lines = append(n.lines, a)
	return func(outcome, _ string) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.ends = append(n.ends, outcome)
	}, nil
}

// tokenSite is a site's tokens with a clock that the test moves.
type tokenSite struct {
	*APITokens
	t    *testing.T
	path string
	log  *noted
	at   time.Time
}

func newTokenSite(t *testing.T) *tokenSite {
	t.Helper()
	s := &tokenSite{t: t, path: filepath.Join(t.TempDir(), "identity.db"), log: &noted{}, at: tokenDay}
	db, err := bbolt.Open(s.path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if s.APITokens, err = NewAPITokens(db, s.log, func() time.Time { return s.at }, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *tokenSite) make(want Wanted) MadeAPIToken {
	s.t.Helper()
	made, err := s.Create(s.t.Context(), localAdmin, want)
	if err != nil {
		s.t.Fatal(err)
	}
	return made
}

// code is the code with which a token is refused; empty when it is good.
func (s *tokenSite) code(token, from string) string {
	s.t.Helper()
	_, err := s.Verify(s.t.Context(), token, from)
	return codeOf(s.t, err)
}

func codeOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var refused *Refusal
	if !errors.As(err, &refused) {
		t.Fatalf("%v is no refusal", err)
	}
	return fmt.Sprint(refused.Status, " ", refused.Code)
}

// otherSecret is a token with the id of this one and another secret.
func otherSecret(token string) string {
	last := byte('A')
	if strings.HasSuffix(token, "A") {
		last = 'E'
	}
	cut := len(token) - 1
	if token[cut-1] == 'A' {
		return token[:cut-1] + "B" + string(last)
	}
	return token[:cut-1] + "A" + string(last)
}

func TestATokenSaysWhoseItIs(t *testing.T) {
	s := newTokenSite(t)
	made := s.make(Wanted{Role: Operator, Collections: []string{"pilot", "berlin", "pilot"}, Life: 90 * day,
		Name: "grafana"})
	if want := "swt_" + made.ID + "_"; !strings.HasPrefix(made.Token, want) || len(made.Token) != len(want)+43 {
		t.Errorf("the token is %q", made.Token)
	}
	person, err := s.Verify(t.Context(), made.Token, "10.0.0.1")
	if err != nil || person.Actor != "token:"+made.ID || person.Role != Operator ||
		!slices.Equal(person.Collections, []string{"berlin", "pilot"}) || !person.Expires.Equal(tokenDay.Add(90*day)) {
		t.Errorf("%+v %v", person, err)
	}
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"id", "token", "role", "collections", "expires"} {
		if !strings.Contains(string(text), `"`+key+`":`) {
			t.Errorf("%s has no %s", text, key)
		}
	}
}

func TestTheSecretOfATokenIsKeptNowhere(t *testing.T) {
	s := newTokenSite(t)
	made := s.make(Wanted{Role: Viewer, Life: day})
	secret := made.Token[len("swt_")+len(made.ID)+1:]
	kept, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.List(t.Context(), localAdmin)
	if err != nil || len(list) != 1 || list[0].ID != made.ID {
		t.Fatalf("%+v %v", list, err)
	}
	shown, _ := json.Marshal(list)
	said := fmt.Sprintf("%+v", s.log.lines)
	_, refused := s.Verify(t.Context(), otherSecret(made.Token), "10.0.0.1")
	for _, text := range []string{string(kept), string(shown), said, refused.Error(), string(s.log.lines[0].Params)} {
		if strings.Contains(text, secret) || strings.Contains(text, secret[:20]) {
			t.Error("the secret is in the file, the list, the audit or an error")
		}
	}
	if strings.Contains(string(shown), "hash") {
		t.Errorf("the list shows the hash: %s", shown)
	}
	if !bytes.Contains(kept, []byte(made.ID)) {
		t.Error("the file does not even have the id: it was not read")
	}
}

func TestUnknownAndWrongTokensAreToldTheSame(t *testing.T) {
	s := newTokenSite(t)
	made := s.make(Wanted{Role: Admin, Life: day})
	_, want := s.Verify(t.Context(), otherSecret(made.Token), "10.9.9.9")
	if codeOf(t, want) != "401 token_invalid" {
		t.Fatal(want)
	}
	secret := made.Token[len("swt_")+len(made.ID)+1:]
	for i, token := range []string{"", "swt_", "swt__", "swt_AAAAAAAA_" + secret, "swt_" + made.ID, made.Token + "A",
		made.Token[:len(made.Token)-1], strings.ToLower(made.Token), " " + made.Token, "swe1" + made.Token[4:],
		"swt_" + made.ID + "_" + strings.Repeat("A", 43), "swt__" + secret, "swt_" + strings.Repeat("A", 1<<16)} {
		_, err := s.Verify(t.Context(), token, fmt.Sprintf("10.0.1.%d", i))
		if err == nil || err.Error() != want.Error() || codeOf(t, err) != "401 token_invalid" {
			t.Errorf("%.60q is refused as %v, want %v", token, err, want)
		}
	}
	if code := s.code(made.Token, "10.0.0.1"); code != "" {
		t.Errorf("the token itself: %s", code)
	}
}

func TestAnEndedTokenIsRefusedAndCountsForNobody(t *testing.T) {
	s := newTokenSite(t)
	short, gone := s.make(Wanted{Role: Viewer, Life: time.Hour}), s.make(Wanted{Role: Viewer, Life: day})
	if _, err := s.Revoke(t.Context(), localAdmin, strings.ToLower(gone.ID)); err != nil {
		t.Fatal(err)
	}
	s.at = tokenDay.Add(time.Hour - time.Second)
	if code := s.code(short.Token, "10.0.0.1"); code != "" {
		t.Errorf("a second before its end: %s", code)
	}
	s.at = tokenDay.Add(time.Hour)
	for range 2 * failuresAllowed {
		if code := s.code(short.Token, "10.0.0.1"); code != "401 token_expired" {
			t.Fatalf("at its end: %s", code)
		}
		if code := s.code(gone.Token, "10.0.0.1"); code != "401 token_revoked" {
			t.Fatalf("revoked: %s", code)
		}
	}
	if code := s.code(otherSecret(gone.Token), "10.0.0.2"); code != "401 token_invalid" {
		t.Errorf("who does not have the secret learns %s", code)
	}
	again, err := s.Revoke(t.Context(), Person{Actor: "local:7", Role: Admin}, gone.ID)
	if err != nil || again.RevokedBy != "local:0" || !again.Revoked.Equal(tokenDay) {
		t.Errorf("revoked twice it is %+v %v, want the first time", again, err)
	}
	if _, err := s.Revoke(t.Context(), localAdmin, "NOBODY22"); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
}

func TestATokenCannotMakeOneWithMoreThanItsOwn(t *testing.T) {
	s := newTokenSite(t)
	end := tokenDay.Add(30 * day)
	for _, tc := range []struct {
		name string
		by   Person
		want Wanted
		code string
	}{
		{"a viewer makes none", Person{Role: Viewer}, Wanted{Role: Viewer, Life: day}, "403 forbidden"},
		{"an operator makes none", Person{Role: Operator}, Wanted{Role: Viewer, Life: day}, "403 forbidden"},
		{"nobody makes none", Person{}, Wanted{Role: Viewer, Life: day}, "403 forbidden"},
		{"an admin makes an admin", Person{Role: Admin}, Wanted{Role: Admin, Life: day}, ""},
		{"no longer life", Person{Role: Admin, Expires: end}, Wanted{Role: Viewer, Life: 30*day + time.Second},
			"403 forbidden"},
		{"the same life", Person{Role: Admin, Expires: end}, Wanted{Role: Viewer, Life: 30 * day}, ""},
		{"no other collection", Person{Role: Admin, Collections: []string{"a", "b"}},
			Wanted{Role: Viewer, Life: day, Collections: []string{"a", "c", "d"}}, "403 out_of_scope"},
		{"not all clients", Person{Role: Admin, Collections: []string{"a"}}, Wanted{Role: Viewer, Life: day},
			"403 out_of_scope"},
		{"a part of its own", Person{Role: Admin, Collections: []string{"a", "b"}},
			Wanted{Role: Admin, Life: day, Collections: []string{"b"}}, ""},
		{"any collection of all", Person{Role: Admin}, Wanted{Role: Admin, Life: day, Collections: []string{"z"}}, ""},
	} {
		before := len(s.log.lines)
		_, err := s.Create(t.Context(), tc.by, tc.want)
		if code := codeOf(t, err); code != tc.code {
			t.Errorf("%s: %q, want %q", tc.name, code, tc.code)
		}
		if made := len(s.log.lines) > before; made != (tc.code == "") {
			t.Errorf("%s: the audit has a line: %v", tc.name, made)
		}
		if tc.name == "no other collection" && !strings.Contains(err.Error(), "2 collections") {
			t.Errorf("%s: %v has not the count", tc.name, err)
		}
	}
}

func TestACallerOfSomeCollectionsSeesAndRevokesOnlyTheirTokens(t *testing.T) {
	s := newTokenSite(t)
	all, a := s.make(Wanted{Role: Admin, Life: day}), s.make(Wanted{Role: Viewer, Life: day, Collections: []string{"a"}})
	by := Person{Actor: "token:X", Role: Admin, Collections: []string{"a"}}
	list, err := s.List(t.Context(), by)
	if err != nil || len(list) != 1 || list[0].ID != a.ID {
		t.Errorf("it sees %+v %v", list, err)
	}
	if _, err := s.Revoke(t.Context(), by, all.ID); codeOf(t, err) != "403 out_of_scope" {
		t.Errorf("another's token: %v", err)
	}
	if code := s.code(all.Token, "10.0.0.1"); code != "" {
		t.Errorf("it was revoked: %s", code)
	}
	if _, err := s.Revoke(t.Context(), by, a.ID); err != nil {
		t.Error(err)
	}
	if _, err := s.List(t.Context(), Person{Role: Operator}); codeOf(t, err) != "403 forbidden" {
		t.Errorf("an operator lists tokens: %v", err)
	}
	if _, err := s.Revoke(t.Context(), Person{Role: Operator}, all.ID); codeOf(t, err) != "403 forbidden" {
		t.Errorf("an operator revokes tokens: %v", err)
	}
}

func TestAWishThatMakesNoSenseIsRefused(t *testing.T) {
	s := newTokenSite(t)
	many := make([]string, maxScope+1)
	for i := range many {
		many[i] = fmt.Sprint("c", i)
	}
	for _, want := range []Wanted{
		{}, {Role: "root", Life: day}, {Role: Viewer}, {Role: Viewer, Life: -day}, {Role: Viewer, Life: time.Second},
		{Role: Viewer, Life: MaxAPITokenLife + 1}, {Role: Viewer, Life: day, Collections: []string{""}},
		{Role: Viewer, Life: day, Collections: []string{"a b"}}, {Role: Viewer, Life: day, Collections: []string{"a", "'"}},
		{Role: Viewer, Life: day, Collections: many}, {Role: Viewer, Life: day, Name: "a\nb"},
		{Role: Viewer, Life: day, Name: strings.Repeat("x", maxTokenName+1)}, {Role: Viewer, Life: day, Name: "\xff"},
	} {
		var wrong *control.InvalidError
		if _, err := s.Create(t.Context(), localAdmin, want); !errors.As(err, &wrong) {
			t.Errorf("%.80v: %v", want, err)
		}
	}
	if list, err := s.List(t.Context(), localAdmin); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
	s.make(Wanted{Role: Viewer, Life: MaxAPITokenLife, Name: strings.Repeat("ü", maxTokenName), Collections: many[1:]})
}

func TestNothingIsDoneThatTheAuditDoesNotTake(t *testing.T) {
	s := newTokenSite(t)
	made := s.make(Wanted{Role: Viewer, Life: day})
	s.log.refuse = errors.New("no space left on device")
	_, err := s.Create(t.Context(), localAdmin, Wanted{Role: Viewer, Life: day})
	if codeOf(t, err) != "503 audit_unavailable" {
		t.Errorf("create: %v", err)
	}
	if _, err := s.Revoke(t.Context(), localAdmin, made.ID); codeOf(t, err) != "503 audit_unavailable" {
		t.Errorf("revoke: %v", err)
	}
	if _, err := s.List(t.Context(), localAdmin); codeOf(t, err) != "503 audit_unavailable" {
		t.Errorf("list: %v", err)
	}
	s.log.refuse = nil
	s.log.before = func(a audit.Action) { // the effect is not there while the line is written
		if list := s.rows(); len(list) != 1 || !list[0].Revoked.IsZero() {
			t.Errorf("%s: it was done before it was noted: %+v", a.Action, list)
		}
	}
	s.make(Wanted{Role: Viewer, Life: day})
	s.log.before = nil
	got := s.log.lines[len(s.log.lines)-1]
	if got.Action != "token.create" || got.Actor != "local:0" || got.Role != "admin" ||
		!strings.HasPrefix(got.Object, "token:") || len(got.Params) == 0 {
		t.Errorf("the line is %+v", got)
	}
	if !slices.Equal(s.log.ends, []string{"done", "done"}) {
		t.Errorf("outcomes %q", s.log.ends)
	}
	if _, err := s.Revoke(t.Context(), localAdmin, "NOBODY22"); err == nil || s.log.ends[len(s.log.ends)-1] != "failed" {
		t.Errorf("outcomes %q", s.log.ends)
	}
}

// rows are the kept tokens, read past the audit.
func (s *tokenSite) rows() (list []APIToken) {
	s.t.Helper()
	err := s.db.View(func(tx *bbolt.Tx) error {
		return eachAPIToken(tx, func(k keptToken) error { list = append(list, k.APIToken); return nil })
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

func TestTokensThatEndedLongAgoAreForgotten(t *testing.T) {
	s := newTokenSite(t)
	s.make(Wanted{Role: Viewer, Life: day})
	s.at = tokenDay.Add(day + apiTokenKept)
	s.make(Wanted{Role: Viewer, Life: day})
	if n := len(s.rows()); n != 2 {
		t.Errorf("%d tokens 90 days after the end of one", n)
	}
	s.at = s.at.Add(time.Second)
	s.make(Wanted{Role: Viewer, Life: day})
	if n := len(s.rows()); n != 2 {
		t.Errorf("%d tokens, want the newer two", n)
	}
}

func FuzzReadClaim(f *testing.F) {
	for _, text := range []string{"", "swt_AAAAAAAA_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "swt__", "swt_AAAAAAAA",
		"swt_AAAAAAAA__-__AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		f.Add(text)
	}
	empty := readClaim("", "")
	f.Fuzz(func(t *testing.T, text string) {
		c := readClaim(text, "from")
		if c.ID == "" && c.Hash != empty.Hash {
			t.Errorf("%q is no token and has a hash of its own", text)
		}
		if c.ID != "" && !strings.HasPrefix(text, "swt_"+c.ID+"_") {
			t.Errorf("%q has the id %q", text, c.ID)
		}
	})
}
