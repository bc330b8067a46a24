package manager

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"statewire/store/storetest"
)

// taskChildEnv names the folder of a manager that this test program is to run and that makes tasks, to be killed.
const taskChildEnv = "STATEWIRE_TEST_TASKS"

// killedTargets is how many clients each of its tasks is for.
const killedTargets = 3000

// runTaskChild makes one task after the other and says which are made, until it is killed.
func runTaskChild(dir string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // also where nobody is left to kill it
	defer cancel()
	cfg := killed(dir)
	cfg.Live = Live{Tasks: DefaultTasksConfig()}
	m, err := Open(cfg, newOffice().deps(nil))
	for n := 0; err == nil && ctx.Err() == nil; n++ {
		var s TaskStatus
		s, err = m.Create(ctx, admin, Order{Name: "Event", Clients: upTo(killedTargets), Expect: killedTargets})
		if err == nil && n%2 == 1 {
			_, err = m.Cancel(ctx, admin, s.Task.String(), "")
		}
		fmt.Println(s.ID)
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// A manager that is killed while it makes and cancels tasks has each whole or not at all, and each that it said was
// made.
func TestKillAnywhereATaskIsWholeOrNotThere(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(storetest.Seed(t), 2))
	made := uint64(0)
	for range 4 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), taskChildEnv+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			t.Fatal("no task is made")
		}
		time.AfterFunc(time.Duration(r.IntN(200))*time.Millisecond, func() { _ = child.Process.Kill() })
		last := lines.Text()
		for lines.Scan() {
			last = lines.Text()
		}
		_ = child.Wait() // it was killed
		if _, err := fmt.Sscan(strings.TrimSpace(last), &made); err != nil {
			t.Fatal(err)
		}
	}
	b := &bench{t: t, now: time.Now(), cfg: killed(dir), office: newOffice()}
	if err := os.MkdirAll(filepath.Join(b.cfg.Box, "bad"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.open()
	defer b.Close()
	list, err := b.List(t.Context(), admin, ListOptions{})
	if err != nil || uint64(len(list)) < made {
		t.Fatalf("%d tasks of %d, %v", len(list), made, err)
	}
	t.Logf("%d tasks of %d clients, %d of which were told", len(list), killedTargets, made)
	waits := 0
	for i, s := range list {
		if s.ID != uint64(len(list)-i) {
			t.Errorf("task %d stands at %d of %d", s.ID, i, len(list))
		}
		b.wholeTask(s)
		waits += s.Counts.Queued + s.Counts.Offline
	}
	if b.openSteps != waits {
		t.Errorf("%d steps are open in memory, %d wait", b.openSteps, waits)
	}
}

// wholeTask checks that every client of a task is there, as its counts say, and waits for the tables.
func (b *bench) wholeTask(s TaskStatus) {
	b.t.Helper()
	steps, counts := 0, Counts{Targets: killedTargets}
	err := b.db.View(func(tx *bbolt.Tx) error {
		return eachStep(tx, s.ID, func(key stepKey, one *step) error {
			counts.add(one, 1)
			steps++
			if tx.Bucket(bucketStepWaits).Get(numberKey(one.Version)) == nil {
				b.t.Errorf("the tables never learn of %+v", key)
			}
			return nil
		})
	})
	have := s.Counts
	have.Queued, have.Offline = have.Queued+have.Offline, 0
	if err != nil || steps != killedTargets || counts != have || have.Queued > 0 && have.Cancelled > 0 &&
		s.State != TaskCancelled {
		b.t.Errorf("task %d has %d clients, %+v and %+v, %v", s.ID, steps, counts, have, err)
	}
}
