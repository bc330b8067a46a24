package collections

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
	"statewire/store/storetest"
)

// What is kept of a saved query are its members as of the latest look; only what differs is written.
func TestMembersOfASavedQueryAreKept(t *testing.T) {
	db := storetest.New(t)
	s := New(db, slog.New(slog.DiscardHandler), time.Now)
	exec := func(statement string) {
		t.Helper()
		if err := db.Conn().Exec(db.InsertContext(t.Context()), statement); err != nil {
			t.Fatal(err)
		}
	}
	texts := func(query string) (out []string) {
		t.Helper()
		err := db.EachRow(t.Context(), query, nil, func(scan func(...any) error) error {
			var text string
			err := scan(&text)
			out = append(out, text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	has := func(when string, want ...string) {
		t.Helper()
		if got := texts("SELECT concat(name, right(toString(client_id), 1)) FROM collection_members ORDER BY 1"); !slices.Equal(
			got, want) {
			t.Errorf("%s: members are %v, want %v", when, got, want)
		}
	}
	report := func(client string) {
		exec("INSERT INTO client_reports (client_id, received_time) VALUES ('00000000-0000-4000-8000-00000000000" + client +
			"', now64(6))")
	}
	create := func(spec Spec) {
		t.Helper()
		spec.Replace = true
		if _, err := s.Create(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	keep := func() {
		t.Helper()
		if err := s.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	report("1")
	report("2")
	create(Spec{Name: "all", Query: "SELECT client_id FROM clients_seen"})
	has("at once", "all1", "all2")
	report("3")
	keep()
	has("after a look", "all1", "all2", "all3")
	written := texts("SELECT concat(toString(count()), ' ', toString(max(version))) FROM collection_now")
	keep()
	if again := texts("SELECT concat(toString(count()), ' ', toString(max(version))) FROM collection_now"); !slices.Equal(
		again, written) {
		t.Errorf("a look without a change wrote: %v, then %v", written, again)
	}
	create(Spec{Name: "all", Query: "SELECT client_id FROM clients_seen WHERE toString(client_id) LIKE '%2'"})
	has("replaced", "all2")
	exec("INSERT INTO client_retirements (client_id, state, version) VALUES ('00000000-0000-4000-8000-000000000002', " +
		"'retired', 1)")
	keep()
	has("retired")
	create(Spec{Name: "all", Clients: []smx.ClientID{smx.ClientID(uuid.MustParse("00000000-0000-4000-8000-000000000001"))}})
	has("a list now", "all1")
	create(Spec{Name: "late", Query: "SELECT client_id FROM clients_seen"})
	exec("INSERT INTO collections (name, revision, kind, query) VALUES ('wrong', 1, 'query', 'SELECT nothing')")
	report("4")
	if err := s.Keep(t.Context()); err == nil {
		t.Error("a query that does not work is no error")
	}
	has("with one that does not work", "all1", "late1", "late3", "late4")
	if err := s.Delete(t.Context(), "late"); err != nil {
		t.Fatal(err)
	}
	if left := texts("SELECT name FROM collection_now WHERE name = 'late'"); len(left) > 0 {
		t.Errorf("%d rows are left of a collection that was deleted", len(left))
	}
}
