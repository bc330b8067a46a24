//go:build unix

package audit

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const childDir = "STATEWIRE_TEST_AUDIT"

// child appends from many sides until it is killed, and says what it was acknowledged.
func child() {
	dir := os.Getenv(childDir)
	if dir == "" {
		return
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	l, err := Open(dir, Options{Clock: func() time.Time { // a new file every few lines
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(24 * time.Hour)
		return at
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for side := range 4 {
		go func() {
			for n := 0; ; n++ {
				object := fmt.Sprintf("%d.%d.%d", os.Getpid(), side, n)
				finish, err := l.Begin(context.Background(), Action{Action: "a", Object: object})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Println("begun", object)
				finish(Done, object)
				fmt.Println("done", object)
			}
		}()
	}
	select {}
}

// A process that is killed at any moment loses no line that it acknowledged, and what it leaves is a good log.
func TestNoKillLosesALine(t *testing.T) {
	dir := t.TempDir()
	said := map[string]bool{}
	for _, acks := range []int{1, 50, 13, 200, 31, 77} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		check(t, err)
		check(t, cmd.Start())
		heard := 0
		for in := bufio.NewScanner(out); in.Scan(); {
			said[in.Text()] = true
			if heard++; heard == acks {
				check(t, cmd.Process.Kill())
			}
		}
		_ = cmd.Wait()
		if heard < acks {
			t.Fatalf("it ended after %d: %s", heard, errs.String())
		}
		if left := verifyTorn(t, dir); left > 1 {
			t.Errorf("%d lines are cut", left)
		}
	}
	check(t, open(t, dir, Options{}).Close())
	r := verified(t, dir)
	objects, ends := map[uint64]string{}, map[uint64]string{}
	for _, line := range lines(t, dir) {
		if line.Of > 0 {
			ends[line.Of] = line.Outcome
			delete(said, "done "+line.Detail)
			continue
		}
		objects[line.Seq] = line.Object
		delete(said, "begun "+line.Object)
	}
	for seq, object := range objects {
		if ends[seq] == "" {
			t.Errorf("%s has no outcome", object)
		}
	}
	for what := range said {
		t.Errorf("%s was acknowledged and is not there", what)
	}
	t.Log(strconv.FormatUint(r.Lines, 10), "lines in", r.Files, "files,", len(r.Torn), "cut")
}

// verifyTorn is how many faults there are besides none: a kill may leave one cut line at the very end.
func verifyTorn(t *testing.T, dir string) int {
	t.Helper()
	r, err := Verify(context.Background(), dir, VerifyOptions{})
	check(t, err)
	for _, f := range r.Faults {
		if !strings.Contains(f.Problem, "cut") || f.Seq != r.Seq {
			t.Errorf("after a kill: %v", f)
		}
	}
	return len(r.Faults)
}
