package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/smx"
)

// engineOf asks the process that serves the store of a data directory, as its user may.
func engineOf(t *testing.T, data, sql string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(data, "statewire.sock"))
		}}}
	resp, err := client.Post("http://statewire/clickhouse/?database=statewire&default_format=TSV", "text/plain",
		strings.NewReader(sql))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s %v", sql, resp.Status, text, err)
	}
	return string(text)
}

// makeOlder takes the notes of the latest steps away: so an earlier version leaves the store, whose steps can all be
// repeated.
func makeOlder(t *testing.T, data string) {
	t.Helper()
	engineOf(t, data, "ALTER TABLE goose_db_version DELETE WHERE version_id > 58 SETTINGS mutations_sync = 2")
}

// oldReport drops a file with a report that a relay received days ago.
func oldReport(t *testing.T, data string) {
	t.Helper()
	r, _ := report(1, smx.NoPriority, 1, 3)
	checked, err := new(smx.Decoder).Check(smx.AppendReport(nil, r))
	if err != nil {
		t.Fatal(err)
	}
	text := smx.AppendFile(nil, []smx.Accepted{{
		Client: checked.Client, Received: time.Now().Add(
			-5 * 24 * time.Hour), Receipt: "old", Messages: checked.Messages, Body: checked.Body,
	}})
	dir := filepath.Join(boxOf(data), "incoming")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "old.SMX"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A site of an earlier version runs. Commands of this one answer and change nothing, whatever retention their
// configuration says.
func TestReadingCommandsChangeNothing(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	oldReport(t, data)
	done(t, data, "ingest", "--once", "--create")
	done(t, data, "collection", "create", "one", "--client", clientID(1).String())
	site := serve(t, data, "--roles", "reports")
	makeOlder(t, data)
	engineOf(t, data, "SYSTEM STOP MERGES") // which change how many rows there are
	state := func() string {
		return engineOf(t, data,
			"SELECT name, create_table_query, total_rows FROM system.tables WHERE database IN ('statewire', 'dbo') ORDER BY "+
				"database, name") +
			engineOf(t, data, "SELECT max(version_id) FROM goose_db_version")
	}
	before := state()
	if old := engineOf(t, data,
		"SELECT count(), max((SELECT max(version_id) FROM goose_db_version)) FROM state_messages WHERE received_time < "+
			"now() - INTERVAL 4 DAY"); old != "3\t58\n" {
		t.Fatalf("old messages and schema %q", old)
	}
	client := clientID(1).String()
	for _, args := range [][]string{
		{"status"}, {"report", "clients"}, {"sql", "SELECT count() FROM clients"}, {"explain", client}, {"trace", client,
			"--serial", "2"},
		{"resync", "list"}, {"resync", "check", "--dry-run"}, {"resync", "request", "--client", client, "--dry-run"},
		{"resync", "accept", "--all", "--dry-run"}, {"collection", "list"}, {"collection", "show", "one"}, {"policy", "list"},
	} {
		r := command(t, data, append(args, "--set", "store.retention=24h")...)
		if r.code != 0 && args[0] != "status" {
			t.Errorf("%v ended with %d: %s", args, r.code, r.errOut)
		}
		if said := strings.Count(r.errOut, "the site's store has schema 58, this program knows "); said != 1 ||
			!strings.HasSuffix(r.errOut, ": restart the site\n") {
			t.Errorf("%v said %q, want one warning", args, r.errOut)
		}
		if after := state(); after != before {
			t.Fatalf("%v changed the store: %q", args, changed(before, after))
		}
	}
	for _, args := range [][]string{{"ingest", "--once"}, {"resync", "check"},
		{"collection", "create", "two", "--client", client}} {
		if r := command(t, data, args...); r.code != cli.ExitFailed ||
			!strings.Contains(r.errOut, "`statewire store migrate`") {
			t.Errorf("%v ended with %d: %s", args, r.code, r.errOut)
		}
	}
	if r := command(t, data, "store", "migrate"); r.code != cli.ExitFailed ||
		!strings.Contains(r.errOut, fmt.Sprintf("process %d of the site", site.cmd.Process.Pid)) {
		t.Errorf("a migration under the running site ended with %d: %s", r.code, r.errOut)
	}
	if after := state(); after != before {
		t.Errorf("the store was changed: %q", changed(before, after))
	}
}

// changed are the lines of a text that another one lacks.
func changed(before, after string) []string {
	return slices.DeleteFunc(strings.Split(after, "\n"), func(line string) bool { return strings.Contains(before, line) })
}

// loadsNothing sees a store of an earlier version refuse a file before it is copied into the inbox.
func loadsNothing(t *testing.T, data string) {
	t.Helper()
	r, _ := report(2, smx.NoPriority, 1, 3)
	path := filepath.Join(dataDir(t), "given.SMX")
	if err := os.WriteFile(path, smx.AppendReport(nil, r), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := command(t, data, "load", path); r.code != cli.ExitFailed ||
		!strings.Contains(r.errOut, "`statewire store migrate`") {
		t.Errorf("load into a store of an earlier version ended with %d: %s", r.code, r.errOut)
	}
	if files, err := filepath.Glob(filepath.Join(boxOf(data), "incoming", "*.SMX")); len(files) > 0 || err != nil {
		t.Errorf("load left %v in the inbox, %v", files, err)
	}
}

// The first process that opens the engine waits for the one with the ingest role, which migrates through it. Without a
// site `store migrate` does it.
func TestWhoeverHasTheEngineLetsTheLoaderMigrate(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	early := spawn(t, data, nil, "serve", "--roles", "reports") // before there is a store
	if !eventually(patience, func() bool {
		return early.logged("waiting for the process with the ingest role to make the store") != nil
	}) {
		t.Fatal("it does not wait")
	}
	loader := serve(t, data, "--roles", "ingest")
	if !eventually(patience, func() bool { return early.logged("site started") != nil }) {
		t.Error("the reports did not start once the store was made")
	}
	makeOlder(t, data)
	loader.signal(syscall.SIGTERM)
	loader.wait(patience)
	early.signal(syscall.SIGTERM)
	if code := early.wait(patience); code != 0 {
		t.Errorf("the reports ended with %d", code)
	}

	owner := spawn(t, data, nil, "serve", "--roles", "reports")
	if !eventually(patience, func() bool {
		return owner.logged("waiting for the process with the ingest role to migrate the store") != nil
	}) {
		t.Fatal("it does not wait")
	}
	again := serve(t, data, "--roles", "ingest")
	if open := again.logged("store open"); open == nil || open["engine"] != "socket" ||
		again.logged("store migrated") == nil {
		t.Errorf("the loader did not migrate through the owner of the engine: %v", open)
	}
	if !eventually(patience, func() bool { return owner.logged("site started") != nil }) {
		t.Error("the reports did not start once the store was migrated")
	}
	makeOlder(t, data)
	again.kill()
	owner.signal(syscall.SIGTERM)
	owner.wait(patience)
	loadsNothing(t, data)
	if out := done(t, data, "--format", "json", "store", "migrate"); !strings.Contains(out, `"schema_before": 58`) {
		t.Errorf("the migration says %s", out)
	}
	if r := command(t, data, "sql", "SELECT 1"); r.code != 0 || r.errOut != "" {
		t.Errorf("afterwards a command ended with %d and said %q", r.code, r.errOut)
	}
}
