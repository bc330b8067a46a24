package main

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"statewire/agent/local"
	"statewire/cmd/statewire/cli"
	"statewire/cmd/statewire/client"
	"statewire/smx"
)

// member is a site with one agent, each on a data directory of its own.
type member struct {
	t    *testing.T
	site string // data directory
	data string // the agent's
	addr string // of the relay
	args []string
}

func newMember(t *testing.T, args ...string) *member {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() // the relay comes back to the same address
	return &member{t: t, site: siteDir(t), data: dataDir(t), addr: ln.Addr().String(), args: args}
}

func (m *member) serve() *server {
	m.t.Helper()
	s := serve(m.t, m.site, "--set", "relay.listen="+m.addr)
	s.awaitReady()
	return s
}

// run starts the agent and waits until it answers.
func (m *member) run() *process {
	m.t.Helper()
	p := spawn(m.t, m.data, nil, append([]string{"agent", "run", "--set", "agent.relay=https://" + m.addr,
		"--set", "agent.startup_jitter=0", "--set", "agent.scan_interval=0",
		"--set", "agent.ca_file=" + filepath.Join(m.site, "identity", "ca.crt")},
		m.args...)...)
	p.await("agent started", "client", patience)
	return p
}

// status is what `agent status` says, and its exit code.
func (m *member) status() (s struct {
	Health, Client, Problem, Why string
	Connected                    bool
	Unsent                       int
	LastSerial                   uint64  `json:"last_serial"`
	Oldest                       float64 `json:"oldest_unsent_seconds"`
	LastSend                     string  `json:"last_send"`
}, code int) {
	m.t.Helper()
	r := command(m.t, m.data, "--format", "json", "agent", "status")
	if r.out != "" {
		if err := json.Unmarshal([]byte(r.out), &s); err != nil {
			m.t.Fatalf("agent status says %q: %v", r.out, err)
		}
	}
	return s, r.code
}

func (m *member) send(args ...string) result {
	m.t.Helper()
	return command(m.t, m.data, append([]string{"agent", "send"}, args...)...)
}

func (m *member) tell(topic string, state int, more ...string) result {
	m.t.Helper()
	return m.send(append([]string{"--type", "402", "--topic", topic, "--state", fmt.Sprint(state)}, more...)...)
}

// Topics that XML cannot tell apart are refused, each by its character: none replaces another.
func TestAgentSendNamesWhatXMLCannotCarry(t *testing.T) {
	t.Parallel()
	m := newMember(t, "--set", "agent.ca_file=") // there is no site
	m.run()
	for topic, want := range map[string]string{
		"job\x01": "topic id of topic 402: character 4 is U+0001, which XML cannot carry",
		"job\x02": "character 4 is U+0002", "job\xff": "character 4 is byte 0xFF", "job\uFFFE": "character 4 is U+FFFE",
		"job": "",
	} {
		r := m.tell(topic, 1)
		if refused := want != ""; r.code != map[bool]int{true: cli.ExitUsage}[refused] || !strings.Contains(r.errOut, want) {
			t.Errorf("%q ended with %d and %q, want %q", topic, r.code, r.errOut, want)
		}
	}
	if r := m.tell("job", 2, "--param", "a", "--param", "b\x1b"); r.code != cli.ExitUsage ||
		!strings.Contains(r.errOut, "parameter 2 of topic 402: character 2 is U+001B") {
		t.Errorf("a parameter ended with %d and %q", r.code, r.errOut)
	}
	if out := done(t, m.data, "--format", "csv", "agent", "messages"); strings.Count(out, "402") != 1 ||
		!strings.Contains(out, "job") {
		t.Errorf("the agent holds\n%s\nwant one topic, job", out)
	}
}

// A state told on the command line is a row at the site, as it was told; the agent shows what it holds and sent.
func TestAgentTellsTheSite(t *testing.T) {
	t.Parallel()
	m := newMember(t)
	m.serve()
	p := m.run()
	if r := m.tell("update-1", 11, "--param", "0x80070643", "--param", " padded ", "--details", "<log>\n</log>",
		"--priority", "0", "--time", "2026-03-10T08:00:00+01:00", "--id-type", "3", "--now"); r.code != 0 ||
		!strings.Contains(r.out, "receipt") {
		t.Fatalf("agent send --now ended with %d: %s%s", r.code, r.out, r.errOut)
	}
	status, code := m.status()
	if code != 0 || !status.Connected || status.Unsent != 0 || status.LastSerial != 1 || status.LastSend == "never" {
		t.Errorf("agent status ended with %d: %+v", code, status)
	}
	own := strings.ToLower(strings.TrimPrefix(status.Client, "GUID:"))
	row := "SELECT topic_type, topic_id, topic_id_type, state_id, params, message_time, serial FROM current_states " +
		"WHERE client_id = '" + own + "'"
	if !eventually(patience, func() bool { return len(query(t, m.site, row)) == 1 }) {
		t.Fatalf("no row at the site after %v", patience)
	}
	if got, want := fmt.Sprint(query(t, m.site, row)),
		`[[402 update-1 3 11 ["0x80070643"," padded "] 2026-03-10T07:00:00Z 1]]`; got != want {
		t.Errorf("the row is %s, want %s", got, want)
	}
	if got := query(t, m.site,
		"SELECT netbios_name FROM clients WHERE client_id = '"+own+"'"); got[0][0] != client.HostName() {
		t.Errorf("the client is called %q, want %q", got[0][0], client.HostName())
	}
	m.tell("update-2", 8)
	m.tell("update-2", 10)
	if status, _ := m.status(); status.Unsent != 1 || status.LastSerial != 1 {
		t.Errorf("two states of one topic make %+v, want one unsent and no serial given", status)
	}
	if r := m.send("--now"); r.code != 0 {
		t.Errorf("agent send --now ended with %d: %s", r.code, r.errOut)
	}
	var batch smx.Batch
	if err := smx.NewDecoder().Decode([]byte(done(t, m.data, "agent", "messages", "--as-report")),
		&batch); err != nil || batch.Len() != 2 {
		t.Errorf("agent messages --as-report holds %d messages: %v", batch.Len(), err)
	}
	if out := done(t, m.data, "--format", "csv", "agent", "messages", "--sent"); strings.Count(out, "accepted") != 2 {
		t.Errorf("agent messages --sent says\n%s", out)
	}
	if r := command(t, m.data, "agent", "resend"); r.code != 0 {
		t.Errorf("agent resend ended with %d: %s", r.code, r.errOut)
	}
	completed := func() bool {
		return ask(t, m.site, "SELECT count() FROM current_states WHERE topic_type = 700") == 1
	}
	if !eventually(patience, completed) {
		t.Error("resync complete did not arrive")
	}
	if got := query(t, m.site, "SELECT max(serial), uniqExact(serial) FROM state_messages"); fmt.Sprint(got) != "[[5 5]]" {
		t.Errorf("greatest serial and number of serials are %v, want 5 and no gap", got)
	}
	p.signal(syscall.SIGTERM)
	if code := p.wait(patience); code != 0 || p.logged("agent stopped") == nil {
		t.Errorf("the agent ended with %d", code)
	}
}

// A relay that is away makes the unsent grow and the status a warning; once it is back everything arrives, whatever
// happened to the agent meanwhile.
func TestAgentOutlivesRelayAndKill(t *testing.T) {
	t.Parallel()
	m := newMember(t)
	if _, code := m.status(); code != int(cli.HealthUnknown) {
		t.Errorf("where no agent ever ran, status ended with %d, want %d", code, cli.HealthUnknown)
	}
	s, p := m.serve(), m.run()
	if r := m.tell("before", 1, "--now"); r.code != 0 {
		t.Fatalf("agent send --now ended with %d: %s", r.code, r.errOut)
	}
	if _, code := m.status(); code != int(cli.HealthOK) {
		t.Errorf("status ended with %d, want %d", code, cli.HealthOK)
	}
	s.kill()
	for i := range 3 {
		if r := m.tell(fmt.Sprint("away-", i), 1, "--now"); r.code != cli.ExitFailed ||
			!strings.Contains(r.errOut, cli.FmtCount(i+1, "state")+" not sent yet") {
			t.Errorf("without a relay, agent send --now ended with %d: %s", r.code, r.errOut)
		}
		if status, code := m.status(); code != int(cli.HealthWarning) || status.Unsent != i+1 || status.Connected ||
			status.Oldest <= 0 {
			t.Errorf("without a relay, status ended with %d: %+v", code, status)
		}
	}
	p.kill()
	if r := command(t, m.data, "agent", "status"); r.code != int(cli.HealthCritical) ||
		!strings.Contains(r.errOut, "agent run") {
		t.Errorf("status of a killed agent ended with %d: %s", r.code, r.errOut)
	}
	if r := m.tell("nobody", 1); r.code != cli.ExitFailed || !strings.Contains(r.errOut, "agent run") {
		t.Errorf("agent send to a killed agent ended with %d: %s", r.code, r.errOut)
	}
	again := m.run()
	if status, _ := m.status(); status.Unsent != 3 {
		t.Errorf("after kill -9 the agent has %d unsent states, want 3", status.Unsent)
	}
	m.serve()
	// A policy that a relay could not give while its site started is asked for again within a minute.
	if !eventually(2*patience, func() bool { status, code := m.status(); return status.Unsent == 0 && code == 0 }) {
		status, code := m.status()
		t.Fatalf("the relay is back and status is %d %+v\n%s", code, status, tail(again.text(), 2000))
	}
	if !eventually(patience, func() bool { return ask(t, m.site, "SELECT count() FROM current_states") == 4 }) {
		t.Errorf("%d states at the site, want 4", ask(t, m.site, "SELECT count() FROM current_states"))
	}
}

// An agent that is killed again and again while it sends reuses no serial and leaves out none.
func TestKilledAgentReusesNoSerial(t *testing.T) {
	t.Parallel()
	m := newMember(t)
	m.serve()
	for round := range 6 {
		p := m.run()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			socket := local.Dial(client.Dir(m.data))
			for i := 0; ; i++ {
				_, err := socket.Raise(t.Context(), local.RaiseRequest{Now: i%2 == 1, States: []local.RaisedState{
					{TopicType: 500, TopicID: fmt.Sprint(i % 7), StateID: uint32(i % 4), Params: []string{fmt.Sprint(round, i)}}}})
				if err != nil {
					return
				}
			}
		}()
		eventually(patience, func() bool { status, _ := m.status(); return status.LastSerial >= uint64(20*(round+1)) })
		p.kill()
		<-sent
	}
	m.run()
	if r := m.tell("last", 1, "--now"); r.code != 0 {
		t.Fatalf("agent send --now ended with %d: %s", r.code, r.errOut)
	}
	status, _ := m.status()
	count := "SELECT max(serial), uniqExact(serial), uniqExact(serial, payload_hash) FROM state_messages"
	want := fmt.Sprintf("[[%d %d %d]]", status.LastSerial, status.LastSerial, status.LastSerial)
	if !eventually(patience, func() bool { return fmt.Sprint(query(t, m.site, count)) == want }) {
		t.Errorf("greatest serial, serials, and messages are %v, want %s", query(t, m.site, count), want)
	}
	if status.LastSerial < 100 {
		t.Errorf("only %d messages were sent", status.LastSerial)
	}
}

func TestAgentExitCodes(t *testing.T) {
	t.Parallel()
	m := newMember(t)
	m.serve()
	p := m.run()
	for _, tc := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no relay configured", []string{"run"}, cli.ExitUsage, "agent.relay"},
		{"a relay without TLS", []string{"run", "--set", "agent.relay=http://mp:80"}, cli.ExitUsage, "agent.relay"},
		{"an authority that is not there", []string{"run", "--set", "agent.relay=https://mp:1", "--set",
			"agent.ca_file=/nowhere.pem"}, cli.ExitFailed, "agent.ca_file"},
		{"a wrong pin", []string{"run", "--set", "agent.relay=https://mp:1", "--set", "agent.pin=ab"}, cli.ExitUsage,
			"agent.pin"},
		{"a wrong client id", []string{"run", "--set", "agent.relay=https://mp:1", "--set", "agent.client_id=me"},
			cli.ExitUsage, "agent.client_id"},
		{"a second agent", []string{"run", "--set", "agent.relay=https://mp:1"}, cli.ExitFailed,
			fmt.Sprintf("process %d runs the agent", p.cmd.Process.Pid)},
		{"half a state", []string{"send", "--type", "500", "--state", "1"}, cli.ExitUsage, "--topic"},
		{"nothing", []string{"send"}, cli.ExitUsage, "--topic"},
		{"parameters without a state", []string{"send", "--now", "--param", "x"}, cli.ExitUsage, "--topic"},
		{"a wrong time", []string{"send", "--type", "5", "--topic", "x", "--state", "1", "--time", "noon"},
			cli.ExitUsage, "--time"},
		{"a wrong priority", []string{"send", "--type", "5", "--topic", "x", "--state", "1", "--priority", "11"},
			cli.ExitUsage, "0 to 10"},
		{"a state of the agent's own", []string{"send", "--type", "700", "--topic", "x", "--state", "2"}, cli.ExitUsage,
			"700"},
		{"details from a missing file", []string{"send", "--type", "5", "--topic", "x", "--state", "1", "--details",
			"@/nowhere"}, cli.ExitUsage, "/nowhere"},
		{"two kinds of messages", []string{"messages", "--sent", "--refused"}, cli.ExitUsage, "choose one"},
		{"an unknown format", []string{"messages", "--format", "xml"}, cli.ExitUsage, "parquet"},
		{"a state", []string{"send", "--type", "5", "--topic", "x", "--state", "1", "--details", "@/proc/version"}, 0, ""},
		{"what it holds", []string{"messages"}, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := command(t, m.data, append([]string{"agent"}, tc.args...)...)
			if r.code != tc.code || !strings.Contains(r.errOut, tc.says) ||
				(tc.code != 0) != (strings.Count(r.errOut, "\n") == 1) {
				t.Errorf("ended with %d: %q; want %d with %q in one line", r.code, r.errOut, tc.code, tc.says)
			}
		})
	}
}

var aptLine = regexp.MustCompile(`(?m)^([^/\s]+)/\S+ (\S+) (\S+) \[upgradable from: (\S+)\]$`)
