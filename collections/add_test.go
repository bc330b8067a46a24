package collections

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/internal/control"
	"statewire/smx"
	"statewire/store/storetest"
)

func TestClientsAreAddedToAList(t *testing.T) {
	s := New(storetest.New(t), slog.New(slog.DiscardHandler), time.Now)
	k := &keeper{}
	s.Follow(k)
	adders := []interface {
		Add(context.Context, string, []smx.ClientID) error
	}{s, overSocket(t, s).(*Client)}
	add := func(name string, from, to byte) {
		t.Helper()
		var clients []smx.ClientID
		for i := from; i <= to; i++ {
			clients = append(clients, smx.ClientID{15: i}, smx.ClientID{15: i})
		}
		if err := adders[int(from)%2].Add(t.Context(), name, clients); err != nil {
			t.Fatal(err)
		}
	}
	has := func(name string, want ...byte) {
		t.Helper()
		c, members, err := s.Show(t.Context(), name)
		var got []byte
		for _, m := range members {
			got = append(got, m[15])
		}
		list, err2 := s.named(t.Context(), name)
		if err != nil || err2 != nil || c.Kind != kindList || !slices.Equal(got, want) || list[0].Clients != uint64(len(want)) {
			t.Errorf("%s has %v, want %v; %+v %v %v", name, got, want, list, err, err2)
		}
	}
	add("new", 1, 3)
	has("new", 1, 2, 3)
	if len(k.told) == 0 {
		t.Error("nobody was told that a list has other clients")
	}
	add("new", 3, 4) // one of them again
	has("new", 1, 2, 3, 4)
	before, err := s.Get(t.Context(), "new")
	if err != nil {
		t.Fatal(err)
	}
	add("new", 5, 5)
	if after, err := s.Get(t.Context(), "new"); err != nil || after.Revision != before.Revision ||
		!after.Changed.After(before.Changed) {
		t.Errorf("%+v after %+v, %v: the list was written anew, or its change has no time", after, before, err)
	}
	if _, err := s.Create(t.Context(), Spec{Name: "new", Clients: []smx.ClientID{{15: 9}}, Replace: true}); err != nil {
		t.Fatal(err)
	}
	has("new", 9)
	add("new", 1, 1)
	has("new", 1, 9)
	if err := s.Delete(t.Context(), "new"); err != nil {
		t.Fatal(err)
	}
	add("new", 2, 2)
	has("new", 2)

	if _, err := s.Create(t.Context(), Spec{Name: "query", Query: "SELECT toUUID('" + (smx.ClientID{15: 1}).UUID() +
		"') AS client_id"}); err != nil {
		t.Fatal(err)
	}
	for _, a := range adders {
		for name, text := range map[string]string{"query": "saved query", "../x": "not allowed", "": "not allowed"} {
			for _, clients := range [][]smx.ClientID{nil, {{15: 2}}} {
				err := a.Add(t.Context(), name, clients)
				if !errors.As(err, new(*control.InvalidError)) || !strings.Contains(err.Error(), text) {
					t.Errorf("%T: %d clients into %q: %v", a, len(clients), name, err)
				}
			}
		}
		if err := a.Add(t.Context(), "none", nil); err != nil {
			t.Errorf("asked whether a list could be made: %v", err)
		}
		if _, err := s.Get(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("asked only, a list was made: %v", err)
		}
	}
	if err := s.Add(t.Context(), "new", make([]smx.ClientID, MaxMembers)); !errors.As(err, new(*control.InvalidError)) {
		t.Errorf("more than a list holds: %v", err)
	}
}
