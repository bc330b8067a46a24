package collections

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
	"statewire/store/storetest"
)

func TestAClientIsLookedForInListsAndQueries(t *testing.T) {
	s := New(storetest.New(t), slog.New(slog.DiscardHandler), time.Now)
	in := uuid.MustParse("f1000000-0000-0000-0000-000000000001")
	out := uuid.MustParse("f1000000-0000-0000-0000-000000000002")
	for _, spec := range []Spec{
		{Name: "list", Clients: []smx.ClientID{smx.ClientID(out)}},
		{Name: "list", Clients: []smx.ClientID{smx.ClientID(in)}, Replace: true}, // the former members are none any more
		{Name: "other", Clients: []smx.ClientID{smx.ClientID(out)}},
		{Name: "query", Query: "SELECT toUUID('" + in.String() + "') AS client_id"},
	} {
		if _, err := s.Create(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	// What a crash left of an older list has no say.
	if err := s.store.Conn().Exec(t.Context(), "INSERT INTO collection_clients (name, revision, client_id) VALUES "+
		"('list', 1, '"+out.String()+"')"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		names  []string
		client uuid.UUID
		has    bool
	}{
		{[]string{"list"}, in, true}, {[]string{"list"}, out, false}, {[]string{"other"}, in, false},
		{[]string{"query"}, in, true}, {[]string{"query"}, out, false}, {[]string{"gone"}, in, false},
		{[]string{"gone", "list"}, in, true}, {[]string{"query", "other"}, out, true}, {nil, in, false},
	} {
		if has, err := s.Has(t.Context(), tc.names, tc.client); err != nil || has != tc.has {
			t.Errorf("%s in %q: %v %v", tc.client, tc.names, has, err)
		}
	}
	if err := s.Delete(t.Context(), "list"); err != nil {
		t.Fatal(err)
	}
	if has, err := s.Has(t.Context(), []string{"list"}, in); has || err != nil {
		t.Errorf("in a deleted collection: %v %v", has, err)
	}
}
