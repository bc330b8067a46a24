package main

import (
	"fmt"
	"strings"
	"testing"

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
		err := db.Conn().Exec(t.Context(), "INSERT INTO client_reports (client_id, received_time, source_file) SELECT generateUUIDv4(), now64(6), $1", loaded)
		if err != nil {
			t.Fatal(err)
		}
	}
	left, _, err := unloaded(t.Context(), db, files)
	if err != nil || len(left) != 3*filesPerQuery || left[0].name != "dropped.SMX" || left[8].name != name(8) {
		t.Errorf("%d files are left, %v; want %d", len(left), err, 3*filesPerQuery)
	}
}
