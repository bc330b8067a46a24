package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/store/storetest"
)

// fleetEnv is the number of clients of the fleets in these tests, for runs by hand.
const fleetEnv = "STATEWIRE_TEST_FLEET"

// A fleet with loss, duplicates, reordering and reinstalled clients: after one round without loss the site has every
// topic as its client holds it, knows of no gap, and marks what only it still holds. Kills of the site on the way
// change nothing of that, nor do late reports, clients set back to an image, and clocks that jump by years.
func TestOneRoundMakesSiteAndFleetEqual(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		kills  int
		faults []string
	}{
		{"undisturbed", 0, nil},
		{"killed five times", 5, nil},
		{"set back and late", 0, []string{"--restore", "0.05", "--clock-jump", "0.05", "--delay", "0.05", "--delay-by",
			"3s"}},
	} {
		t.Run(c.name, func(t *testing.T) { t.Parallel(); oneRound(t, c.kills, c.faults...) })
	}
}

func oneRound(t *testing.T, kills int, faults ...string) {
	data, relay := siteDir(t), freeRelay(t)
	s := serveFleet(t, data, relay)
	run := spawn(t, data, nil, append(fleetArgs(fleetClients(), relay, "--for", "15s", "--settle", "5s", "--loss", "0.02",
		"--duplicate", "0.05", "--reorder", "0.05", "--reinstall", "0.03"), faults...)...)
	chance := rand.New(rand.NewPCG(storetest.SeedOr(t, 1), 0))
	for range kills {
		eventually(time.Duration(500+chance.IntN(2500))*time.Millisecond, run.ended)
		s.kill()
		s = serveFleet(t, data, relay)
	}
	if code := run.wait(5 * patience); code != 0 {
		t.Fatalf("the fleet ended with %d: %s", code, tail(run.text(), 2000))
	}
	s.awaitReady()
	s.awaitDrained()
	before := verify(t, data, cli.ExitFailed)
	if before["differs"] == 0 || before["clients"] != fleetClients() {
		t.Errorf("after a run with faults: %v; want differences, and all clients", before)
	}

	done(t, data, "resync", "check")
	sameAnew(t, data)
	done(t, data, append([]string{"--format", "json"}, fleetArgs(fleetClients(), relay, "--for", "0", "--settle",
		"3s")...)...)
	s.awaitDrained()
	done(t, data, "resync", "check")
	sameAnew(t, data)
	after := verify(t, data, 0)
	if ranges := ask(t, data, "SELECT count() FROM SR_MissingMessageRanges"); ranges != 0 {
		t.Errorf("%d ranges are open after the round", ranges)
	}
	unconfirmed := ask(t, data, "SELECT count() FROM unconfirmed_states")
	if unconfirmed == 0 || int(unconfirmed) != after["unconfirmed"] {
		t.Errorf("%d states are marked unconfirmed, verify counts %d that only the site holds; want the same, and some",
			unconfirmed, after["unconfirmed"])
	}
	t.Logf("before the round %v, after it %v", before, after)
}

// sameAnew fails unless reading the serials of every client finds what the last check did.
func sameAnew(t *testing.T, data string) {
	t.Helper()
	var said struct {
		Compared, Opened, Closed int
		Looked                   int `json:"looked_at"`
	}
	if err := json.Unmarshal([]byte(done(t, data, "--format", "json", "resync", "check", "--full", "--dry-run")),
		&said); err != nil {
		t.Fatal(err)
	}
	if said.Opened+said.Closed > 0 || said.Compared != fleetClients() || said.Looked != said.Compared {
		t.Errorf("reading everything anew: %+v; want all clients, and nothing new", said)
	}
}

// verify runs fleet verify, which must end with an exit code, and counts what it says.
func verify(t *testing.T, data string, code int) map[string]int {
	t.Helper()
	r := command(t, data, "--format", "json", "fleet", "verify")
	var said struct {
		Differences      []struct{ Client, Difference, What string }
		Clients          int
		Unconfirmed      int `json:"unconfirmed_at_site"`
		TopicsHeld       int `json:"topics_held"`
		Equal, Different int
	}
	if err := json.Unmarshal([]byte(r.out), &said); err != nil {
		t.Fatalf("fleet verify ended with %d and said %q, %q: %v", r.code, tail(r.out, 500), r.errOut, err)
	}
	counts := map[string]int{"clients": said.Clients, "held": said.TopicsHeld, "equal": said.Equal,
		"unconfirmed": said.Unconfirmed}
	for i, d := range said.Differences {
		counts[d.Difference]++
		if code == 0 && i < 20 {
			t.Errorf("%s: %s: %s", d.Client, d.Difference, d.What)
		}
	}
	if r.code != code || said.Different != len(said.Differences) || said.TopicsHeld == 0 {
		t.Fatalf("fleet verify ended with %d, want %d: %v", r.code, code, counts)
	}
	return counts
}

func fleetClients() int {
	if n, err := strconv.Atoi(os.Getenv(fleetEnv)); err == nil {
		return n
	}
	return 100
}

func fleetArgs(clients int, relay string, args ...string) []string {
	return append([]string{"fleet", "--clients", fmt.Sprint(clients), "--relay", "https://" + relay,
		"--send-interval", "1s", "--policy-interval", "2s"}, args...)
}

// serveFleet starts a site that asks for what is missing as soon as it is found.
func serveFleet(t *testing.T, data, relay string, args ...string) *server {
	t.Helper()
	return serve(t, data, append([]string{"--set", "relay.listen=" + relay, "--set", "resync.min_missing_message_age=0s",
		"--set", "resync.merge_interval=1s", "--set", "resync.max_outstanding=100000", "--set", "ingest.batch_delay=1s"},
		args...)...)
}

// freeRelay is an address for a relay that comes back after a kill.
func freeRelay(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// An interrupted fleet ends cleanly, another run goes on where it ended, and without a fault the site has all of it.
func TestFleetStopsAndGoesOn(t *testing.T) {
	t.Parallel()
	data, relay := siteDir(t), freeRelay(t)
	s := serveFleet(t, data, relay)
	run := spawn(t, data, nil, fleetArgs(40, relay, "--for", "10m", "--day", "20s")...)
	if !eventually(patience, func() bool { return ask(t, data, "SELECT uniqExact(client_id) FROM current_states") > 10 }) {
		t.Fatal("no rows of the fleet")
	}
	run.signal(syscall.SIGINT)
	if code := run.wait(patience); code != 0 || !strings.Contains(run.output(), "greatest_serial") {
		t.Fatalf("the interrupted fleet ended with %d and said %q, %q", code, run.output(), run.text())
	}
	if r := command(t, data, fleetArgs(41, relay, "--for", "1s")...); r.code != cli.ExitFailed ||
		!strings.Contains(r.errOut, "40 clients") {
		t.Errorf("another fleet on the same store ended with %d: %q", r.code, r.errOut)
	}
	done(t, data, fleetArgs(40, relay, "--for", "3s", "--day", "20s", "--settle", "2s")...)
	s.awaitDrained()
	if counts := verify(t, data, 0); counts["held"] != counts["equal"] {
		t.Errorf("after two runs without a fault: %v", counts)
	}
}

// What cannot be carried out is said before anything runs, with the exit code of wrong usage.
func TestFleetRefusesWrongUsage(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	for _, tc := range []struct {
		name string
		args []string
		code int
	}{
		{"no relay", []string{"fleet"}, cli.ExitUsage},
		{"loss above one", []string{"fleet", "--relay", "https://127.0.0.1:1", "--loss", "2"}, cli.ExitUsage},
		{"no time", []string{"fleet", "--relay", "https://127.0.0.1:1", "--for", "0"}, cli.ExitUsage},
		{"another command", []string{"fleet", "verfy"}, cli.ExitUsage},
		{"no format", []string{"--format", "xml", "fleet", "--relay", "https://127.0.0.1:1"}, cli.ExitUsage},
		{"verify without a fleet", []string{"fleet", "verify"}, cli.ExitFailed},
		{"verify of no client id", []string{"fleet", "verify", "--client", "GUID:x"}, cli.ExitUsage},
	} {
		if r := command(t, data, tc.args...); r.code != tc.code || r.errOut == "" {
			t.Errorf("%s: ended with %d and %q, want %d", tc.name, r.code, r.errOut, tc.code)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(data, "*")); len(left) > 0 {
		t.Errorf("a refused command left %v", left)
	}
}
