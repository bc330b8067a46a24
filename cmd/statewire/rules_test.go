package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/collections"
	"statewire/configs"
	"statewire/inbox"
	"statewire/policies"
	"statewire/resync"
	"statewire/resync/gaps"
	"statewire/smx/policy"
	"statewire/store/storetest"
)

// Of two checks the worse one is the site's: critical beats unknown, which beats a warning.
func TestTheWorstCheckIsTheSites(t *testing.T) {
	order := []cli.Health{cli.HealthOK, cli.HealthWarning, cli.HealthUnknown, cli.HealthCritical}
	for i, a := range order {
		for j, b := range order {
			if got, want := cli.Worse(a, b), order[max(i, j)]; got != want {
				t.Errorf("of %v and %v the worse is %v, want %v", a, b, got, want)
			}
		}
	}
}

// What a flag does not name stays as it was, of a topic type, too.
func TestAFlagOfAPolicyChangesNothingElse(t *testing.T) {
	before := policies.Settings{Priority: 7, SendInterval: time.Hour, PolicyInterval: 2 * time.Hour, Relay: "https://r",
		Notifier: "n:1", Topics: []policy.Topic{
			{Type: 500, Paused: true, Interval: 4 * time.Hour}, {Type: 501, Paused: true}, {Type: 300, Interval: time.Hour}}}
	for _, tc := range []struct {
		name   string
		args   []string
		flags  policyFlags
		change func(*policies.Settings)
	}{
		{"resumed, with its interval", nil, policyFlags{resume: []uint32{500}},
			func(p *policies.Settings) { p.Topics[0].Paused = false }},
		{"resumed, without one", nil, policyFlags{resume: []uint32{501}},
			func(p *policies.Settings) { p.Topics = slices.Delete(p.Topics, 1, 2) }},
		{"paused, with its interval", nil, policyFlags{pause: []uint32{300}},
			func(p *policies.Settings) { p.Topics[2].Paused = true }},
		{"another interval, still paused", nil, policyFlags{intervals: []string{"500=1h"}},
			func(p *policies.Settings) { p.Topics[0].Interval = time.Hour }},
		{"no interval, still paused", nil, policyFlags{intervals: []string{"500=0s"}},
			func(p *policies.Settings) { p.Topics[0].Interval = 0 }},
		{"no interval, and not paused", nil, policyFlags{intervals: []string{"300=0s"}},
			func(p *policies.Settings) { p.Topics = p.Topics[:2] }},
		{"the priority", []string{"--priority=0"}, policyFlags{}, func(p *policies.Settings) { p.Priority = 0 }},
		{"the send interval", []string{"--send-interval=0s"}, policyFlags{},
			func(p *policies.Settings) { p.SendInterval = 0 }},
		{"the policy interval", []string{"--policy-interval=0s"}, policyFlags{},
			func(p *policies.Settings) { p.PolicyInterval = 0 }},
		{"the relay", []string{"--relay="}, policyFlags{}, func(p *policies.Settings) { p.Relay = "" }},
		{"the notifier", []string{"--notifier="}, policyFlags{}, func(p *policies.Settings) { p.Notifier = "" }},
	} {
		cmd := &cobra.Command{}
		for _, name := range policyChanges {
			cmd.Flags().String(name, "", "")
		}
		if err := cmd.ParseFlags(tc.args); err != nil {
			t.Fatal(err)
		}
		got, want := before, before
		got.Topics, want.Topics = slices.Clone(before.Topics), slices.Clone(before.Topics)
		if err := tc.flags.change(cmd, &got); err != nil {
			t.Fatal(err)
		}
		tc.change(&want)
		for _, p := range []*policies.Settings{&got, &want} {
			slices.SortFunc(p.Topics, func(a, b policy.Topic) int { return int(a.Type) - int(b.Type) })
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, want)
		}
	}
}

// Whoever waits for the running site waits for each of its files, whatever their lane.
func TestWaitingForTheSiteEndsWithTheLastFileOfAnyLane(t *testing.T) {
	config := inbox.DefaultConfig()
	root := filepath.Join(t.TempDir(), "statesys.box")
	dir, err := config.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	paths := []string{"incoming/a.SMX", "incoming/high/b.SMX", "incoming/low/c.SMX", "incoming/low/d.SMW"}
	for _, path := range paths {
		if err := os.WriteFile(filepath.Join(root, path), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := dir.Waiting()
	if err != nil || len(files) != len(paths) {
		t.Fatalf("%v, %v", files, err)
	}
	var left []int
	// the site loads one between two looks, those of the low lane last
	if err := await(t.Context(), dir, files, func(n int) {
		left = append(left, n)
		if err := os.Remove(filepath.Join(root, paths[len(paths)-n])); err != nil {
			t.Error(err)
		}
	}); err != nil || !slices.Equal(left, []int{4, 3, 2, 1}) {
		t.Errorf("waited while %v were left, %v", left, err)
	}
}

// Files of a folder that look like reports, in any letter case, and what was named, whatever its name.
func TestWhatLoadFinds(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a.SMX", "b.smw", "c.SMW", "below/d.Xml", "e.txt", "f", "g.SMX.tmp", ".smx"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := findReports([]string{root, filepath.Join(root, "e.txt")})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found.files {
		name, err := filepath.Rel(root, f.path)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if want := []string{".smx", "a.SMX", "b.smw", "below/d.Xml", "c.SMW", "e.txt"}; !slices.Equal(
		slices.Sorted(slices.Values(names)), want) || found.skipped != 3 {
		t.Errorf("found %v, skipped %d; want %v, 3", names, found.skipped, want)
	}
}

// The columns of `resync list` and `resync check` say of each row what is known of it.
func TestResyncsAndGapsAsCSV(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	g := &globals{Globals: cli.Globals{Format: "csv"}}
	read := func(what string, write func(*bytes.Buffer) error) (rows []map[string]string) {
		t.Helper()
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		lines, err := csv.NewReader(&out).ReadAll()
		if err != nil || len(lines) == 0 {
			t.Fatalf("%s: %v, %v", what, lines, err)
		}
		for _, line := range lines[1:] {
			row := map[string]string{}
			for i, cell := range line {
				row[lines[0][i]] = cell
			}
			rows = append(rows, row)
		}
		return rows
	}
	compare := func(what string, row map[string]string, want string) {
		t.Helper()
		for pair := range strings.FieldsSeq(want) {
			column, cell, _ := strings.Cut(pair, "=")
			if got, there := row[column]; !there || got != cell {
				t.Errorf("%s: %s is %q, want %q: %v", what, column, got, cell, row)
			}
		}
	}
	list := []resync.Status{
		{Client: "GUID:1", Name: "PC-1", Number: 3, Reason: "requested", By: "ann", NextSerial: 41, Step: "completed",
			Age:    90 * time.Minute,
			Issued: at, PickedUp: at.Add(time.Minute), Answering: at.Add(2 * time.Minute), Completed: at.Add(3 * time.Minute)},
		{Client: "GUID:2", Name: "PC-2", Number: 1, Reason: "missing", NextSerial: 7, Step: "unanswered",
			Issued: at.Add(time.Hour), Expired: at.Add(4 * time.Hour)},
	}
	rows := read("list", func(out *bytes.Buffer) error { return g.writeStatuses(out, list) })
	if len(rows) != 2 {
		t.Fatalf("%v", rows)
	}
	compare("a resync", rows[0],
		"client_id=GUID:1 netbios_name=PC-1 number=3 reason=requested by=ann next_serial=41 step=completed "+
			"age_seconds=5400.000 "+
			"issued_time=2026-03-01T12:00:00Z picked_up_time=2026-03-01T12:01:00Z answering_time=2026-03-01T12:02:00Z "+
			"completed_time=2026-03-01T12:03:00Z expired_time=")
	compare("one without an answer", rows[1],
		"client_id=GUID:2 number=1 reason=missing by= next_serial=7 step=unanswered age_seconds=0.000 "+
			"issued_time=2026-03-01T13:00:00Z picked_up_time= answering_time= completed_time= expired_time=2026-03-01T16:00:00Z")

	check := resync.Result{
		Gaps:   gaps.Found{Rows: []gaps.Gap{{Client: uuid.UUID{15: 1}, First: 4, Last: 6, Detected: at, Jump: true}}},
		Issued: []resync.Issued{{Client: "GUID:2", Number: 2, Reason: "conflict", NextSerial: 9, Time: at.Add(time.Minute)}},
		Held:   []resync.Held{{Client: "GUID:3", Reason: "missing", Since: at.Add(time.Hour), Hold: "age"}},
	}
	if rows = read("check", func(out *bytes.Buffer) error { return g.writeCheck(out, check) }); len(rows) != 3 {
		t.Fatalf("%v", rows)
	}
	compare("a gap", rows[0],
		"what=gap client_id=00000000-0000-0000-0000-000000000001 first_serial=4 last_serial=6 "+
			"detected_time=2026-03-01T12:00:00Z reason= hold= number= next_serial= issued_time= serial_jump=true")
	compare("a resync", rows[1],
		"what=issued client_id=GUID:2 first_serial= last_serial= detected_time= reason=conflict hold= number=2 "+
			"next_serial=9 issued_time=2026-03-01T12:01:00Z serial_jump=")
	compare("a client that was not asked", rows[2],
		"what=held client_id=GUID:3 first_serial= detected_time=2026-03-01T13:00:00Z reason=missing hold=age number= "+
			"issued_time= serial_jump=")
}

// The relay refuses reports when either runs out: space or inodes.
func TestADiskWithoutSpaceOrInodesIsCritical(t *testing.T) {
	config := inbox.DefaultConfig()
	dir, err := config.Open(filepath.Join(t.TempDir(), "statesys.box"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	bytes, inodes, err := dir.Free()
	if err != nil || inodes == 0 {
		t.Skip("this file system counts no inodes")
	}
	cfg := configs.Default()
	for _, tc := range []struct {
		name           string
		space, entries int64
		want           cli.Health
	}{
		{"there is enough of both", 1, 1, cli.HealthOK},
		{"too little space", int64(2 * bytes), 1, cli.HealthCritical},
		{"too few inodes", 1, int64(2 * inodes), cli.HealthCritical},
	} {
		cfg.Relay.DiskReserve, cfg.Relay.InodeReserve = tc.space, tc.entries
		if got := diskCheck(dir, cfg); got.health != tc.want {
			t.Errorf("%s: %v, want %v: %s", tc.name, got.health, tc.want, got.detail)
		}
	}
}

// A site that was restored is no healthy one until its clients are known again.
func TestARestoredSiteIsAWarning(t *testing.T) {
	db := storetest.New(t)
	if got := storeChecks(t.Context(), db); len(got) != 1 || got[0].health != cli.HealthOK {
		t.Errorf("a sound store: %+v", got)
	}
	for _, sql := range []string{
		"INSERT INTO restored_clients (client_id, last_serial, last_report_time, restored_time) SELECT generateUUIDv4(), " +
			"9, now64(6), now64(6)",
		"INSERT INTO store_events (kind, event_time, store_time) VALUES ('restored', now64(6), now64(6) - INTERVAL 1 DAY)",
	} {
		if err := db.Conn().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	got := storeChecks(t.Context(), db)
	if len(got) != 2 || got[0].health != cli.HealthOK || got[1].name != "restored" || got[1].health != cli.HealthWarning ||
		!strings.Contains(got[1].detail, "1 client has a gap") {
		t.Errorf("a restored store: %+v", got)
	}
}

// How many clients a saved query yields is known when it is run.
func TestASavedQueryHasNoNumberOfClients(t *testing.T) {
	for kind, want := range map[string]any{"list": uint64(5), "query": nil} {
		if got := members(collections.Collection{Kind: kind, Clients: 5}); got != want {
			t.Errorf("a %s has %v, want %v", kind, got, want)
		}
	}
}
