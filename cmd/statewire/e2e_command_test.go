package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/inbox"
	"statewire/site"
	"statewire/smx"
)

// mixedFolder is a folder as an administrator copies it: encodings, letter cases and folders below it mixed, with a bad
// file, a bad record and something that is no report.
func mixedFolder(t testing.TB, l *ledger) string {
	t.Helper()
	dir := filepath.Join(dataDir(t), "copied")
	write := func(name string, data []byte) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	utf8BOM := func(doc []byte) []byte { return append([]byte("\xEF\xBB\xBF"), doc...) }
	spellings := []func([]byte) []byte{
		func(doc []byte) []byte { return doc },
		utf8BOM,
		func(doc []byte) []byte { return smx.EncodeUTF16(nil, doc, false) },
		func(doc []byte) []byte { return smx.EncodeUTF16(nil, doc, true) },
	}
	for n := range 40 {
		r, keys := report(n%10, int8(n%4)*3-1, uint64(n/10)*5+1, uint64(n/10)*5+5)
		l.ack(keys, fmt.Sprint("file ", n)) // what load says it loaded must be there
		name := []string{"%d.SMX", "%d.smx", "below/%d.SMX", "%d.xml"}[n/10]
		write(fmt.Sprintf(name, n), spellings[n%len(spellings)](smx.AppendReport(nil, r)))
	}
	l.receipts = map[string]int{} // copied files have none
	r, keys := report(3, smx.NoPriority, 100, 102)
	l.ack(keys[:2], "")
	delete(l.receipts, "")
	write("one-bad-record.SMX",
		[]byte(strings.Replace(string(smx.AppendReport(nil, r)), `SerialNumber="102"`, `SerialNumber="0x66"`, 1)))
	write("bad.SMX", []byte("<Report><ReportHeader>"))
	write("notes.txt", []byte("copied on Friday"))
	return dir
}

// A folder of copied files in mixed encodings loads, and loading it twice changes no answer.
func TestLoadingTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	data, l := dataDir(t), newLedger()
	folder := mixedFolder(t, l)
	counts := func() [][]string {
		return query(t, data, `SELECT (SELECT count() FROM current_states) AS states, (SELECT uniqExact(client_id, serial) FROM state_messages) AS messages,
			(SELECT count() FROM state_messages FINAL) AS merged, (SELECT count() FROM clients) AS clients, (SELECT count() FROM SR_ClientMessageStats) AS stats`)
	}
	var first [][]string
	for round, want := range []map[string]float64{
		{"files": 42, "messages": 203, "duplicates": 0, "invalid_records": 1, "bad_files": 1, "skipped_files": 1},
		{"files": 42, "messages": 203, "duplicates": 202, "invalid_records": 1, "bad_files": 1, "skipped_files": 1},
	} {
		var got map[string]any
		r := command(t, data, "--format", "json", "load", "--create", folder)
		if err := json.Unmarshal([]byte(r.out), &got); err != nil {
			t.Fatal(err)
		}
		said := strings.Split(strings.TrimSpace(r.errOut), "\n")
		if r.code != cli.ExitFailed || len(said) != 3 || !strings.Contains(said[2], "`statewire dead list`") ||
			!strings.HasPrefix(said[0], folder+"/bad.SMX: line 1, column 23: ") ||
			!strings.HasPrefix(said[1], folder+"/one-bad-record.SMX: ") || !strings.Contains(said[1], "SerialNumber") {
			t.Errorf("load %d ended with %d and said %q, want a line for the bad file and one for the bad record", round+1,
				r.code, said)
		}
		for name, n := range want {
			if got[name] != n {
				t.Errorf("load %d says %s = %v, want %v", round+1, name, got[name], n)
			}
		}
		l.check(t, data)
		if round == 0 {
			first = counts()
		} else if again := counts(); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Errorf("loading again changed the counts from %v to %v", first, again)
		}
		if left := waiting(t, data); len(left) > 0 {
			t.Errorf("files wait after load: %v", left)
		}
	}
	for _, want := range []string{"bad.SMX", "one-bad-record.SMX.0.SMX"} {
		names := corrupt(t, data)
		if !slices.ContainsFunc(names, func(path string) bool {
			return strings.HasPrefix(filepath.Base(path), strings.TrimSuffix(want, "0.SMX"))
		}) {
			t.Errorf("corrupt holds %v, want %s", names, want)
		}
	}
}

// Exit codes are 0 done, 1 failed, 2 wrong usage or configuration, with one plain line that says what to do.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	empty := filepath.Join(data, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		data string
		args []string
		code int
		says string
	}{
		{"help", data, []string{"--help"}, 0, ""},
		{"good configuration", data, []string{"config", "check"}, 0, ""},
		{"an empty folder is done at once", data, []string{"load", "--create", empty}, 0, ""},
		{"rows", data, []string{"sql", "SELECT 1"}, 0, ""},
		{"no data directory", filepath.Join(data, "none"), []string{"ingest", "--once"}, cli.ExitFailed, "--create"},
		{"no such file", data, []string{"load", filepath.Join(data, "nowhere.SMX")}, cli.ExitFailed, "nowhere.SMX"},
		{"SQL that is wrong", data, []string{"sql", "SELECT nothing"}, cli.ExitFailed, "nothing"},
		{"SQL that writes", data, []string{"sql", "DROP TABLE state_messages"}, cli.ExitFailed, ""},
		{"unknown command", data, []string{"frobnicate"}, cli.ExitUsage, "frobnicate"},
		{"unknown subcommand", data, []string{"resync", "frobnicate"}, cli.ExitUsage, "`statewire resync --help`"},
		{"a flag that takes a number", data, []string{"trace", "PC-1", "--serial", "-1"}, cli.ExitUsage,
			`--serial is "-1"; write a whole number from 0`},
		{"a flag that takes a duration", data, []string{"fleet", "--for", "soon"}, cli.ExitUsage,
			`--for: "soon" is not a duration; allowed are`},
		{"a flag with words of its own", data, []string{"resync", "list", "--within", "soon"}, cli.ExitUsage,
			`--within: "soon" is not a duration; allowed are`},
		{"nobody to accept", data, []string{"resync", "accept"}, cli.ExitUsage, "--all"},
		{"an empty collection", data, []string{"collection", "create", "x"}, cli.ExitUsage, "--query"},
		{"unknown flag", data, []string{"serve", "--fast"}, cli.ExitUsage, "--fast"},
		{"unknown role", data, []string{"serve", "--roles", "cook"}, cli.ExitUsage, "cook"},
		{"unknown format", data, []string{"--format", "xls", "sql", "SELECT 1"}, cli.ExitUsage, "xls"},
		{"unknown report", data, []string{"report", "nothing-like-it"}, cli.ExitUsage, "nothing-like-it"},
		{"no file to load", data, []string{"load"}, cli.ExitUsage, "file"},
		{"ingest without --once", data, []string{"ingest"}, cli.ExitUsage, "--once"},
		{"another role's wrong value, for rows", data, []string{"sql", "SELECT 1", "--set", "relay.auth=none"}, 0, ""},
		{"another role's wrong value, for an agent", data, []string{"agent", "run", "--set", "relay.auth=none"},
			cli.ExitUsage, "agent.relay is empty"},
		{"another role's wrong value, for a whole site", data,
			[]string{"config", "check", "--set", "agent.send_interval=often"}, cli.ExitUsage, "agent.send_interval"},
		{"wrong value", data, []string{"serve", "--set", "ingest.loader_threads=0"}, cli.ExitUsage, "ingest.loader_threads"},
		{"unknown key", data, []string{"config", "check", "--set", "ingest.speed=9"}, cli.ExitUsage, "ingest.speed"},
		{"no client certificates on an open address", data, []string{"serve", "--set", "relay.listen=0.0.0.0:0"},
			cli.ExitUsage, "relay.auth"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := command(t, tc.data, tc.args...)
			if r.code != tc.code {
				t.Errorf("ended with %d, want %d; it said %q", r.code, tc.code, r.errOut)
			}
			if !strings.Contains(r.errOut, tc.says) {
				t.Errorf("it said %q, want %q in it", r.errOut, tc.says)
			}
			if lines := strings.Count(r.errOut, "\n"); (tc.code != 0) != (lines == 1) {
				t.Errorf("it said %d lines: %q", lines, r.errOut)
			}
		})
	}
}

// A file of reports.dir that is no report is the business of who asks for it, and of the site's log.
func TestAReportThatWasLeftOut(t *testing.T) {
	t.Parallel()
	data, dir := dataDir(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine.sql"), []byte("SELECT 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := command(t, data, "report", "mine", "--set", "reports.dir="+dir)
	if r.code != cli.ExitUsage || !strings.Contains(r.errOut, "mine.sql:1: ") {
		t.Errorf("it ended with %d and said %q", r.code, r.errOut)
	}
	done(t, data, "ingest", "--once", "--create")
	if r := command(t, data, "sql", "SELECT 1", "--set", "reports.dir="+dir); r.code != 0 || r.errOut != "" {
		t.Errorf("another question ended with %d and said %q", r.code, r.errOut)
	}
}

// status ends with 0 ok, 1 warning, 2 critical or 3 unknown.
func TestStatusCodes(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	expect := func(when string, want cli.Health, args ...string) {
		t.Helper()
		if r := command(t, data, append([]string{"status"}, args...)...); r.code != int(want) {
			t.Errorf("%s: status ended with %d, want %d (%v): %s%s", when, r.code, want, want, r.out, r.errOut)
		}
	}
	if r := command(t, filepath.Join(data, "none"), "status"); r.code != int(cli.HealthUnknown) {
		t.Errorf("no data directory: status ended with %d, want %d: %s", r.code, cli.HealthUnknown, r.errOut)
	}
	s := serve(t, data)
	s.awaitReady()
	expect("running", cli.HealthOK)
	expect("disk below the reserve", cli.HealthCritical, "--set", "relay.disk_reserve=1000000GiB")
	s.signal(syscall.SIGTERM)
	s.wait(patience)
	expect("stopped", cli.HealthUnknown)
	expect("stopped, and the disk below the reserve: critical beats unknown", cli.HealthCritical, "--set",
		"relay.disk_reserve=1000000GiB")
}

// How long files wait decides, and whether anybody loads them.
func TestBacklogCheck(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		name   string
		files  int
		age    time.Duration
		loader bool
		want   cli.Health
	}{
		{"none", 0, 0, false, cli.HealthOK},
		{"one that is loaded in a moment", 1, 0, true, cli.HealthOK},
		{"one that nobody loads", 1, 0, false, cli.HealthWarning},
		{"one that nobody loads, for a moment less than the grace", 1, site.LoaderGrace - time.Second, false,
			cli.HealthWarning},
		{"one that nobody loads, for the grace", 1, site.LoaderGrace, false, cli.HealthCritical},
		{"for half an hour", 1, backlogWarning, true, cli.HealthOK},
		{"for longer", 1, backlogWarning + time.Second, true, cli.HealthWarning},
		{"for three hours", 1, backlogCritical, true, cli.HealthWarning},
		{"for hours", 1, backlogCritical + time.Second, true, cli.HealthCritical},
	} {
		if got := backlogCheck(inbox.Box{Files: tc.files, Oldest: now.Add(-tc.age)}, now, tc.loader); got.health != tc.want {
			t.Errorf("%s: %v, want %v: %s", tc.name, got.health, tc.want, got.detail)
		}
	}
}

// A store that a newer version has migrated is refused by every command, and nothing in it is touched.
func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	s := serve(t, data)
	to, l := s.poster(), newLedger()
	to.accept(t, l, 1, 1, 3)
	s.awaitDrained()
	l.check(t, data)
	through := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn,
		error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(data, "statewire.sock"))
	}}}
	schema := func(sql string) {
		t.Helper()
		resp, err := through.Post("http://statewire/clickhouse/?database=statewire", "text/plain", strings.NewReader(sql))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s: %s", sql, resp.Status, text)
		}
	}
	schema("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	to.accept(t, l, 1, 4, 6)
	s.awaitDrained()
	through.CloseIdleConnections()
	s.kill()

	drop := filepath.Join(boxOf(data), "incoming", "waits.SMX")
	r, _ := report(1, smx.NoPriority, 7, 9)
	if err := os.WriteFile(drop, smx.AppendReport(nil, r), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"serve", "--roles", "ingest,resync,reports"}, {"serve", "--roles", "ingest"},
		{"ingest", "--once"}, {"sql", "SELECT 1"}} {
		if r := command(t, data, args...); r.code != cli.ExitFailed || !strings.Contains(r.errOut, "99999") ||
			!strings.Contains(r.errOut, "newer") {
			t.Errorf("%v ended with %d: %q; want a refusal that names version 99999", args, r.code, r.errOut)
		}
	}
	if r := command(t, data, "status"); r.code != int(cli.HealthUnknown) ||
		!strings.Contains(r.out, "no site runs; stored bytes ") {
		t.Errorf("status ended with %d: %s", r.code, r.out)
	}
	if _, err := os.Stat(drop); err != nil {
		t.Errorf("the waiting file is gone: %v", err)
	}
	whole := &server{process: spawn(t, data, nil, "serve"), data: data} // its relay goes on without the store
	whole.poster().accept(t, l, 2, 1, 2)
	critical := func() bool {
		r := command(t, data, "status")
		return r.code == int(cli.HealthCritical) && strings.Contains(r.out, "99999")
	}
	if !eventually(patience, critical) {
		t.Errorf("status of a site that waits for a repair: %s", command(t, data, "status").out)
	}
}

var dashboard = regexp.MustCompile(`Dashboard\s+(http://\S+)`)

// demo prints the dashboard's address, and its fleet's reports become rows.
func TestDemo(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	p := spawn(t, data, nil, "demo", "--clients", "40", "--patch-day", "1s")
	if !eventually(patience, func() bool { return dashboard.MatchString(p.output()) || p.ended() }) || p.ended() {
		t.Fatalf("no address was printed: %q", p.output())
	}
	began := time.Now()
	resp, err := http.Get(dashboard.FindStringSubmatch(p.output())[1])
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(page), "<html") {
		t.Errorf("the dashboard answers %s with %d bytes: %v", resp.Status, len(page), err)
	}
	if !eventually(patience, func() bool { return ask(t, data, "SELECT count() FROM current_states") > 0 }) {
		t.Errorf("no rows in current_states after %v", patience)
	}
	promised(t, time.Since(began), readyTime, "rows after the address was printed")
	if !eventually(patience, func() bool { return strings.Contains(p.output(), "The patch day is over after 1s") }) {
		t.Errorf("the end of the patch day is not said: %q", p.output())
	}
	p.signal(syscall.SIGINT)
	if code := p.wait(patience); code != 0 {
		t.Errorf("it ended with %d, want 0", code)
	}
	if said := p.output(); !strings.Contains(said, "Stopping.") || !strings.Contains(said, "Stopped. The data stays in "+
		data) {
		t.Errorf("it stops with %q", said)
	}
}
