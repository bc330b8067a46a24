package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/site"
	"statewire/smx"
)

// A report that was posted over HTTPS is a row of current_states within ten seconds of the first one.
func TestReportsAreRowsWithinTenSeconds(t *testing.T) {
	data := dataDir(t)
	s := serve(t, data)
	s.awaitReady()
	began, l, to := time.Now(), newLedger(), s.poster()
	for client := range 20 {
		to.accept(t, l, client, 1, 5)
	}
	eventually(patience, func() bool { return ask(t, data, "SELECT count() FROM current_states") == 100 })
	promised(t, time.Since(began), readyTime, "100 posted messages as rows")
	l.check(t, data)
	if got := query(t, data, "SELECT ClientID, LastSerialNumber FROM SR_ClientMessageStats WHERE ClientID = '"+
		clientID(3).UUID()+"'"); got[0][1] != "5" {
		t.Errorf("the statistics of a client are %q, want its last serial 5", got)
	}
}

// Relay, loader and reports as three processes: the relay acknowledges while the others are dead, and what it took is
// loaded once they are back, whoever of them has the engine.
func TestSplitRolesOutliveEachOther(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	relay := serve(t, data, "--roles", "relay")
	to, l, next := relay.poster(), newLedger(), uint64(1)
	post := func(n int) {
		for range n {
			to.accept(t, l, 1, next, next+2)
			next += 3
		}
	}
	post(5) // before there is a loader at all
	ingest := serve(t, data, "--roles", "ingest")
	reports := serve(t, data, "--roles", "reports")
	reports.awaitReady()
	post(5)
	ingest.awaitDrained()
	l.check(t, data)

	ingest.kill() // it had the engine
	post(20)
	if n := len(waiting(t, data)); n == 0 {
		t.Error("nothing waits though no loader runs")
	}
	again := serve(t, data, "--roles", "ingest")
	again.awaitDrained()
	l.check(t, data)

	reports.kill()
	again.kill()
	serve(t, data, "--roles", "reports").awaitReady() // this one opens the engine
	last := serve(t, data, "--roles", "ingest")
	post(5)
	last.awaitDrained()
	l.check(t, data)
	if relay.ended() {
		t.Error("the relay ended with the others")
	}
}

// An engine that does not open stops the loader with an instruction; the relay goes on taking reports.
func TestRelayTakesReportsWithoutAnEngine(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	relay := serve(t, data, "--roles", "relay")
	for _, tc := range []struct {
		name, set, want string
		damage          func()
	}{
		{"library missing", "store.engine=/nowhere/libchdb.so", "make engine", func() {}},
		{"folder of the engine is a file", "store.memory=640MiB", filepath.Join(data, "store"), func() {
			if err := os.WriteFile(filepath.Join(data, "store"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		tc.damage()
		loader := spawn(t, data, nil, "serve", "--roles", "ingest", "--set", tc.set)
		if code := loader.wait(patience); code != cli.ExitFailed || !strings.Contains(loader.text(), tc.want) {
			t.Errorf("%s: the loader ended with %d: %s", tc.name, code, tail(loader.text(), 1000))
		}
	}
	to, l := relay.poster(), newLedger()
	to.accept(t, l, 1, 1, 3)
	if err := os.Remove(filepath.Join(data, "store")); err != nil {
		t.Fatal(err)
	}
	serve(t, data, "--roles", "ingest").awaitDrained()
	l.check(t, data)
}

// Every role runs once on a data directory; a second process says which process runs it.
func TestASecondProcessOnTheSameDataIsRefused(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	s := serve(t, data)
	s.awaitReady()
	pid := fmt.Sprintf("process %d ", s.cmd.Process.Pid)
	for _, role := range site.Built {
		second := spawn(t, data, nil, "serve", "--roles", role)
		if code := second.wait(patience); code != cli.ExitFailed {
			t.Errorf("a second %s ended with %d, want %d", role, code, cli.ExitFailed)
		}
		if text := second.text(); !strings.Contains(text, "role "+role) || !strings.Contains(text, pid) {
			t.Errorf("a second %s says %q, want the role and %q", role, text, pid)
		}
	}
	l := newLedger()
	s.poster().accept(t, l, 1, 1, 2)
	// A command that wants the inbox loaded leaves it to the site, and ends when it is.
	if r := command(t, data, "ingest", "--once"); r.code != 0 || !strings.Contains(r.out, "running site") ||
		len(waiting(t, data)) > 0 {
		t.Errorf("ingest beside a site ended with %d: %q %q; want it to say who loads", r.code, r.out, r.errOut)
	}
	loadBeside(t, data, l)
	s.awaitDrained()
	l.check(t, data)
	clashBeside(t, data)
}

// clashBeside loads, through the running site, other messages under serials that are stored, and one of them twice.
func clashBeside(t *testing.T, data string) {
	t.Helper()
	r, _ := report(5, smx.NoPriority, 2, 4)
	r.Messages = append(r.Messages, r.Messages[0])
	path := filepath.Join(t.TempDir(), "other.SMX")
	if err := os.WriteFile(path, smx.AppendReport(nil, r), 0o600); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(done(t, data, "--format", "json", "load", path)), &got); err != nil {
		t.Fatal(err)
	}
	if got["messages"] != 4. || got["duplicates"] != 1. || got["conflicts"] != 3. {
		t.Errorf("a load beside a site says %v; want 4 messages, 1 duplicate, 3 conflicts", got)
	}
}

// loadBeside loads files through the running site, some of them bad: the command says of exactly these what it would
// say of its own.
func loadBeside(t *testing.T, data string, l *ledger) {
	t.Helper()
	folder := t.TempDir()
	write := func(name string, doc []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), doc, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, keys := report(5, smx.NoPriority, 1, 4)
	l.ack(keys, "")
	write("good.SMX", smx.AppendReport(nil, r))
	write("again.SMW", smx.AppendReport(nil, r)) // as a child site names it
	r, keys = report(5, smx.NoPriority, 5, 8)    // the last one bad
	l.ack(keys[:3], "")
	delete(l.receipts, "")
	write("half.SMX", []byte(strings.Replace(string(smx.AppendReport(nil, r)), `SerialNumber="8"`, `SerialNumber="0x8"`,
		1)))
	write("bad.SMX", []byte("<Report>"))
	write("relayed.SMX", halfBad(t, l))
	for round, want := range []map[string]any{
		{"files": 5., "messages": 14., "duplicates": 4., "invalid_records": 1., "bad_files": 1., "bad_reports": 1.,
			"conflicts": 0., "skipped_files": 0.},
		{"files": 5., "messages": 14., "duplicates": 13., "invalid_records": 1., "bad_files": 1., "bad_reports": 1.,
			"conflicts": 0., "skipped_files": 0.},
	} {
		var got map[string]any
		r := command(t, data, "--format", "json", "load", folder)
		if err := json.Unmarshal([]byte(r.out), &got); err != nil {
			t.Fatalf("%v in %q, %q", err, r.out, r.errOut)
		}
		for name, n := range want {
			if got[name] != n {
				t.Errorf("load %d beside a site says %s = %v, want %v", round+1, name, got[name], n)
			}
		}
		said := strings.Split(strings.TrimSpace(r.errOut), "\n")
		if r.code != cli.ExitFailed || len(said) != 4 || !strings.Contains(said[3], "`statewire dead list`") ||
			!strings.HasPrefix(said[0], folder+"/bad.SMX: line 1, ") ||
			!strings.HasPrefix(said[1], folder+"/half.SMX: ") || !strings.HasPrefix(said[2], folder+"/relayed.SMX: report 2: ") {
			t.Errorf("load %d beside a site ended with %d and said %q", round+1, r.code, said)
		}
	}
}

// halfBad is a file as a relay writes it, of two reports, the second of which is bad.
func halfBad(t *testing.T, l *ledger) []byte {
	t.Helper()
	good, keys := report(6, smx.NoPriority, 1, 2)
	l.ack(keys, "")
	delete(l.receipts, "")
	bad, _ := report(7, smx.NoPriority, 1, 3)
	var all []smx.Accepted
	for _, r := range []*smx.Report{good, bad} {
		checked, err := smx.NewDecoder().Check(smx.AppendReport(nil, r))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, smx.Accepted{Client: checked.Client, Received: time.Now(), Messages: checked.Messages,
			Body: bytes.Clone(checked.Body)})
	}
	file := smx.AppendFile(nil, all)
	damaged := bytes.Replace(file, []byte(bad.Header.Client.String()+"</ClientID>"), []byte("nobody</ClientID>"), 1)
	if bytes.Equal(damaged, file) {
		t.Fatal("nothing was damaged")
	}
	return damaged
}

// SIGTERM and SIGINT stop a busy site cleanly: exit code 0, nothing acknowledged is missing, nothing temporary stays.
func TestSignalsStopCleanly(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	l, next := newLedger(), &counters{}
	for n, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		s := serve(t, data)
		s.awaitReady()
		ctx, cancel := context.WithCancel(t.Context())
		posted := make(chan struct{})
		go func() { traffic(ctx, s.process, s.poster(), l, next, 2, uint64(n)); close(posted) }()
		eventually(patience, func() bool { acked, _ := l.count(); return acked >= 50*(n+1) })
		began := time.Now()
		s.signal(sig)
		if code := s.wait(patience); code != 0 || s.logged("site stopped") == nil {
			t.Errorf("after %v it ended with %d", sig, code)
		}
		promised(t, time.Since(began), 25*time.Second, "a clean stop")
		cancel()
		<-posted
		if left, _ := filepath.Glob(filepath.Join(boxOf(data), "tmp", "[^.]*")); len(left) > 0 {
			t.Errorf("temporary files stay: %v", left)
		}
	}
	s := serve(t, data)
	s.awaitDrained()
	l.check(t, data)
}
