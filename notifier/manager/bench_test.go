package manager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"statewire/internal/durable"
	"statewire/notifier/wire"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(taskChildEnv); dir != "" {
		os.Exit(runTaskChild(dir))
	}
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(runChild(dir))
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/ClickHouse/clickhouse-go/v2.(*connPool).runDrainPool"))
}

// today is when every test begins.
var today = time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC)

// bench is a manager with a clock of its own and two servers, push1 and push2.
type bench struct {
	*Manager
	t   testing.TB
	cfg Config
	now time.Time

	office *office           // nil: it has no tasks
	got    map[uint32]uint64 // the last work that each server has
}

func newBench(t testing.TB) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, now: today, cfg: Config{Dir: filepath.Join(dir, "notifier"), Box: filepath.Join(dir, "bgb.box"),
		Server: "push1", ServerID: 1, PresenceInterval: 5 * time.Minute, History: 90 * 24 * time.Hour}}
	if err := os.MkdirAll(filepath.Join(b.cfg.Box, "bad"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.open()
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) open() {
	b.t.Helper()
	var err error
	deps := Deps{Clock: func() time.Time { return b.now }}
	if b.office != nil {
		deps = b.office.deps(deps.Clock)
	}
	b.Manager, err = Open(b.cfg, deps)
	if err != nil {
		b.t.Fatal(err)
	}
	b.allowed[2] = "push2"
	b.box.started = true // every test would have its message
}

// restart is the end of the process, and its next start.
func (b *bench) restart() {
	b.t.Helper()
	if err := b.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.open()
}

// pass has time pass, with a look every few seconds.
func (b *bench) pass(d time.Duration) {
	b.t.Helper()
	for end := b.now.Add(d); b.now.Before(end); {
		b.now = b.now.Add(min(10*time.Second, end.Sub(b.now)))
		b.step()
	}
}

// id is client n.
func id(n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("f1b00000-0000-0000-0000-%012d", n))
}

// on and off are rows of client n, minutes after the beginning.
func on(n int, session, seq uint64, minute int) wire.Row {
	at := today.Add(time.Duration(minute) * time.Minute)
	return wire.Row{Client: id(n), Online: true, Session: session, Seq: seq, Since: at, Last: at, Address: "10.0.0.7",
		Reason: wire.Online}
}

func off(n int, session, seq uint64, minute int, reason string) wire.Row {
	r := on(n, session, seq, minute)
	r.Online, r.Reason = false, reason
	return r
}

// delta is a report of push1 in its first epoch.
func delta(version uint64, rows ...wire.Row) wire.Report {
	return wire.Report{Server: "push1", ServerID: 1, Epoch: 1, Version: version, Base: version - 1, Part: 1, Parts: 1,
		Time: today, Rows: rows}
}

func full(version uint64, rows ...wire.Row) wire.Report {
	r := delta(version, rows...)
	r.Full, r.Base = true, 0
	return r
}

// second makes a report push2's.
func second(r wire.Report) wire.Report {
	r.Server, r.ServerID = "push2", 2
	return r
}

// put drops a report into the box, and returns the name of its file.
func (b *bench) put(r wire.Report) string {
	b.t.Helper()
	return b.drop(wire.ReportName(), r.Encode())
}

func (b *bench) drop(name string, data []byte) string {
	b.t.Helper()
	if err := durable.Write(b.cfg.Box, name, ".new-", data, 0o600); err != nil {
		b.t.Fatal(err)
	}
	return name
}

// load drops reports into the box, one after the other, and has each loaded.
func (b *bench) load(reports ...wire.Report) {
	b.t.Helper()
	for _, r := range reports {
		b.put(r)
		b.step()
	}
}

func (b *bench) see(server uint32, epoch uint64, rows ...wire.Row) {
	b.t.Helper()
	seen := wire.Seen{Server: fmt.Sprintf("push%d", server), ServerID: server, Epoch: epoch, Rows: rows}
	if err := b.Seen(b.t.Context(), seen); err != nil {
		b.t.Fatal(err)
	}
}

// files are the names of a folder in the box, without temporary ones.
func (b *bench) files(folder string) (names []string) {
	b.t.Helper()
	entries, err := os.ReadDir(filepath.Join(b.cfg.Box, folder))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// is says what is known of client n: "online 1 812.3 signin".
func (b *bench) is(n int) string {
	p, ok := b.Presence(id(n))
	if !ok {
		return "unknown"
	}
	status := "offline"
	if p.Online {
		status = "online"
	}
	return fmt.Sprintf("%s %d %d.%d %s", status, p.Server, p.Session, p.Seq, p.Reason)
}

func (b *bench) want(what string, n int, want string) {
	b.t.Helper()
	if got := b.is(n); got != want {
		b.t.Errorf("%s: client %d is %q, want %q", what, n, got, want)
	}
}

// all is everything that is known, to be compared.
func (b *bench) all() string {
	var lines []string
	for id, c := range b.clients {
		one := *c
		lines = append(lines, fmt.Sprintf("%s %+v", id, one))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// work is what a server is to do at this moment.
func (b *bench) work(server uint32, epoch, got uint64) wire.Work {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	cancel() // it does not wait
	ask := wire.Ask{Server: fmt.Sprintf("push%d", server), ServerID: server, Epoch: epoch, Got: got,
		Woken: got}
	if known := b.servers[server]; known != nil && known.Epoch == epoch {
		ask.Version = known.Version
	}
	w, err := b.Work(ctx, ask)
	if err != nil && ctx.Err() == nil {
		b.t.Fatal(err)
	}
	return w
}

// texts are the numbers of the status messages that wait for their table.
func (b *bench) messageIDs() (ids []int) {
	b.t.Helper()
	_, waiting, err := some[wire.ComponentMessage](b.db, bucketMessages)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, m := range waiting {
		ids = append(ids, m.ID)
	}
	return ids
}

// spans are the times of being connected that wait for their table: client, session, minutes, reason.
func (b *bench) spans() (out []string) {
	b.t.Helper()
	_, waiting, err := some[connected](b.db, bucketHistory)
	if err != nil {
		b.t.Fatal(err)
	}
	minutes := func(us int64) float64 { return fromMicro(us).Sub(today).Minutes() }
	for _, h := range waiting {
		out = append(out, fmt.Sprintf("%s %d.%d %g-%g %s", h.Client.String()[35:], h.Server, h.Session, minutes(h.From),
			minutes(h.To), h.Reason))
	}
	return out
}
