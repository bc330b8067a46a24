package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// crash lets go of a log as the end of a process does.
func (l *Log) crash() {
	l.mu.Lock()
	l.closed = true
	if l.timer != nil && l.timer.Stop() {
		l.timing.Done()
	}
	l.mu.Unlock()
	l.timing.Wait()
	_ = l.release()
}

func newestFile(t *testing.T, dir string) string {
	t.Helper()
	names, err := monthFiles(dir)
	check(t, err)
	return filepath.Join(dir, names[len(names)-1])
}

func addText(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	_, err = f.WriteString(text)
	check(t, errors.Join(err, f.Close()))
}

// A line that a crash cut is kept apart and noted, and the chain goes on without it.
func TestALineThatACrashCut(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	begin(t, l, Action{Action: "a"})(Done, "")
	l.crash()
	const cut = `{"seq":3,"time":"2026`
	addText(t, newestFile(t, dir), cut)
	r, err := Verify(context.Background(), dir, VerifyOptions{})
	check(t, err)
	if len(r.Faults) != 1 || r.Faults[0].Seq != 3 || r.Faults[0].Line != 3 {
		t.Errorf("before the start: %v", r.Faults)
	}
	l = open(t, dir, Options{})
	check(t, l.Close())
	r = verified(t, dir)
	if len(r.Torn) != 1 || read(t, dir, r.Torn[0]) != cut || r.Open != 0 {
		t.Fatalf("%+v", r)
	}
	got := lines(t, dir)
	if len(got) != 4 || got[2].Seq != 3 || got[2].Actor != "site" || got[2].Action != "audit.torn" ||
		got[2].Object != "audit/"+r.Torn[0] || got[3].Of != 3 {
		t.Errorf("%+v", got)
	}
}

// An action of a process that ended gets its outcome at the next start: unknown, once.
func TestAnActionOfAProcessThatEnded(t *testing.T) {
	dir := t.TempDir()
	var c clock
	c.set("2026-01-31T12:00:00Z")
	l := open(t, dir, Options{Clock: c.now})
	begin(t, l, Action{Action: "a"})
	begin(t, l, Action{Action: "b"})(Done, "")
	c.set("2026-03-01T12:00:00Z")
	begin(t, l, Action{Action: "c"})
	l.crash()
	check(t, open(t, dir, Options{Clock: c.now}).Close())
	check(t, open(t, dir, Options{Clock: c.now}).Close())
	unknown := map[uint64]int{}
	for _, line := range lines(t, dir) {
		if line.Outcome == Unknown {
			unknown[line.Of]++
		}
	}
	if len(unknown) != 2 || unknown[1] != 1 || unknown[4] != 1 {
		t.Errorf("unknown: %v", unknown)
	}
	verified(t, dir)
}

// What is written after the last head was signed is good, too, and signed at the next start.
func TestLinesThatNoHeadNamesYet(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	begin(t, l, Action{Action: "a"})(Done, "")
	check(t, l.Close())
	old := read(t, dir, headFile)
	l = open(t, dir, Options{})
	begin(t, l, Action{Action: "b"})(Done, "")
	l.crash()
	check(t, os.WriteFile(filepath.Join(dir, headFile), []byte(old), 0o600))
	if r := verified(t, dir); r.Head.Seq != 2 || r.Seq != 4 {
		t.Errorf("%+v", r)
	}
	check(t, open(t, dir, Options{}).Close())
	if r := verified(t, dir); r.Head.Seq != 4 || r.Seq != 4 {
		t.Errorf("%+v", r)
	}
}

// A start heals nothing that somebody did: it goes on above the greatest number that was signed, records that the log
// is broken, and keeps the head that says so.
func TestAStartHidesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(t *testing.T, dir string)
		seq    uint64 // that verify names after the start
	}{
		"the end is cut": {func(t *testing.T, dir string) {
			path := newestFile(t, dir)
			text := strings.SplitAfter(read(t, dir, filepath.Base(path)), "\n")
			check(t, os.WriteFile(path, []byte(strings.Join(text[:4], "")), 0o600))
		}, 5},
		"the last line is another": {func(t *testing.T, dir string) {
			path := newestFile(t, dir)
			text := strings.Replace(read(t, dir, filepath.Base(path)), "of the third", "of the fifth", 1)
			check(t, os.WriteFile(path, []byte(text), 0o600))
		}, 6},
		"the file is gone": {func(t *testing.T, dir string) { check(t, os.Remove(newestFile(t, dir))) }, 1},
		"the head is another's": {func(t *testing.T, dir string) {
			other := t.TempDir()
			check(t, open(t, other, Options{}).Close())
			check(t, os.WriteFile(filepath.Join(dir, headFile), []byte(read(t, other, headFile)), 0o600))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, Options{})
			for _, detail := range []string{"of the first", "of the second", "of the third"} {
				begin(t, l, Action{Action: "a"})(Done, detail)
			}
			check(t, l.Close())
			tc.change(t, dir)
			check(t, open(t, dir, Options{}).Close())
			l = open(t, dir, Options{})
			begin(t, l, Action{Action: "later"})
			check(t, l.Close())
			r, err := Verify(context.Background(), dir, VerifyOptions{})
			check(t, err)
			if len(r.Faults) == 0 {
				t.Fatal("nothing is named")
			}
			found := false
			for _, f := range r.Faults {
				found = found || f.Seq == tc.seq
			}
			if !found || r.Seq < 8 {
				t.Errorf("seq %d: %v", r.Seq, r.Faults)
			}
			noted, seen := 0, map[uint64]bool{}
			for _, line := range lines(t, dir) {
				if line.Action == "audit.broken" {
					noted++
				}
				if seen[line.Seq] {
					t.Errorf("seq %d was used twice", line.Seq)
				}
				seen[line.Seq] = true
			}
			if noted == 0 {
				t.Error("the start notes nothing")
			}
		})
	}
}

// A log without its key could not be believed: it is not opened, and no new key is made.
func TestAKeyThatIsMissing(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	begin(t, l, Action{Action: "a"})
	check(t, l.Close())
	check(t, os.Rename(filepath.Join(dir, keyFile), filepath.Join(t.TempDir(), keyFile)))
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("opened: %v", err)
	}
	if _, err := Verify(context.Background(), dir, VerifyOptions{}); err == nil || !strings.Contains(err.Error(),
		"verifier key") {
		t.Errorf("verified: %v", err)
	}
}
