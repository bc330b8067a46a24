package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"statewire/inbox"
	"statewire/ingest"
	"statewire/smx"
	"statewire/store/storetest"
)

// A backlog has more names than one statement can hold.
func TestTheAccountLeavesOutWhatIsLoadedOfAnyNumberOfFiles(t *testing.T) {
	db := storetest.New(t)
	name := func(n int) string { return fmt.Sprintf("20260731T120000.%06dZ-%s.SMX", n, strings.Repeat("ab", 32)) }
	files := []waitingFile{{name: "dropped.SMX"}}
	for n := range 3*filesPerQuery + 1 {
		files = append(files, waitingFile{name: name(n)})
	}
	for _, loaded := range []string{name(7), name(3 * filesPerQuery), "dropped.SMX"} {
		err := db.Conn().Exec(t.Context(),
			"INSERT INTO client_reports (client_id, received_time, source_file) SELECT generateUUIDv4(), now64(6), $1", loaded)
		if err != nil {
			t.Fatal(err)
		}
	}
	left, _, err := unloaded(t.Context(), db, files)
	if err != nil || len(left) != 3*filesPerQuery || left[0].name != "dropped.SMX" || left[8].name != name(8) {
		t.Errorf("%d files are left, %v; want %d", len(left), err, 3*filesPerQuery)
	}
}

// Set-aside records that are tried again count as set aside until the store knows their end, whether the replay waits
// or is stored.
func TestWhatIsTriedAgainCountsOnce(t *testing.T) {
	dir, err := inbox.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	_, mended := badReport(1, 1)
	reason := []byte(`{"time":"2026-08-01T00:00:00Z","code":"bad_serial","records":[{"record":1},{"record":2}]}`)
	for name, text := range map[string][]byte{"f.SMX.1.SMX": mended, "f.SMX.1.SMX.reason.json": reason} {
		if err := os.WriteFile(filepath.Join(dir.Root(), "corrupt", name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	as, err := ingest.Replay(dir, "f.SMX.1.SMX", nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := waitingIn(dir, inbox.LaneFile{Lane: inbox.Normal, Name: as}, smx.NewDecoder())
	if err != nil || w.messages != 1 || w.again != 2 { // two records were set aside, the copy has three messages
		t.Errorf("%+v, %v", w, err)
	}
	db := storetest.New(t)
	for _, step := range []struct {
		insert      string
		left, again int
	}{
		{"", 1, 0},
		{"INSERT INTO client_reports (client_id, received_time, source_file) SELECT generateUUIDv4(), now64(6), $1", 0, 2},
		{"INSERT INTO set_aside_ends (name, until, received_time, replayed_as) SELECT 'f', now64(6), now64(6), $1", 0, 0},
	} {
		if step.insert != "" {
			if err := db.Conn().Exec(t.Context(), step.insert, as); err != nil {
				t.Fatal(err)
			}
		}
		left, again, err := unloaded(t.Context(), db, []waitingFile{w})
		if err != nil || len(left) != step.left || int(again) != step.again {
			t.Errorf("after %q %d files wait, %d records are stored; %v", step.insert, len(left), again, err)
		}
	}
}

// What arrived is the sum of what became of it, also while records that were tried again still count as set aside in
// the store.
func TestWhatArrivedIsTheSumOfWhatBecameOfIt(t *testing.T) {
	loaded := map[string]int64{"loaded": 10, "stored": 6, "duplicate": 1, "set_aside": 2, "dropped": 1, "bad_files": 3}
	got := map[string]any{}
	for _, f := range accountFields(loaded, 2, []waitingFile{{messages: 4, readable: true}, {}}) {
		got[f[0].(string)] = f[1]
	}
	want := map[string]any{"arrived": int64(12), "stored": int64(6), "duplicate": int64(1), "set_aside": int64(0),
		"dropped": int64(1), "waiting": int64(4), "bad_files": int64(3), "waiting_files": 2, "waiting_files_unread": 1}
	if !maps.Equal(got, want) {
		t.Errorf("the account is %v, want %v", got, want)
	}
}
