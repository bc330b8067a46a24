package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// From the administrator's token to a row in the site's store: a site that wants to know its callers, a machine that
// enrols by one command, and no other setting.
func TestATokenLeadsToAStoredState(t *testing.T) {
	t.Parallel()
	m := newMember(t)
	serve(t, m.site, "--set", "relay.listen="+m.addr, "--set", "relay.auth=mtls").awaitReady()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(done(t, m.site, "enroll", "token", "create")), 0o600); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Client     string
		NextSerial uint64    `json:"next_serial"`
		Until      time.Time `json:"valid_until"`
	}
	out := done(t, m.data, "--format", "json", "agent", "enroll", "--relay", "https://"+m.addr, "--token-file", token)
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.NextSerial != 1 || time.Until(got.Until) < 24*time.Hour {
		t.Fatalf("agent enroll says %s: %v", out, err)
	}
	p := spawn(t, m.data, nil, "agent", "run", "--set", "agent.startup_jitter=0", "--set", "agent.scan_interval=0")
	p.await("agent started", "client", patience)
	if r := m.tell("update-1", 11, "--now"); r.code != 0 || !strings.Contains(r.out, "receipt") {
		t.Fatalf("agent send --now ended with %d: %s%s", r.code, r.out, r.errOut)
	}
	own := strings.ToLower(strings.TrimPrefix(got.Client, "GUID:"))
	row := "SELECT topic_id FROM current_states WHERE client_id = '" + own + "'"
	if !eventually(patience, func() bool { return len(query(t, m.site, row)) == 1 }) {
		t.Fatalf("no row at the site after %v", patience)
	}
	if status, code := m.status(); code != 0 || status.Client != got.Client {
		t.Errorf("agent status ended with %d: %+v", code, status)
	}
	for row, want := range map[string]string{"identity": "1 enrolled", "enrolment": "1 enrolment token can be used",
		"certificate": "good until"} {
		if out := done(t, m.site, "--format", "csv", "status"); !strings.Contains(out, "\n"+row+",ok,") ||
			!strings.Contains(out, want) {
			t.Errorf("status says\n%s", out)
		}
	}
	lines := done(t, m.site, "--format", "csv", "audit", "list")
	if !strings.Contains(lines, ",sql.read,store,") || !strings.Contains(lines, ",audit.read,") {
		t.Errorf("who read has no line in the audit log:\n%s", lines)
	}
	again := command(t, dataDir(t), "agent", "enroll", "--relay", "https://"+m.addr, "--token-file", token)
	if again.code == 0 || !strings.Contains(again.errOut, "token_used") {
		t.Errorf("a second machine with the same token ended with %d: %s", again.code, again.errOut)
	}
}
