package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"statewire/cmd/statewire/cli"
)

// needFleet leaves a minute of a fleet's life to make long. One client's goes on in other tests.
func needFleet(t *testing.T) {
	t.Helper()
	if os.Getenv(fleetEnv) == "" {
		t.Skip("make long runs it")
	}
}

// enrolledClients is how many clients the fleets here have: each has a certificate and a connection of its own.
func enrolledClients() int {
	return fleetClients()
}

// tokenFile is a file with a token for a fleet.
func tokenFile(t *testing.T, data string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	text := token(t, data, append([]string{"--uses", fmt.Sprint(enrolledClients()), "--expires", "24h"}, args...)...)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// enrolledCount is how many clients have a certificate that is good.
func enrolledCount(t *testing.T, data string) (n int) {
	t.Helper()
	var list []struct{ State string }
	if err := json.Unmarshal([]byte(done(t, data, "--format", "json", "client", "list")), &list); err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if c.State == "enrolled" {
			n++
		}
	}
	return n
}

// everythingArrived fails unless the site has what every client of the fleet holds, and misses nothing.
func everythingArrived(t *testing.T, data string, clients int) {
	t.Helper()
	if counts := verify(t, data, 0); counts["clients"] != clients {
		t.Errorf("%v; want %d clients", counts, clients)
	}
	if ranges := ask(t, data, "SELECT count() FROM SR_MissingMessageRanges"); ranges != 0 {
		t.Errorf("%d ranges are open", ranges)
	}
}

// A site that took reports from anybody begins to ask for certificates while a fleet with faults reports to it. The
// fleet keeps what is refused, enrols under its own ids, lives on with faults, and nothing of it is lost.
func TestASiteAsksForCertificatesWhileItsFleetReports(t *testing.T) {
	needFleet(t)
	t.Parallel()
	data, relay, clients := siteDir(t), freeRelay(t), enrolledClients()
	faults := []string{"--loss", "0.02", "--duplicate", "0.05", "--reorder", "0.05", "--day", "12s"}
	live := func(args ...string) []string { return fleetArgs(clients, relay, append(args, faults...)...) }
	s := serveFleet(t, data, relay)
	before := spawn(t, data, nil, live("--for", "10m")...)
	if !eventually(patience, func() bool { return ask(t, data, "SELECT uniqExact(client_id) FROM current_states") > 5 }) {
		t.Fatal("no rows of the fleet")
	}
	ended(t, s.process)
	s = serveFleet(t, data, relay, "--set", "relay.auth=mtls", "--set", "enroll.per_hour=0")
	s.awaitReady()
	if !eventually(patience, func() bool {
		return strings.Contains(before.text(), "no_identity") ||
			s.refused("no_identity")
	}) {
		t.Error("no client without a certificate was refused")
	}
	before.signal(syscall.SIGINT)
	if code := before.wait(patience); code != 0 && code != cli.ExitFailed {
		t.Fatalf("the fleet without certificates ended with %d: %s", code, tail(before.text(), 1000))
	}
	done(t, data, live("--for", "5s", "--settle", "3s", "--enroll-token-file", tokenFile(t, data, "--adopt"))...)
	s.awaitDrained()
	done(t, data, "resync", "check")
	done(t, data, fleetArgs(clients, relay, "--for", "0", "--settle", "3s")...) // one round without a fault
	s.awaitDrained()
	done(t, data, "resync", "check")
	everythingArrived(t, data, clients)
	if n := enrolledCount(t, data); n == 0 || n > clients {
		t.Errorf("%d of %d clients are enrolled", n, clients)
	}
	if n := strings.Count(auditText(t, data), `"action":"client.adopt"`); n == 0 {
		t.Error("nobody was adopted: the audit log has no line")
	}
}

// refused says whether the relay's metrics count refusals of a code.
func (s *server) refused(code string) bool {
	resp, err := http.Get(s.reports + "/metrics")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return err == nil && strings.Contains(string(text), code)
}

// The authority changes under a fleet that reports: whoever has polled since the next one was staged goes on, and one
// that has not refuses the relay until it enrols anew.
func TestTheAuthorityChangesUnderAFleet(t *testing.T) {
	needFleet(t)
	t.Parallel()
	data, relay, clients := siteDir(t), freeRelay(t), enrolledClients()
	s := serveFleet(t, data, relay, "--set", "relay.auth=mtls", "--set", "enroll.per_hour=0")
	s.awaitReady()
	watcher, away := newMachine(t, s), newMachine(t, s)
	if status, code, _ := watcher.enroll(token(t, data), ""); status != 200 {
		t.Fatalf("%d %s", status, code)
	}
	status, code, was := away.enroll(token(t, data, "--collection", "branch"), "")
	if status != 200 {
		t.Fatalf("%d %s", status, code)
	}
	away.http.CloseIdleConnections()
	run := spawn(t, data, nil, fleetArgs(clients, relay, "--for", "10m", "--day", "1m", "--policy-interval", "1s",
		"--enroll-token-file", tokenFile(t, data, "--collection", "fleet"))...)
	if !eventually(patience, func() bool { return ask(t, data, "SELECT uniqExact(client_id) FROM current_states") > 5 }) {
		t.Fatal("no rows of the fleet") // all of it enrols before the first one reports
	}
	if !eventually(patience/4, func() bool { return membersOf(t, data, "fleet") == enrolledCount(t, data)-2 }) ||
		membersOf(t, data, "branch") != 1 {
		t.Errorf("%d and %d of %d clients came into the collections of their tokens", membersOf(t, data, "fleet"),
			membersOf(t, data, "branch"), enrolledCount(t, data))
	}
	if r := command(t, data, "enroll", "token", "create", "--collection", "../x"); r.code != cli.ExitUsage {
		t.Errorf("for a collection that cannot be: %d %s", r.code, r.errOut)
	}

	enrolled, old := enrolledCount(t, data), watcher.policy()
	done(t, data, "ca", "stage")
	if !eventually(patience, func() bool { return len(watcher.policy()) > len(old)+300 }) {
		t.Fatal("clients are not told of the authority that is staged")
	}
	change := func(args ...string) (said struct {
		Clients  int
		Unpolled *int `json:"not_polled"`
		Switched bool
	}) {
		t.Helper()
		watcher.policy()
		text := done(t, data, append([]string{"--format", "json", "ca", "switch"}, args...)...)
		if err := json.Unmarshal([]byte(text), &said); err != nil || said.Unpolled == nil || said.Clients != enrolled {
			t.Fatalf("%s: %v; want %d clients", text, err, enrolled)
		}
		return said
	}
	if !eventually(patience, func() bool { return *change("--dry-run").Unpolled == 1 }) {
		t.Fatal("not all clients of the fleet have polled")
	}
	if said := change(); *said.Unpolled != 1 || !said.Switched {
		t.Errorf("%+v; want one that has not polled", said)
	}
	if !eventually(patience, func() bool {
		away.http.CloseIdleConnections()
		_, code, _, _ = away.post("/mp/reports", "x")
		return strings.Contains(code, "unknown authority")
	}) {
		t.Errorf("the client that was away: %s", code)
	}
	run.signal(syscall.SIGINT)
	if code := run.wait(patience); code != 0 && code != cli.ExitFailed {
		t.Fatalf("the fleet ended with %d: %s", code, tail(run.text(), 1000))
	}
	done(t, data, fleetArgs(clients, relay, "--for", "2s", "--settle", "3s")...)
	s.awaitDrained()
	done(t, data, "resync", "check")
	everythingArrived(t, data, clients)

	back := newMachine(t, s) // it is given the authority anew
	if status, code, _ := back.enroll(token(t, data), was.ClientID); status != 409 {
		t.Errorf("with a token that is not for it: %d %s", status, code)
	}
	if status, code, _ := back.enroll(token(t, data, "--client", was.ClientID), was.ClientID); status != 200 {
		t.Fatalf("with a token for it: %d %s", status, code)
	}
	if status, code, _, _ := back.post("/mp/reports", string(identityReport(was.ClientID, 5))); status != 202 {
		t.Errorf("back again: %d %s", status, code)
	}
	if n := enrolledCount(t, data); n != enrolled {
		t.Errorf("%d clients are enrolled after the change, %d before", n, enrolled)
	}
}

// membersOf is how many clients a collection has; 0 when there is none.
func membersOf(t *testing.T, data, name string) int {
	t.Helper()
	var said []struct {
		Name    string
		Clients int
	}
	if err := json.Unmarshal([]byte(done(t, data, "--format", "json", "collection", "list")), &said); err != nil {
		t.Fatal(err)
	}
	for _, c := range said {
		if c.Name == name {
			return c.Clients
		}
	}
	return 0
}

// policy is what the client is told when it polls.
func (m *machine) policy() []byte {
	m.t.Helper()
	id := strings.TrimPrefix(strings.ToUpper(m.pair.Leaf.URIs[0].Opaque), "STATEWIRE:")
	id = "GUID:" + id[strings.LastIndex(id, ":")+1:]
	resp, err := m.http.Get(fmt.Sprintf("%s/mp/policy?client=%s&serial=0&states=0&digest=%016x&unsent=0", m.relay, id, 0))
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		m.t.Fatalf("a poll got %d %s, %v", resp.StatusCode, text, err)
	}
	return text
}
