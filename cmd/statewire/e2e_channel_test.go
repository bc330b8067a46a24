package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// onlineSQL is what the site says of one client.
const onlineSQL = `SELECT c.OnlineStatus, c.ChannelType, p.session, p.reason FROM SMS_CN_ClientStatus AS c
	JOIN (SELECT * FROM client_presence FINAL) AS p ON p.client_id = c.ClientID WHERE c.ClientID = '%s' FORMAT TSV`

// member of a site whose store answers while it runs, quickly.
type online struct {
	*member
	site   *server
	store  string // address
	client string // as the store writes it
}

// goOnline enrols a machine and runs its agent.
func goOnline(t *testing.T, args ...string) *online {
	t.Helper()
	o := &online{member: newMember(t)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close() // the notifier comes back to the same address, too
	o.args = append([]string{"--set", "notifier.listen=" + ln.Addr().String()}, args...)
	o.start()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(done(t, o.member.site, "enroll", "token", "create")), 0o600); err != nil {
		t.Fatal(err)
	}
	var got struct{ Client string }
	out := done(t, o.data, "--format", "json", "agent", "enroll", "--relay", "https://"+o.addr, "--token-file", token)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("agent enroll says %s: %v", out, err)
	}
	o.client = strings.ToLower(strings.TrimPrefix(got.Client, "GUID:"))
	return o
}

// start runs the site, at the relay's address of before.
func (o *online) start() {
	o.t.Helper()
	o.site = serve(o.t, o.member.site,
		append([]string{"--set", "relay.listen=" + o.addr, "--set", "relay.auth=mtls", "--set",
			"store.listen=127.0.0.1:0", "--set", "notifier.presence_interval=1s"}, o.args...)...)
	o.store = o.site.await("store answers read-only", "address", patience)
	o.site.await("gap check", "kind", patience) // polls are answered
}

// agent runs the machine's agent.
func (o *online) agent() *process {
	o.t.Helper()
	p := spawn(o.t, o.data, nil, "agent", "run", "--set", "agent.startup_jitter=0", "--set", "agent.scan_interval=0")
	p.await("agent started", "client", patience)
	return p
}

// ask asks the store.
func (o *online) ask(sql string) string {
	resp, err := http.Get(o.store + "/?database=statewire&query=" + url.QueryEscape(sql))
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}

// awaitRow waits until the site says so of the client, and returns its session.
func (o *online) awaitRow(status, channel, reason string) (session string) {
	o.t.Helper()
	var last string
	if !eventually(patience, func() bool {
		last = o.ask(fmt.Sprintf(onlineSQL, o.client))
		row := strings.Split(last, "\t")
		if len(row) != 4 || row[0] != status || row[1] != channel || reason != "" && row[3] != reason {
			return false
		}
		session = row[2]
		return true
	}) {
		o.t.Fatalf("not %s %s %s: %s", status, channel, reason, last)
	}
	return session
}

// A machine that enrolled is online in the tables within a second of its sign-in. It learns at once what is asked of
// it. A site that is killed has it back, and one that is revoked is out.
func TestAnEnrolledMachineIsOnline(t *testing.T) {
	t.Parallel()
	o := goOnline(t)
	agent := o.agent()
	agent.await("channel open", "transport", patience)
	began := time.Now()
	o.awaitRow("1", "0", "signin")
	promised(t, time.Since(began), time.Second, "presence in the table")
	seed := `select B.ServerName, A.OnlineClients as "Online Clients" from Bgb_Server B ` +
		`left join v_BgbServerCurrent A on A.ServerID=B.ServerID order by 2 FORMAT TSVWithNames`
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if !eventually(patience, func() bool { return o.ask(seed) == "ServerName\tOnline Clients\n"+host+"\t1" }) {
		t.Errorf("the servers are\n%s", o.ask(seed))
	}

	if r := o.tell("update-1", 11, "--now"); r.code != 0 {
		t.Fatalf("agent send --now ended with %d: %s%s", r.code, r.out, r.errOut)
	}
	o.site.awaitDrained()
	began = time.Now()
	done(t, o.member.site, "resync", "request", "--client", o.client)
	completed := `SELECT count() FROM state_messages WHERE topic_type = 700 AND state_id = 2 AND client_id = '` +
		o.client + `' FORMAT TSV`
	if !eventually(patience, func() bool { return o.ask(completed) == "1" }) {
		t.Fatalf("the resync of an online client is not complete: %s", o.ask(completed))
	}
	promised(t, time.Since(began), 10*time.Second, "a resync, from the request to its completion")

	o.explains("Connected over TCP to " + host)
	o.refuseOthers(host)

	before := o.awaitRow("1", "0", "")
	o.site.signal(syscall.SIGTERM)
	if code := o.site.wait(patience); code != 0 {
		t.Fatalf("serve ended with %d", code)
	}
	query := strings.TrimSuffix(fmt.Sprintf(onlineSQL, o.client), " FORMAT TSV")
	if got := done(t, o.member.site, "--format", "csv", "sql", query); !strings.HasSuffix(got, "0,0,"+before+
		",server_stopping\n") {
		t.Errorf("the tables of a site that was stopped say %q", got)
	}
	o.start()
	before = o.awaitRow("1", "0", "signin")
	o.site.kill()
	o.start()
	if !eventually(patience, func() bool { return o.awaitRow("1", "0", "signin") != before }) {
		t.Error("the client has the session of before")
	}
	began = time.Now()
	done(t, o.member.site, "client", "revoke", o.client, "--reason", "lost")
	o.awaitRow("0", "0", "revoked")
	promised(t, time.Since(began), time.Minute, "a revocation")
	o.explains("Not connected: " + host + " declared it offline at")
	o.explains("Its certificate was revoked by")

	done(t, o.member.site, "client", "delete", o.client, "--reason", "asked for it")
	<-time.After(1500 * time.Millisecond) // a mirror and a presence file later
	for _, table := range []string{"client_presence", "presence_history"} {
		if n := o.ask("SELECT count() FROM " + table + " WHERE client_id = '" + o.client + "' FORMAT TSV"); n != "0" {
			t.Errorf("%s has %s rows of a client that was erased", table, n)
		}
	}
}

// explains asks the site why the client is shown as it is.
func (o *online) explains(want string) {
	o.t.Helper()
	if got := words(done(o.t, o.member.site, "explain", o.client)); !strings.Contains(got, want) {
		o.t.Errorf("explain does not say %q:\n%s", want, got)
	}
}

// refuseOthers drops presence files that name another server, or another number, than the site's own: nobody is
// believed who is not the notifier of this data directory.
func (o *online) refuseOthers(host string) {
	o.t.Helper()
	box := filepath.Join(o.member.site, "inboxes", "bgb.box")
	for server, id := range map[string]uint32{"elsewhere": 1, host: 7} {
		now, liar := time.Now(), uuid.New()
		report := wire.Report{Full: true, Server: server, ServerID: id, Epoch: 1, Version: 1, Part: 1, Parts: 1, Time: now,
			Online: 1, TCP: 1, Rows: []wire.Row{{Client: liar, Online: true, Session: 1, Seq: 1, Since: now, Last: now,
				Address: "10.0.0.7", Reason: "signin"}}}
		name := wire.ReportName()
		if err := os.WriteFile(filepath.Join(box, "x.tmp"), report.Encode(), 0o600); err != nil {
			o.t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(box, "x.tmp"), filepath.Join(box, name)); err != nil {
			o.t.Fatal(err)
		}
		var bad []string
		if !eventually(patience, func() bool {
			bad, _ = filepath.Glob(filepath.Join(box, "bad", name+"*"))
			return len(bad) >= 2
		}) {
			o.t.Errorf("a file of %s, %d, is not set aside with its reason: %v", server, id, bad)
		}
		if n := o.ask("SELECT count() FROM client_presence WHERE client_id = '" + liar.String() + "' FORMAT TSV"); n != "0" {
			o.t.Errorf("a file of %s, %d, is believed: %s", server, id, n)
		}
	}
}
