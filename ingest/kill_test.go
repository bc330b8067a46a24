package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"statewire/inbox"
	"statewire/store"
)

// childEnv holds the errand of a child process; without it the test binary tests.
const childEnv = "STATEWIRE_TEST_INGEST"

// errand is what a child process does: drain an inbox into an engine of its own, and die on the way or go on with the
// next one.
type errand struct {
	Root  string // of the inbox
	Store string
	Chunk int    // files
	Kill  string // a step of the store or the text of a log record
	Nth   int    // of them, from 1
	Delay time.Duration
	Query []string // asked when it lived to the end
	Next  *errand  `json:",omitempty"` // of the same store: an engine takes longer to start than a load
}

// killer kills the process at the nth time something happens.
type killer struct {
	errand
	mu sync.Mutex
	n  int
}

func (k *killer) happens(what string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if what != k.Kill {
		return
	}
	if k.n++; k.n != k.Nth {
		return
	}
	if k.Delay > 0 {
		time.AfterFunc(k.Delay, die)
		return
	}
	die()
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// runChild runs an errand and returns the exit code.
func runChild(text string) int {
	var e errand
	err := json.Unmarshal([]byte(text), &e)
	if err == nil {
		err = e.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (e errand) run() error {
	debug.SetMemoryLimit(MemoryLimit)
	db, err := store.Open(context.Background(), store.DefaultConfig(), store.Options{Access: store.Own, Dir: e.Store})
	if err != nil {
		return err
	}
	for next := &e; next != nil; next = next.Next {
		if err := next.load(db); err != nil {
			return err
		}
	}
	return db.Close()
}

func (e errand) load(db *store.Store) error {
	k := &killer{errand: e}
	log := slog.New(&logWatch{f: func(text string, _ map[string]string) { k.happens(text) }})
	dir, err := inbox.Open(e.Root, log)
	if err != nil {
		return err
	}
	box, err := dir.Loader(e.Chunk, 100)
	if err != nil {
		return err
	}
	faults := &faulty{database: db, step: func(step string, _ []string) error { k.happens(step); return nil }}
	cfg := DefaultConfig()
	cfg.LoaderChunkFiles = e.Chunk
	l, err := New(cfg, Deps{Inbox: box, Store: faults, Log: log})
	if err != nil {
		return err
	}
	if _, err := l.Drain(context.Background()); err != nil {
		return err
	}
	if err := e.answer(db); err != nil {
		return err
	}
	return errors.Join(box.Close(), dir.Close())
}

func (e errand) answer(db *store.Store) error {
	var answers [][]string
	for _, sql := range e.Query {
		lines, err := query(db, sql)
		if err != nil {
			return err
		}
		answers = append(answers, lines)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

// child runs an errand in a process of its own and returns what it answered, nil when it died before; killed says how
// the process ended.
func (e errand) child(t *testing.T) (answers [][]string, killed bool) {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() &&
		status.Signal() == syscall.SIGKILL {
		err, killed = nil, true
	}
	if err != nil {
		t.Fatalf("child: %v", err)
	}
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&answers); err != nil && !killed {
		t.Fatalf("child answered %q: %v", out, err)
	}
	return answers, killed
}

// TestEveryMessageIsStoredOnceWhereverTheProcessDies kills a process between each pair of steps, starts another, and
// asks the store.
func TestEveryMessageIsStoredOnceWhereverTheProcessDies(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the engine")
	}
	deaths := []errand{{Kill: "claimed chunk", Nth: 1}, {Kill: "claimed chunk", Nth: 2}}
	for _, step := range steps() {
		deaths = append(deaths, errand{Kill: step, Nth: 1})
	}
	for _, delay := range []time.Duration{time.Millisecond, 4 * time.Millisecond, 10 * time.Millisecond} {
		deaths = append(deaths, errand{Kill: "send state_messages", Nth: 1, Delay: delay}) // amid the insert
	}
	for _, delay := range []time.Duration{200 * time.Microsecond, time.Millisecond} {
		deaths = append(deaths, errand{Kill: "processed batch", Nth: 1, Delay: delay}) // amid the deleting
	}
	deaths = append(deaths, errand{Kill: "processed batch", Nth: 1}, errand{Kill: "bad records set aside", Nth: 1},
		errand{Kill: "bad file set aside", Nth: 1}, errand{Kill: "processed file", Nth: 1}, errand{Kill: "processed file",
			Nth: 2},
		errand{Kill: "processed file", Nth: 4}, errand{Kill: "processed file", Nth: 20})
	dir := t.TempDir()
	var before *death
	for n, e := range deaths {
		if os.Getenv("STATEWIRE_TEST_LONG") == "" && n%2 == 1 {
			continue // two processes for each death
		}
		e.Root, e.Store = filepath.Join(dir, fmt.Sprint(n), "statesys.box"), dir
		e.Chunk = []int{1, 4, 256}[n%3]
		if strings.HasPrefix(e.Kill, "processed") {
			e.Chunk = 4
		}
		now := prepare(t, n, e)
		before.goesOn(t, now)
		before = now
	}
	before.goesOn(t, nil)
}

// death is an errand on which a process dies, and its inbox.
type death struct {
	errand
	site  *site
	first int // client
}

// prepare fills the inbox of the n-th death.
func prepare(t *testing.T, n int, e errand) *death {
	s := &site{t: t, root: e.Root, cfg: DefaultConfig(), log: slog.New(slog.DiscardHandler)}
	s.openInbox()
	d := &death{e, s, 100 * (n + 1)}
	s.everything(d.first)
	for i := range 20 {
		s.drop(name(i), bare(client(d.first+10+i), messages(1, 3)...))
	}
	s.closeInbox()
	return d
}

// goesOn has another process load what is left after a death, and then die the next one. With no death before it only
// dies.
func (d *death) goesOn(t *testing.T, next *death) {
	t.Helper()
	var e errand
	switch {
	case d == nil:
		e = next.errand
	case next == nil:
		e = d.rest(nil)
	default:
		e = d.rest(&next.errand)
	}
	have, killed := e.child(t)
	if next != nil && !killed && next.Delay == 0 {
		t.Errorf("lived to the end: %s did not come to pass", next.Kill)
	}
	if d != nil {
		t.Run(fmt.Sprintf("%s, no. %d, %v", d.Kill, d.Nth, d.Delay), func(t *testing.T) { d.compare(t, have) })
	}
}

// rest is the errand that completes what the death left.
func (d *death) rest(next *errand) errand {
	e := d.errand
	e.Kill, e.Query, e.Next = "", questions(d.first), next
	return e
}

func (d *death) compare(t *testing.T, have [][]string) {
	if have == nil {
		t.Fatal("killed without being told to die")
	}
	s := d.site
	s.t = t
	want := [][]string{{"68,68"}, {"69"}, {"73,1"}, {"1,4", "1,2", "4,6"}, {"1"}, {"1"}}
	for range 20 {
		want[3] = append(want[3], "1,3")
	}
	for i, sql := range questions(d.first) {
		slices.Sort(have[i])
		slices.Sort(want[i])
		if !slices.Equal(have[i], want[i]) {
			t.Errorf("%.60s…\nhave %q\nwant %q", sql, have[i], want[i])
		}
	}
	s.expectEmpty()
	if have := s.left("corrupt"); !slices.Equal(have, []string{"bad.SMX", "bad.SMX.reason.json", "records.SMX.1.SMX",
		"records.SMX.1.SMX.reason.json"}) {
		t.Errorf("corrupt holds %q", have)
	}
}

// questions are what is asked after a death, about the clients from first on.
func questions(first int) []string {
	var ids []string
	for i := range 30 {
		ids = append(ids, "'"+client(first+i).UUID()+"'")
	}
	clients := "client_id IN (" + strings.Join(ids, ", ") + ")"
	return []string{
		"SELECT count(), uniqExact(client_id, serial) FROM state_messages FINAL WHERE serial > 0 AND " + clients,
		"SELECT count() FROM current_states WHERE " + clients,
		"SELECT sum(messages), sum(set_aside) FROM client_reports FINAL WHERE " + clients,
		"SELECT first_serial, last_serial FROM serial_ranges FINAL WHERE " + clients,
		"SELECT count() FROM set_aside_records FINAL WHERE " + clients,
		"SELECT count() FROM bad_files FINAL WHERE name = 'bad.SMX'",
	}
}
