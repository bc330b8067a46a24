package main

import (
	"strings"
	"testing"

	"statewire/cmd/statewire/cli"
)

// A client is retired, comes back with its next report, and is erased, all through the running site; each is in the
// audit log.
func TestAClientIsRetiredComesBackAndIsErased(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := serve(t, data)
	s.awaitReady()
	l, to := newLedger(), s.poster()
	to.accept(t, l, 1, 1, 5)
	to.accept(t, l, 2, 1, 5)
	id := clientID(1)
	is := func(what, sql string, want uint64) {
		t.Helper()
		if !eventually(patience, func() bool { return ask(t, data, sql) == want }) {
			t.Errorf("%s: %v, want %v", what, ask(t, data, sql), want)
		}
	}
	const stored = "SELECT uniqExact(client_id) FROM current_states"
	is("stored", stored, 2)
	if out := done(t, data, "--format", "csv", "client", "retire", id.String(), "--reason", "sold"); !strings.Contains(out,
		"1,0,0") {
		t.Errorf("retire says %s", out)
	}
	if out := done(t, data, "--format", "csv", "report", "clients"); strings.Count(out, "\n") != 2 {
		t.Errorf("the report clients has\n%s", out)
	}
	if out := done(t, data, "report", "retired-clients"); !strings.Contains(out, "sold") {
		t.Errorf("retired clients are\n%s", out)
	}
	if out := done(t, data, "explain", id.String()); !strings.Contains(out, "The client is retired by ") {
		t.Errorf("explain says\n%s", out)
	}
	to.accept(t, l, 1, 6, 7)
	is("back", "SELECT count() FROM retired_clients", 0)
	for _, wrong := range [][]string{{"client", "delete", id.String()}, {"client", "delete", "PC-1", "--reason", "x"},
		{"client", "retire"}} {
		if r := command(t, data, wrong...); r.code != cli.ExitUsage {
			t.Errorf("%v ended with %d: %s", wrong, r.code, r.errOut)
		}
	}
	out := done(t, data, "--format", "csv", "client", "delete", id.String(), "--reason", "asked for it")
	if !strings.Contains(out, ",7,") {
		t.Errorf("delete says\n%s", out)
	}
	is("erased", "SELECT count() FROM clients WHERE client_id = '"+id.UUID()+"'", 0)
	is("the other is there", stored, 1)
	log := done(t, data, "--format", "csv", "audit", "list")
	for _, action := range []string{"client.retire", "client.delete"} {
		if !strings.Contains(log, action) {
			t.Errorf("%s is not in the audit log:\n%s", action, log)
		}
	}
}
