package identity

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/internal/control"
	"statewire/trust"
)

// members is the lists of a site, or an error.
type members struct {
	of    map[string][]uuid.UUID
	calls int
	err   error
	added func()
	actor string
}

func (m *members) Add(ctx context.Context, name string, clients []uuid.UUID) error {
	if m.err != nil {
		return m.err
	}
	if name == "query" {
		return control.Invalid("query is no list")
	}
	if len(clients) == 0 {
		return nil
	}
	m.calls++
	m.actor = control.WhoOf(ctx).Actor
	m.of[name] = append(m.of[name], clients...)
	if m.added != nil {
		m.added()
	}
	return nil
}

func (m *members) equal(t *testing.T, name string, want ...uuid.UUID) {
	t.Helper()
	slices.SortFunc(want, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	if !slices.Equal(m.of[name], want) {
		t.Errorf("%s has %v, want %v", name, m.of[name], want)
	}
}

func TestClientsComeIntoTheListOfTheirToken(t *testing.T) {
	s, to := newSite(t), &members{of: map[string][]uuid.UUID{}}
	s.deps.Lists = to
	enrol := func(spec TokenSpec, client string) uuid.UUID {
		t.Helper()
		answer, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, spec), ClientID: client})
		if err != nil {
			t.Fatal(err)
		}
		return caller(t, answer.Certificate).Client
	}
	var many []uuid.UUID
	for range 20 {
		many = append(many, enrol(TokenSpec{Collection: "many"}, ""))
	}
	one, none := enrol(TokenSpec{Collection: "one"}, ""), enrol(TokenSpec{}, "")
	if len(to.of) > 0 {
		t.Error("a client was added while it enrolled")
	}

	to.err = errors.New("the store is away")
	s.join(t.Context())
	to.err = nil
	s.Close()
	s.start(t, EnrollConfig{}) // who waits is not forgotten
	s.deps.Lists = to
	s.join(t.Context())
	to.equal(t, "many", many...)
	to.equal(t, "one", one)
	if to.calls != 2 || to.actor != siteActor {
		t.Errorf("22 clients of 2 lists took %d changes, by %s", to.calls, to.actor)
	}
	s.join(t.Context())
	if to.calls != 2 {
		t.Errorf("clients were added again: %d changes", to.calls)
	}

	// Enrolled again: the token of the last enrolment counts, and a client that was deleted comes into none.
	enrol(TokenSpec{Collection: "former", Client: none}, "")
	enrol(TokenSpec{Client: none}, "")
	enrol(TokenSpec{Collection: "gone", Client: one}, "")
	if err := s.Deny(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	s.join(t.Context())
	if got := slices.Sorted(maps.Keys(to.of)); !slices.Equal(got, []string{"many", "one"}) {
		t.Errorf("lists %v", got)
	}
	enrol(TokenSpec{Collection: "a", Client: none}, "")
	to.added = func() { to.added = nil; enrol(TokenSpec{Collection: "b", Client: none}, "") }
	s.join(t.Context()) // enrolled again while it was added
	s.join(t.Context())
	to.equal(t, "a", none)
	to.equal(t, "b", none)

	// A list that takes nobody keeps no other one waiting.
	enrol(TokenSpec{Collection: "c"}, "")
	waits, err := s.joining()
	if err != nil || len(waits["c"]) != 1 || len(waits) != 1 {
		t.Errorf("%v wait, %v", waits, err)
	}
}

func TestATokenNamesAListThatCanBe(t *testing.T) {
	s, to := newSite(t), &members{of: map[string][]uuid.UUID{}}
	s.deps.Lists = to
	spec := TokenSpec{Uses: 1, Expires: time.Hour, Collection: "query"}
	if _, err := s.CreateToken(t.Context(), spec); !errors.As(err, new(*control.InvalidError)) {
		t.Errorf("for a saved query: %v", err)
	}
	if list, err := s.Tokens(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("%v %v", list, err)
	}
	to.err = errors.New("the store is away")
	if _, err := s.CreateToken(t.Context(), spec); err != nil {
		t.Errorf("while nobody knows: %v", err)
	}
}
