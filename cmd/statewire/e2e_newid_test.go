package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"statewire/agent/cache"
	"statewire/cmd/statewire/cli"
	"statewire/smx"
)

// A store whose serials an earlier version has used up: the agent runs, says so, and one command gives it a new id,
// with and without a running agent. All that it holds reaches the site under each id, from serial 1 on.
func TestAnAgentAtItsEndGetsANewID(t *testing.T) {
	t.Parallel()
	m := newMember(t)
	m.serve()
	usedUp(t, m.data)
	run := m.run()
	status, code := m.status()
	if code != int(cli.HealthCritical) || !strings.Contains(status.Why, "agent new-id") ||
		status.LastSerial != smx.MaxSerial {
		t.Fatalf("status %d, %+v", code, status)
	}
	if r := m.send("--type", "9100", "--topic", "b", "--state", "1", "--now"); r.code != cli.ExitFailed ||
		!strings.Contains(r.errOut, "new-id") {
		t.Errorf("sending ended with %d: %s", r.code, r.errOut)
	}
	old, own := newID(t, m)
	if old != status.Client || own == old {
		t.Errorf("from %s to %s, had %s", old, own, status.Client)
	}
	if status, _ = m.status(); status.Client != own || run.ended() {
		t.Errorf("the agent goes on as %+v", status)
	}
	done(t, m.data, "agent", "send", "--now")
	run.signal(syscall.SIGTERM)
	if code := run.wait(patience); code != 0 {
		t.Errorf("the agent ended with %d", code)
	}
	second, third := newID(t, m)
	if second != own || third == own {
		t.Errorf("at rest from %s to %s, had %s", second, third, own)
	}
	m.run()
	done(t, m.data, "agent", "send", "--now")
	for _, client := range []string{own, third} {
		id, err := smx.ParseClientID(client)
		if err != nil {
			t.Fatal(err)
		}
		held := "SELECT count() FROM current_states WHERE serial IN (1, 2) AND topic_id IN ('a', 'b') AND client_id = '" +
			id.UUID() + "'"
		if !eventually(patience, func() bool { return ask(t, m.site, held) == 2 }) {
			t.Errorf("the site lacks states of %s", client)
		}
	}
	if r := command(t, m.data, "agent", "accept-serial", "77"); r.code != cli.ExitUsage ||
		!strings.Contains(r.errOut, "no serial was declined") {
		t.Errorf("accept-serial ended with %d: %s", r.code, r.errOut)
	}
}

// What cannot be given a new id says why.
func TestNewIDRefuses(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	if r := command(t, data, "agent", "new-id"); r.code != cli.ExitFailed ||
		!strings.Contains(r.errOut, "never an agent") {
		t.Errorf("without a store: %d %s", r.code, r.errOut)
	}
	usedUp(t, data)
	r := command(t, data, "--set", "agent.client_id=9C0F8D1E-3B44-4E71-8F5A-0D2B6A7C1E33", "agent", "new-id")
	if r.code != cli.ExitUsage || !strings.Contains(r.errOut, "agent.client_id") {
		t.Errorf("with a configured id: %d %s", r.code, r.errOut)
	}
}

// usedUp makes an agent's store with a state and no serial left.
func usedUp(t *testing.T, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(data, "agent"), 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := cache.Open(filepath.Join(data, "agent", "agent.db"), cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	store := file.Client(file.Own())
	state := cache.State{Priority: smx.NoPriority}
	state.TopicType, state.TopicID, state.StateID, state.Time = 9100, "a", 1, time.Now()
	if err := store.Put(state); err != nil {
		t.Fatal(err)
	}
	if err := store.Continue(smx.MaxSerial); err != nil {
		t.Fatal(err)
	}
}

func newID(t *testing.T, m *member) (old, own string) {
	t.Helper()
	var said struct {
		Old string `json:"old_client"`
		Own string `json:"client"`
	}
	if err := json.Unmarshal([]byte(done(t, m.data, "--format", "json", "agent", "new-id")), &said); err != nil {
		t.Fatal(err)
	}
	return said.Old, said.Own
}
