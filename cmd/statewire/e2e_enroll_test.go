package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"statewire/agent/agenttest"
	"statewire/cmd/statewire/cli"
)

// enrollee is a machine of a site that is no more than certificates, and a place where reports come.
type enrollee struct {
	t       *testing.T
	data    string
	relay   string
	site    *agenttest.Authority
	reports *agenttest.Site
}

func newEnrollee(t *testing.T) *enrollee {
	t.Helper()
	e := &enrollee{t: t, data: dataDir(t), site: agenttest.NewAuthority(t), reports: agenttest.NewSite(t)}
	e.site.Next = e.reports
	e.relay = e.site.Listen()
	return e
}

// token is a file with a token of the site.
func (e *enrollee) token() string {
	e.t.Helper()
	file := filepath.Join(e.t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(e.site.Token().String()+"\n"), 0o600); err != nil {
		e.t.Fatal(err)
	}
	return file
}

// run starts the agent, which is told nothing of its relay but by args.
func (e *enrollee) run(args ...string) *process {
	e.t.Helper()
	p := spawn(e.t, e.data, nil, append([]string{"agent", "run", "--set", "agent.startup_jitter=0", "--set",
		"agent.scan_interval=0"}, args...)...)
	p.await("agent started", "client", patience)
	return p
}

type enrolled struct {
	Health, Why, Client, Enrolled, Certificate, Relay string
	Until                                             string `json:"certificate_until"`
	Renewal                                           string `json:"next_renewal"`
	LastSerial                                        uint64 `json:"last_serial"`
}

func (e *enrollee) status() (s enrolled, code int) {
	e.t.Helper()
	r := command(e.t, e.data, "--format", "json", "agent", "status")
	if err := json.Unmarshal([]byte(r.out), &s); err != nil {
		e.t.Fatalf("agent status says %q %q: %v", r.out, r.errOut, err)
	}
	return s, r.code
}

func (e *enrollee) tell(topic string, more ...string) result {
	e.t.Helper()
	return command(e.t, e.data, append([]string{"agent", "send", "--type", "402", "--topic", topic, "--state", "1"},
		more...)...)
}

// A machine that enrolled needs no other setting: it reports to the relay that it enrolled at, under its certificate.
// One that was revoked says so, and is let in again by another token, while it runs.
func TestAMachineEnrolsAndReports(t *testing.T) {
	t.Parallel()
	e := newEnrollee(t)
	r := command(t, e.data, "agent", "enroll", "--relay", e.relay, "--token-file", e.token(), "--format", "json")
	var got struct {
		Client, Certificate string
		Until               string `json:"valid_until"`
		NextSerial          uint64 `json:"next_serial"`
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.code != 0 || got.Certificate != "101" ||
		got.NextSerial != 1 || !strings.HasPrefix(got.Client, "GUID:") || got.Until == "never" {
		t.Fatalf("agent enroll ended with %d: %s%s", r.code, r.out, r.errOut)
	}
	p := e.run()
	if r := e.tell("a", "--now"); r.code != 0 {
		t.Fatalf("agent send --now ended with %d: %s%s", r.code, r.out, r.errOut)
	}
	status, _ := e.status()
	if status.Client != got.Client || status.Certificate != "101" || status.Relay != e.relay ||
		status.Enrolled == "never" ||
		status.Renewal == "never" || status.Until == "never" {
		t.Errorf("status %+v", status)
	}
	e.site.Mu.Lock()
	e.site.Denied["101"] = true
	e.site.Mu.Unlock()
	p.signal(syscall.SIGTERM)
	if code := p.wait(patience); code != 0 {
		t.Errorf("the agent ended with %d", code)
	}
	p = e.run()
	if r := e.tell("b", "--now"); r.code != cli.ExitFailed || !strings.Contains(r.errOut, "revoked") {
		t.Errorf("revoked, agent send --now ended with %d: %s", r.code, r.errOut)
	}
	if status, code := e.status(); code != int(cli.HealthWarning) || !strings.Contains(status.Why, "agent enroll") {
		t.Errorf("revoked, status is %d %+v", code, status)
	}
	r = command(t, e.data, "agent", "enroll", "--token-file", e.token()) // at the relay that it knows
	if r.code != 0 || !strings.Contains(r.out, "102") {
		t.Fatalf("agent enroll beside the agent ended with %d: %s%s", r.code, r.out, r.errOut)
	}
	if r := e.tell("c", "--now"); r.code != 0 || p.ended() {
		t.Errorf("enrolled anew, agent send --now ended with %d: %s", r.code, r.errOut)
	}
	if seen := e.site.Seen(); seen[len(seen)-1] != "102" {
		t.Errorf("certificates shown: %v", seen)
	}
}

// A machine that is given a token collects states until it has its certificate, and then sends them from the serial on
// that the site names.
func TestAMachineEnrolsItself(t *testing.T) {
	t.Parallel()
	e := newEnrollee(t)
	e.site.Serial = 5001
	e.site.Refuse = func(path string, attempt int) *agenttest.Refusal {
		if path == "/mp/enroll" && attempt == 0 {
			return &agenttest.Refusal{Status: 503, After: 1, Body: `{"code":"enrolment_paused","retry":true}`}
		}
		return nil
	}
	file := e.token()
	p := e.run("--set", "agent.relay="+e.relay, "--set", "agent.enroll_token_file="+file)
	if r := e.tell("early"); r.code != 0 {
		t.Fatalf("agent send ended with %d: %s", r.code, r.errOut)
	}
	if !eventually(patience, func() bool { _, err := os.Stat(file); return err != nil }) {
		t.Fatalf("the token is still there; the agent says\n%s", p.text())
	}
	if r := e.tell("late", "--now"); r.code != 0 {
		t.Fatalf("agent send --now ended with %d: %s", r.code, r.errOut)
	}
	e.reports.Mu.Lock()
	defer e.reports.Mu.Unlock()
	var came []uint64
	for _, client := range e.reports.Clients {
		came = append(came, slices.Sorted(maps.Keys(client.Came))...)
	}
	if !slices.Equal(came, []uint64{5001, 5002}) {
		t.Errorf("serials %v came; want 5001 and 5002", came)
	}
}

func TestEnrollingSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	e := newEnrollee(t)
	e.site.Refuse = func(string, int) *agenttest.Refusal {
		return &agenttest.Refusal{Status: 409, Body: `{"code":"already_enrolled","detail":"x"}`}
	}
	other := agenttest.NewAuthority(t).Listen()
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no token":     {[]string{"--relay", e.relay}, cli.ExitUsage, "--token-file is missing"},
		"no relay":     {[]string{"--token-file", e.token()}, cli.ExitUsage, "--relay is missing"},
		"not over TLS": {[]string{"--token-file", e.token(), "--relay", "http://127.0.0.1:1"}, cli.ExitUsage, "--relay"},
		"no such file": {[]string{"--token-file", "/nowhere", "--relay", e.relay}, cli.ExitUsage, "/nowhere"},
		"no time":      {[]string{"--token-file", e.token(), "--relay", e.relay, "--wait", "0"}, cli.ExitUsage, "--wait"},
		"another site": {[]string{"--token-file", e.token(), "--relay", other}, cli.ExitFailed, "nothing was sent"},
		"refused":      {[]string{"--token-file", e.token(), "--relay", e.relay}, cli.ExitFailed, "bound to it"},
		"nobody answers": {[]string{"--token-file", e.token(), "--relay", "https://127.0.0.1:1", "--wait", "1s"},
			cli.ExitFailed, "no certificate in time"},
	} {
		r := command(t, e.data, append([]string{"agent", "enroll"}, c.args...)...)
		if r.code != c.code || !strings.Contains(r.errOut, c.want) {
			t.Errorf("%s: ended with %d: %s", name, r.code, r.errOut)
		}
	}
}
