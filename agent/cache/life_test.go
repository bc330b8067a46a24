package cache

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"statewire/smx/policy"
)

// childStore names the store file of a test's child process.
const childStore = "STATEWIRE_TEST_AGENT_STORE"

// liveInChild is the life of a client in a process that may end at any time: it raises, packs, says what it would send,
// settles.
func liveInChild() {
	path := os.Getenv(childStore)
	if path == "" {
		return
	}
	if err := live(path, 1<<30); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func live(path string, rounds int) error {
	file, err := Open(path, Options{Client: testClient})
	if err != nil {
		return err
	}
	store := file.Client(file.Own())
	for round := range rounds {
		report, err := store.Pending()
		if err == nil && report == nil {
			if err = store.Put(detected(fmt.Sprint(round%7), rand.Uint32()),
				detected(fmt.Sprint(round%3), rand.Uint32())); err == nil {
				report, err = store.Pack(testPacking)
			}
		}
		if err != nil {
			return err
		}
		fmt.Printf("%d %d %x\n", report.First, report.Last, sha256.Sum256(report.Body)) // it leaves the machine
		end := Settlement{Outcome: Accepted, Time: testPacking.Time}
		if round%11 == 5 && len(report.States) == 1 {
			end.Outcome = Refused
		}
		if err := store.Settle(end); err != nil {
			return err
		}
		if round%13 == 7 {
			if _, err := store.Adopt(PolicyState{}, &policy.Resync{Number: uint32(report.Last),
				NextSerial: report.Last + 5}); err != nil {
				return err
			}
		}
	}
	return file.Close()
}

// wiretap has seen all reports that left the machine.
type wiretap struct {
	t    *testing.T
	last uint64
	seen map[uint64]string // what left under a first serial
}

// watch runs a child and ends its life, in the way given, after so many reports have left.
func (w *wiretap) watch(path string, reports int, end func(child *os.Process)) {
	w.t.Helper()
	child := exec.CommandContext(w.t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childStore+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	n := 0
	for ; lines.Scan(); n++ {
		if n == reports {
			end(child.Process)
		}
		w.take(lines.Text())
	}
	if err := child.Wait(); n < reports {
		w.t.Fatalf("the child sent %d reports and ended: %v", n, err)
	}
}

// take holds a report against those before it: the same bytes again, or serials never seen.
func (w *wiretap) take(line string) {
	w.t.Helper()
	var first, last uint64
	var body string
	if _, err := fmt.Sscanf(line, "%d %d %s", &first, &last, &body); err != nil {
		return // cut off
	}
	switch before, again := w.seen[first]; {
	case again && before != body:
		w.t.Fatalf("serial %d left twice with different reports", first)
	case !again && first <= w.last:
		w.t.Fatalf("serial %d left after %d had", first, w.last)
	}
	w.seen[first], w.last = body, max(w.last, last)
}

func TestAKilledAgentNeverUsesASerialTwice(t *testing.T) {
	w := &wiretap{t: t, seen: map[uint64]string{}}
	path := filepath.Join(t.TempDir(), "agent.db")
	for i := range 20 {
		w.watch(path, 3*i+1, func(child *os.Process) { _ = child.Kill() })
	}
	if w.last < 100 {
		t.Errorf("only %d serials were used", w.last)
	}
}
