package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"
)

func TestMain(m *testing.M) {
	child() // does not return in a process that a test started
	goleak.VerifyTestMain(m)
}

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(text string) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, dir string, o Options) *Log {
	t.Helper()
	l, err := Open(dir, o)
	check(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func begin(t testing.TB, l *Log, a Action) func(outcome, detail string) {
	t.Helper()
	finish, err := l.Begin(context.Background(), a)
	check(t, err)
	return finish
}

// verified is what Verify says of a log that is as it was written.
func verified(t testing.TB, dir string) Report {
	t.Helper()
	r, err := Verify(context.Background(), dir, VerifyOptions{})
	check(t, err)
	for _, f := range r.Faults {
		t.Errorf("a good log: %v", f)
	}
	return r
}

func read(t testing.TB, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	check(t, err)
	return string(text)
}

func lines(t testing.TB, dir string) (all []Line) {
	t.Helper()
	unread, err := Lines(context.Background(), dir, func(l Line) error { all = append(all, l); return nil })
	check(t, err)
	if unread > 0 {
		t.Errorf("%d lines cannot be read", unread)
	}
	return all
}

// A line has these keys in this order, names the hash of the one before across files, and says of parameters only their
// hash.
func TestTheLinesAsTheyAreWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	var c clock
	c.set("2026-11-28T22:10:00.123456Z")
	l := open(t, dir, Options{Clock: c.now, Site: "S01"})
	begin(t, l, Action{Actor: "token:7Q2M", Role: "operator", From: "10.0.0.5", Action: "task.push", Object: "task:0f3e",
		Targets: 312, Params: []byte("secret"), Reason: `<b> & "q" ` + "\xff\u2028"})("done", "312 < 400")
	c.set("2026-12-01T00:00:00Z")
	begin(t, l, Action{Actor: "site", Action: "a"})
	c.set("2026-11-30T00:00:00Z") // put back
	begin(t, l, Action{Actor: "site", Action: "b"})

	const first = `{"seq":1,"time":"2026-11-28T22:10:00.123Z","actor":"token:7Q2M","role":"operator","from":"10.0.0.5",` +
		`"action":"task.push","object":"task:0f3e","targets":312,` +
		`"params_sha256":"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",` +
		`"reason":"<b> & \"q\" ` + "\uFFFD" + `\u2028","prev":"`
	wantFirst := first + strings.Repeat("0", 64) + `"}`
	wantSecond := `{"seq":2,"time":"2026-11-28T22:10:00.123Z","of":1,"outcome":"done","detail":"312 < 400","prev":"` +
		sumOf([]byte(wantFirst)) + `"}`
	if got := read(t, dir, "2026-11.jsonl"); got != wantFirst+"\n"+wantSecond+"\n" {
		t.Errorf("got\n%s", got)
	}
	wantThird := `{"seq":3,"time":"2026-12-01T00:00:00.000Z","actor":"site","role":"","from":"","action":"a",` +
		`"object":"","targets":0,"params_sha256":"","reason":"","prev":"` + sumOf([]byte(wantSecond)) + `"}`
	if got := read(t, dir, "2026-12.jsonl"); !strings.HasPrefix(got, wantThird+"\n"+`{"seq":4,"time":"2026-11-30T`) {
		t.Errorf("got\n%s", got)
	}
	check(t, l.Close())
	if r := verified(t, dir); r.Seq != 4 || r.Lines != 4 || r.Files != 2 || r.Open != 2 || r.Head.Seq != 4 {
		t.Errorf("%+v", r)
	}
	if got := lines(t, dir); got[0].Targets != 312 || got[1].Of != 1 || got[1].Outcome != Done || got[1].Detail !=
		"312 < 400" || got[0].Reason != "<b> & \"q\" \uFFFD\u2028" {
		t.Errorf("%+v", got[:2])
	}
	for _, name := range []string{"2026-11.jsonl", "2026-12.jsonl", "head", "key"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
}

// Anybody can check a head with the verifier key alone: a note that says origin, seq and the hash of the line.
func TestTheHeadIsASignedNote(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{Site: "the site+1"})
	key, err := VerifierKey(dir)
	check(t, err)
	v, err := note.NewVerifier(key)
	check(t, err)
	for want, do := range []func(){func() {}, func() { begin(t, l, Action{Action: "a"}); check(t, l.Close()) }} {
		do()
		n, err := note.Open([]byte(read(t, dir, "head")), note.VerifierList(v))
		check(t, err)
		sum := zeros
		if want > 0 {
			text, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
			check(t, err)
			line, err := os.ReadFile(text[0])
			check(t, err)
			sum = sumOf(line[:len(line)-1])
		}
		if n.Text != fmt.Sprintf("statewire/the-site-1/audit\n%d\n%s\n", want, sum) {
			t.Errorf("the head says %q", n.Text)
		}
	}
}

// A head is signed after each line, at most once a second, and at the end; each is handed on.
func TestHeadsAreSignedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var mu sync.Mutex
		var seqs []uint64
		l := open(t, dir, Options{Copy: func(h Head) {
			mu.Lock()
			defer mu.Unlock()
			seqs = append(seqs, h.Seq)
			if h.Note != read(t, dir, "head") || h.Time.Location() != time.UTC {
				t.Errorf("%+v is not what the file says", h)
			}
		}})
		time.Sleep(time.Minute)
		begin(t, l, Action{Action: "a"})
		synctest.Wait()
		for range 20 { // two seconds
			time.Sleep(100 * time.Millisecond)
			begin(t, l, Action{Action: "b"})
		}
		check(t, l.Close())
		mu.Lock()
		defer mu.Unlock()
		if got := fmt.Sprint(seqs); got != "[0 1 10 20 21]" && got != "[0 1 11 21]" && got != "[0 1 10 21]" &&
			got != "[0 1 11 20 21]" {
			t.Errorf("heads of %v", seqs)
		}
	})
}

func TestOneProcessHasTheLog(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("a second one: %v", err)
	}
	check(t, l.Close())
	check(t, l.Close())
	if _, err := l.Begin(context.Background(), Action{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("after the end: %v", err)
	}
	check(t, open(t, dir, Options{}).Close())
}

func TestWhatCannotBeALineIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	_, err := l.Begin(context.Background(), Action{Action: "a", Reason: strings.Repeat("\x01", maxLineBytes/6)})
	if err == nil || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "shorter reason") {
		t.Errorf("a long reason: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Begin(ctx, Action{}); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits for it: %v", err)
	}
	begin(t, l, Action{Action: "a"})("failed", strings.Repeat("ä", maxLineBytes))
	check(t, l.Close())
	verified(t, dir)
	if got := lines(t, dir); len(got) != 2 || len(got[1].Detail) > maxDetailBytes || !strings.HasSuffix(got[1].Detail,
		"ä…") {
		t.Errorf("%d lines", len(got))
	}
}

// The longest line that is taken is read, too.
func TestTheLongestLineIsRead(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	most := 0
	for n := maxLineBytes - 300; n < maxLineBytes; n++ {
		e := actionEntry(Action{Action: "a", Reason: strings.Repeat("r", n)})
		if e.fits() == nil {
			most = n
		}
	}
	begin(t, l, Action{Action: "a", Reason: strings.Repeat("r", most)})
	check(t, l.Close())
	if got := lines(t, dir); verified(t, dir).Seq != 1 || len(got) != 1 || len(got[0].Reason) != most {
		t.Errorf("%d lines", len(got))
	}
}

func TestAnOutcomeIsToldOnce(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	finish := begin(t, l, Action{Action: "a"})
	finish(Outcome(errors.New("no")))
	finish(Outcome(nil))
	check(t, l.Close())
	if got := lines(t, dir); len(got) != 2 || got[1].Outcome != Failed || got[1].Detail != "no" {
		t.Errorf("%+v", got)
	}
}
