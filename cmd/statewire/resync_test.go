package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/reports/explain"
	"statewire/site"
	"statewire/smx"
	"statewire/smx/policy"
)

// loadGaps loads reports of three clients: 0 lacks serials 4 to 6, 1 lacks 1 to 9, 2 lacks none.
func loadGaps(t *testing.T, data string) {
	t.Helper()
	folder := filepath.Join(data, "copied")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for n, serials := range [][3]uint64{{0, 1, 3}, {0, 7, 8}, {1, 10, 12}, {2, 1, 5}} {
		r, _ := report(int(serials[0]), smx.NoPriority, serials[1], serials[2])
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.SMX", n)), smx.AppendReport(nil, r), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	done(t, data, "load", folder)
}

// checked is what `resync check --format json` prints.
type checked struct {
	Ranges, Messages, Outstanding int
	Total                         int `json:"issued_total"`
	Gaps                          []struct {
		Client   string `json:"client_id"`
		First    uint64 `json:"first_serial"`
		Last     uint64 `json:"last_serial"`
		Detected string `json:"detected_time"`
	}
	Issued []struct {
		Client string `json:"client_id"`
		Reason string
		By     string
		Next   uint64 `json:"next_serial"`
	}
	Held map[string]int `json:"held_total"`
}

func gapCheck(t *testing.T, data string, args ...string) (c checked) {
	t.Helper()
	out := done(t, data, append([]string{"--format", "json", "resync", "check"}, args...)...)
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return c
}

// A check by a given clock, with nothing running: what it finds, whom it asks and when, as the tables show it.
func TestCheckByAGivenClock(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	loadGaps(t, data)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	stamp := func(d time.Duration) string { return at.Add(d).Format(time.RFC3339) }

	dry := gapCheck(t, data, "--at", stamp(0), "--dry-run")
	if dry.Ranges != 2 || ask(t, data, "SELECT count() FROM missing_ranges") != 0 {
		t.Errorf("the dry run says %+v", dry)
	}
	first := gapCheck(t, data, "--at", stamp(0))
	if first.Ranges != 2 || first.Messages != 12 || first.Total != 0 || first.Held["age"] != 2 || len(first.Gaps) != 2 {
		t.Errorf("the first check says %+v", first)
	}
	ranges := query(t, data,
		"SELECT ClientID, FirstSerial, LastSerial, toString(DetectedTime) FROM SR_MissingMessageRanges ORDER BY "+
			"FirstSerial DESC")
	want := fmt.Sprint([][]string{{clientID(0).UUID(), "4", "6", "2026-03-01 12:00:00.000000"},
		{clientID(1).UUID(), "1", "9", "2026-03-01 12:00:00.000000"}})
	if fmt.Sprint(ranges) != want {
		t.Errorf("ranges are %v, want %v", ranges, want)
	}
	if c := gapCheck(t, data, "--at", stamp(47*time.Hour)); c.Total != 0 {
		t.Errorf("asked before the age: %+v", c)
	}
	if c := gapCheck(t, data, "--at", stamp(49*time.Hour)); c.Total != 2 || c.Issued[0].Reason != "missing" {
		t.Errorf("at the age: %+v", c)
	}
	issued := query(t, data,
		"SELECT toString(LastResyncIssuedTime) FROM SR_ClientMessageStats WHERE LastResyncIssuedTime IS NOT NULL")
	if fmt.Sprint(issued) != "[[2026-03-03 13:00:00.000000] [2026-03-03 13:00:00.000000]]" {
		t.Errorf("issued at %v", issued)
	}
	if c := gapCheck(t, data, "--at", stamp(60*time.Hour)); c.Total != 0 || c.Outstanding != 2 || c.Held["interval"] != 2 {
		t.Errorf("asked again within the interval: %+v", c)
	}
	if c := gapCheck(t, data, "--at", stamp(121*time.Hour)); c.Total != 2 {
		t.Errorf("not asked again after three days: %+v", c)
	}
	rows, err := csv.NewReader(strings.NewReader(done(t, data, "--format", "csv", "resync", "check", "--at",
		stamp(122*time.Hour)))).ReadAll()
	for _, n := range []int{0, 1} { // columns by name: a gap and a client that waits, each
		for _, want := range []map[string]string{
			{"what": "gap", "first_serial": []string{"4", "1"}[n], "last_serial": []string{"6", "9"}[n],
				"detected_time": stamp(0), "serial_jump": "false"},
			{"what": "held", "reason": "missing", "hold": "interval", "number": ""},
		} {
			if want["client_id"] = clientID(n).UUID(); err != nil || len(rows) != 5 ||
				!slices.ContainsFunc(rows[1:], func(row []string) bool { return agrees(rows[0], row, want) }) {
				t.Errorf("as csv no row has %v (%v): %v", want, err, rows)
			}
		}
	}
	if table := done(t, data, "resync", "check", "--at", stamp(123*time.Hour)); !strings.Contains(table,
		"2 ranges of 2 clients, 12 messages missing") ||
		!strings.Contains(table, "asked less than resync.merge_interval ago") {
		t.Errorf("as a table:\n%s", table)
	}
}

// agrees says that a row has these cells.
func agrees(header, row []string, want map[string]string) bool {
	for column, cell := range want {
		if at := slices.Index(header, column); at < 0 || row[at] != cell {
			return false
		}
	}
	return true
}

// A client that polls, a request and a baseline go through the running site, and survive its death.
func TestResyncThroughTheRunningSite(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	args := []string{"--set", "resync.min_missing_message_age=0s", "--set", "resync.merge_interval=9h", "--set",
		"relay.auth=none"}
	s := serve(t, data, args...)
	s.awaitReady()
	if !eventually(patience, func() bool { return strings.Contains(s.text(), "gap check") }) {
		t.Fatal("no check at the start")
	}
	loadGaps(t, data)
	if c := gapCheck(t, data); c.Total != 2 || c.Outstanding != 2 {
		t.Fatalf("the check says %+v", c)
	}
	p := s.policy(t, 0, 8)
	if p.Resync == nil || p.Resync.Reason != "missing" || p.Resync.NextSerial != 9 {
		t.Fatalf("the policy says %+v", p)
	}
	if s.policy(t, 2, 5).Resync != nil {
		t.Error("a client without gaps is asked")
	}
	done(t, data, "collection", "create", "one", "--client", clientID(2).String())
	done(t, data, "policy", "set", "--collection", "one", "--send-interval", "90m", "--policy-interval", "1d", "--pause",
		"500")
	if p := s.policy(t, 2, 5); p.SendInterval != 90*time.Minute || p.PolicyInterval != 24*time.Hour || len(p.Topics) != 1 {
		t.Errorf("the policy says %+v", p)
	}
	eventually(patience, func() bool { return strings.Contains(done(t, data, "resync", "list"), "picked up") })
	var foreseen explain.Explanation
	if err := json.Unmarshal([]byte(done(t, data, "--format", "json", "explain", clientID(1).String())),
		&foreseen); err != nil {
		t.Fatal(err)
	}
	if n := len(foreseen.Next); n == 0 || foreseen.Next[n-1].At == nil ||
		time.Until(*foreseen.Next[n-1].At) > 9*time.Hour {
		t.Errorf("explain foresees %+v by other settings than the running site's", foreseen.Next)
	}

	s.kill()
	s = serve(t, data, args...)
	s.awaitReady()
	if !eventually(patience, func() bool { return strings.Contains(s.text(), "gap check") }) {
		t.Fatal("no check after the start")
	}
	if p := s.policy(t, 0, 8); p.Resync == nil || p.Resync.Number != 1 {
		t.Errorf("after the restart the policy says %+v", p)
	}
	if p := s.policy(t, 2, 5); p.SendInterval != 90*time.Minute {
		t.Errorf("after the restart the policy says %+v", p)
	}
	list := done(t, data, "--format", "jsonl", "resync", "list", "--outstanding")
	if strings.Count(list, "\n") != 2 || !strings.Contains(list, `"step": "picked up"`) ||
		!strings.Contains(list, `"completed_time": null`) {
		t.Errorf("after the restart the list says %s", list)
	}
	done(t, data, "resync", "request", "--collection", "one")
	if p := s.policy(t, 2, 5); p.Resync == nil || p.Resync.Reason != "requested" {
		t.Errorf("after the request the policy says %+v", p)
	}
	done(t, data, "resync", "accept", "--all")
	if p := s.policy(t, 0, 8); p.Resync != nil || ask(t, data, "SELECT count() FROM SR_MissingMessageRanges") != 0 {
		t.Errorf("after the baseline the policy says %+v", p)
	}
	s.signal(syscall.SIGTERM)
	if code := s.wait(patience); code != 0 {
		t.Errorf("ended with %d", code)
	}
}

// A command that changes something without a running site has the resync role's lock for a moment: a site that starts
// then waits.
func TestASiteWaitsForACommandThatWrites(t *testing.T) {
	t.Parallel()
	data := siteDir(t) // the resync role makes no store
	unlock, err := (site.Roles{"resync"}).Lock(data)
	if err != nil {
		t.Fatal(err)
	}
	const waits = "waiting for a command that has the resync role"
	site := spawn(t, data, nil, "serve", "--roles", "resync")
	site.await(waits, "at_most", patience)
	if by := fmt.Sprint(site.logged(waits)["process"]); by != fmt.Sprint(os.Getpid()) {
		t.Errorf("it waits for process %s, want %d", by, os.Getpid())
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	site.await("site started", "roles", patience)
}

// policy asks for a client's policy as the client does.
func (s *server) policy(t *testing.T, client int, lastSerial uint64) policy.Document {
	t.Helper()
	to := s.poster()
	url := fmt.Sprintf("https://%s/mp/policy?client=%s&serial=%d&states=0&digest=%016x&unsent=1", s.relay(),
		clientID(client), lastSerial, 0)
	var body []byte
	if !eventually(patience, func() bool {
		resp, err := to.http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err = io.ReadAll(resp.Body)
		return err == nil && resp.StatusCode == 200
	}) {
		t.Fatalf("no policy: %s", body)
	}
	p, err := policy.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What cannot be carried out is said in one plain line, with the exit code of its kind.
func TestResyncRefusals(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	loadGaps(t, data)
	list := filepath.Join(data, "list.txt")
	if err := os.WriteFile(list, []byte("# none\n"+clientID(0).String()+"\nGUID:nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	known := clientID(0).UUID()
	for _, tc := range []struct {
		name string
		args string
		code int
		says string
	}{
		{"no target", "resync request", cli.ExitUsage, "--client"},
		{"two targets", "resync accept --all --client " + known, cli.ExitUsage, "--all"},
		{"no client id", "resync request --client GUID:01", cli.ExitUsage, "36 hex digits"},
		{"no client's name", "resync request --client PC01", cli.ExitFailed, "no client has this name"},
		{"nobody in a list", "resync request --file " + list, cli.ExitUsage, "line 3"},
		{"a list that is not there", "resync request --file " + list + ".old", cli.ExitUsage, "no such file"},
		{"a client never heard of", "resync request --client " + clientID(99).UUID(), cli.ExitFailed,
			"never heard of client " + clientID(99).UUID()},
		{"nothing to accept", "resync accept --client " + clientID(99).UUID(), cli.ExitFailed, "never heard of"},
		{"no such collection", "resync request --collection none", cli.ExitUsage, "statewire collection list"},
		{"a time that is none", "resync check --at tomorrow", cli.ExitUsage, "2026-01-31T12:00:00Z"},
		{"an unknown step", "resync chek", cli.ExitUsage, "unknown command"},
		{"a name that is none", "collection create a/b --client " + known, cli.ExitUsage, "not allowed"},
		{"a policy for nobody", "policy set --send-interval 1h", cli.ExitUsage, "--collection"},
		{"a policy that changes nothing", "policy set --collection none", cli.ExitUsage, "--send-interval 1h"},
		{"a policy for no collection", "policy set --collection none --send-interval 1h", cli.ExitUsage,
			"no such collection"},
		{"a topic that is none", "policy set --collection none --pause updates", cli.ExitUsage, "topic type"},
		{"a time to look back that is none", "resync list --within 3x", cli.ExitUsage,
			"\"3x\" is not a duration; allowed are values like 900s, 15m, 72h or 400d"},
		{"an interval that is none", "policy set --collection none --topic-interval 500", cli.ExitUsage, "500=4h"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := command(t, data, strings.Fields(tc.args)...)
			if r.code != tc.code || !strings.Contains(r.errOut, tc.says) || strings.Count(r.errOut, "\n") != 1 {
				t.Errorf("ended with %d, want %d, and said %q, want %q in it", r.code, tc.code, r.errOut, tc.says)
			}
		})
	}
}

// The flaw that administrators know: a site asks again though the answer lies unread in its inbox. Reports of one
// client wait in a file of the relay; then a file waits that somebody dropped, and nobody can tell whose it is.
func TestNobodyIsAskedWhileTheirFileWaits(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	loadGaps(t, data)
	relay := spawn(t, data, nil, "serve", "--roles", "relay", "--set", "relay.auth=none")
	to := newPoster(t, data, relay.await("relay listening", "addr", patience))
	to.accept(t, newLedger(), 0, 20, 20)
	relay.signal(syscall.SIGTERM)
	relay.wait(patience)
	now := []string{"--set", "resync.min_missing_message_age=0s", "--set", "resync.merge_interval=1s"}

	c := gapCheck(t, data, now...)
	if c.Total != 1 || c.Issued[0].Client != clientID(1).UUID() || c.Held["unread"] != 1 {
		t.Errorf("with a file of the relay waiting the check says %+v", c)
	}
	said := done(t, data, append(now, "resync", "request", "--client", clientID(0).String())...)
	if !strings.Contains(said, "reports of them wait in the inbox") {
		t.Errorf("the request says %s", said)
	}
	r, _ := report(2, smx.NoPriority, 6, 6)
	dropped := filepath.Join(site.InboxRoot(data), "incoming", "dropped.SMX")
	if err := os.WriteFile(dropped, smx.AppendReport(nil, r), 0o600); err != nil {
		t.Fatal(err)
	}
	if !eventually(patience, func() bool { // until the merge interval of client 1 is over
		c = gapCheck(t, data, now...)
		return c.Total > 0 || c.Held["unknown"] == 2
	}) || c.Total > 0 {
		t.Errorf("with a dropped file waiting the check says %+v", c)
	}
	done(t, data, "ingest", "--once", "--create")
	c = gapCheck(t, data, now...)
	if c.Total != 2 || c.Issued[0].Reason != "requested" || c.Issued[0].Next != 21 {
		t.Errorf("with everything read the check says %+v", c)
	}
}
