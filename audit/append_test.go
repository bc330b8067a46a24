package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"statewire/internal/durable"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// slow is a file whose syncs wait until they may go on.
type slow struct {
	file
	syncs *atomic.Int32
	gate  chan struct{}
}

func (s slow) Sync() error {
	s.syncs.Add(1)
	<-s.gate
	return s.file.Sync()
}

// Actions that begin while a line is on its way to the disk share the next write, and stay in order.
func TestActionsShareAWrite(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	var syncs atomic.Int32
	gate := make(chan struct{})
	l.openFile = func(path string, create bool) (file, error) {
		f, err := openFile(path, create)
		return slow{f, &syncs, gate}, err
	}
	const many = 50
	var all sync.WaitGroup
	for n := range many {
		all.Go(func() {
			finish, err := l.Begin(context.Background(), Action{Action: "a", Object: fmt.Sprint(n)})
			if err != nil {
				t.Error(err)
				return
			}
			finish(Done, fmt.Sprint(n))
		})
	}
	for waits := 0; waits < many-1; { // the first is at its sync, or about to be
		l.mu.Lock()
		waits = len(l.queue)
		l.mu.Unlock()
		if syncs.Load() == 0 {
			waits = 0
		}
	}
	close(gate)
	all.Wait()
	check(t, l.Close())
	if n := syncs.Load(); n > many {
		t.Errorf("%d syncs for %d lines", n, 2*many)
	}
	objects := map[uint64]string{}
	for _, line := range lines(t, dir) {
		if line.Of == 0 {
			objects[line.Seq] = line.Object
		} else if objects[line.Of] != line.Detail {
			t.Errorf("the outcome of %s is said of %s", line.Detail, objects[line.Of])
		}
	}
	if r := verified(t, dir); r.Lines != 2*many || r.Open != 0 {
		t.Errorf("%+v", r)
	}
}

// faulty is a file that fails as it is told.
type faulty struct {
	file
	fail *faults
}

type faults struct {
	write, sync, truncate error
	part                  int // of the bytes that a write that fails leaves; 0 is half of them
}

func (f faulty) WriteAt(data []byte, at int64) (int, error) {
	if f.fail.write == nil {
		return f.file.WriteAt(data, at)
	}
	part := f.fail.part
	if part == 0 {
		part = len(data) / 2
	}
	n, _ := f.file.WriteAt(data[:part], at)
	return n, f.fail.write
}

func (f faulty) Sync() error {
	if f.fail.sync != nil {
		return f.fail.sync
	}
	return f.file.Sync()
}

func (f faulty) Truncate(size int64) error {
	if f.fail.truncate != nil {
		return f.fail.truncate
	}
	return f.file.Truncate(size)
}

// An action whose line is not on the disk is refused and leaves nothing, an outcome that could not be written is
// written with the next line, and nothing is written behind a line that could not be cut off again.
func TestALineThatCannotBeWritten(t *testing.T) {
	for name, bad := range map[string]faults{
		"the write":    {write: syscall.ENOSPC},
		"one byte":     {write: syscall.ENOSPC, part: 1},
		"the sync":     {sync: syscall.EIO},
		"the cut, too": {write: syscall.EIO, truncate: syscall.EROFS},
	} {
		for _, fresh := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", a new file ", fresh), func(t *testing.T) {
				dir := t.TempDir()
				metrics := prometheus.NewRegistry()
				l := open(t, dir, Options{Registerer: metrics})
				var now faults
				l.openFile = func(path string, create bool) (file, error) {
					f, err := openFile(path, create)
					return faulty{f, &now}, err
				}
				written := 0
				var finish func(string, string)
				if !fresh {
					finish = begin(t, l, Action{Action: "a"})
					written++
				}
				before := all(t, dir)
				now = bad
				_, err := l.Begin(context.Background(), Action{Action: "b"})
				if !errors.Is(err, ErrUnavailable) || !errors.Is(err, errors.Join(bad.write, bad.sync).(interface {
					Unwrap() []error
				}).Unwrap()[0]) {
					t.Fatal(err)
				}
				if after := all(t, dir); bad.truncate == nil && after != before {
					t.Errorf("left half: %q", after)
				}
				if finish != nil {
					finish(Done, "of a")
				}
				if bad.truncate != nil {
					now = faults{truncate: bad.truncate}
					if _, err := l.Begin(context.Background(), Action{Action: "c"}); !errors.Is(err, ErrUnavailable) {
						t.Errorf("written behind half a line: %v", err)
					}
				}
				now = faults{}
				begin(t, l, Action{Action: "d"})(Done, "of d")
				check(t, l.Close())
				r := verified(t, dir)
				want := uint64(2 + 2*written)
				if r.Lines != want || r.Open != 0 {
					t.Errorf("%+v", r)
				}
				for _, line := range lines(t, dir) {
					if line.Action == "b" || line.Action == "c" {
						t.Errorf("a refused action is there: %+v", line)
					}
				}
				lines, failures := counted(t, metrics, "statewire_audit_lines_total"),
					counted(t, metrics, "statewire_audit_failures_total")
				if lines != float64(want) || failures < 1 {
					t.Errorf("%v lines, %v failures are counted", lines, failures)
				}
			})
		}
	}
}

// The name of a new file is on the disk before its first line counts.
func TestTheNameOfANewFileIsSynced(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	bad, synced := error(syscall.EIO), 0
	l.syncDir = func(dir string) error { synced++; return errors.Join(bad, durable.SyncFolder(dir)) }
	for range 2 {
		if _, err := l.Begin(context.Background(), Action{Action: "a"}); !errors.Is(err, syscall.EIO) ||
			!errors.Is(err, ErrUnavailable) || all(t, dir) != "" {
			t.Errorf("the folder is not synced: %v, %q", err, all(t, dir))
		}
	}
	bad = nil
	begin(t, l, Action{Action: "b"})(Done, "")
	if synced != 3 {
		t.Errorf("synced %d times", synced)
	}
	check(t, l.Close())
	if r := verified(t, dir); r.Lines != 2 {
		t.Errorf("%+v", r)
	}
}

// counted is the value of a counter.
func counted(t *testing.T, metrics *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := metrics.Gather()
	check(t, err)
	for _, f := range families {
		if f.GetName() == name && f.GetType() == dto.MetricType_COUNTER {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// all is the text of all files of lines.
func all(t *testing.T, dir string) (text string) {
	t.Helper()
	names, err := monthFiles(dir)
	check(t, err)
	for _, name := range names {
		text += read(t, dir, name)
	}
	return text
}

// A file that somebody else moved, cut or wrote to is not written to: what was acknowledged would be nowhere.
func TestAFileThatSomebodyChangedIsNotWritten(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"removed": os.Remove,
		"replaced": func(path string) error {
			text, err := os.ReadFile(path)
			return errors.Join(err, os.Remove(path), os.WriteFile(path, text, 0o600))
		},
		"cut": func(path string) error { return os.Truncate(path, 10) },
		"longer": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("x")
			return errors.Join(err, f.Close())
		},
	} {
		dir := t.TempDir()
		l := open(t, dir, Options{})
		begin(t, l, Action{Action: "a"})
		paths, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		check(t, err)
		check(t, change(paths[0]))
		if _, err := l.Begin(context.Background(), Action{Action: "b"}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
