package collections

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"statewire/internal/control"
	"statewire/smx"
	"statewire/store/storetest"
)

// A collection that compliance is counted over is deleted only once no subject has it as its target.
func TestACollectionThatIsATargetStays(t *testing.T) {
	db, k := storetest.New(t), &keeper{}
	s := New(db, slog.New(slog.DiscardHandler), time.Now)
	s.Follow(k)
	if _, err := s.Create(t.Context(), Spec{Name: "servers", Clients: []smx.ClientID{{1}}}); err != nil {
		t.Fatal(err)
	}
	version := 0
	target := func(id, kind, title, collection string, deleted int) {
		t.Helper()
		version++
		if err := db.Conn().Exec(t.Context(), `INSERT INTO topic_titles (topic_id, source, kind, title, target, deleted, version)
			VALUES (?, 'file', ?, ?, ?, ?, ?)`, id, kind, title, collection, deleted, version); err != nil {
			t.Fatal(err)
		}
	}
	const kept = "collection servers is the target of %s: set another by `statewire target set KIND/ID --collection NAME`, " +
		"or take it away by `statewire target clear KIND/ID`, then delete it"
	refused := func(subjects string) {
		t.Helper()
		err := s.Delete(t.Context(), "servers")
		if err == nil || err.Error() != fmt.Sprintf(kept, subjects) || !errors.As(err, new(*control.InvalidError)) {
			t.Errorf("deleting it says %v", err)
		}
	}
	target("d-1", "deployment", "Office", "servers", 0)
	target("u-1", "update", "", "elsewhere", 0)
	refused("deployment/d-1 (Office)")
	target("u-0", "", "", "servers", 0) // nobody told of it, and nobody said what it is
	refused("update/u-0, deployment/d-1 (Office)")
	for n := range 5 {
		target(fmt.Sprintf("v-%d", n), "update", fmt.Sprintf("Patch %d", n), "servers", 0)
	}
	refused("update/u-0, deployment/d-1 (Office), update/v-0 (Patch 0), update/v-1 (Patch 1), update/v-2 (Patch 2) and 2 more")
	if _, err := s.Get(t.Context(), "servers"); err != nil || slices.Contains(k.told, "forget servers") {
		t.Errorf("after the refusals: %v, told %v", err, k.told)
	}
	for _, id := range []string{"d-1", "u-0", "v-0", "v-1", "v-2", "v-3"} {
		target(id, "", "", "", 0)
	}
	target("v-4", "", "", "servers", 1)
	if err := s.Delete(t.Context(), "servers"); err != nil {
		t.Errorf("a collection that is no target any more: %v", err)
	}
}
