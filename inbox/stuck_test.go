package inbox

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"statewire/inbox/disk"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// unmovable makes every file of the lanes impossible to set aside, until it is called again with false.
func unmovable(m *model, yes bool) {
	m.before = nil
	if yes {
		m.before = func(call string, at disk.Folder, name string) error {
			if (call == "rename" || call == "replace") && at == disk.CorruptFolder && name == "a.SMX" {
				return syscall.EPERM
			}
			return nil
		}
	}
}

// setAsideAll ends what can be claimed: a.SMX as bad, the others as loaded. It returns whether a.SMX was among them.
func setAsideAll(t *testing.T, l *Loader) (tried bool) {
	t.Helper()
	for c := claim(t, l); c != nil; c = claim(t, l) {
		for _, f := range c.Files {
			if f.Name != "a.SMX" {
				check(t, c.Done(f))
				continue
			}
			tried = true
			if err := c.SetAside(f, Reason{Code: "c"}); err != nil && !errors.Is(err, fs.ErrPermission) {
				t.Fatal(err)
			}
		}
	}
	return tried
}

func stuckBad(t *testing.T) (*model, *Dir, *Loader) {
	t.Helper()
	m := newModel()
	d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
	m.drop(disk.Folder(Normal), "a.SMX", "a")
	m.drop(disk.Folder(Normal), "b.SMX", "b")
	unmovable(m, true)
	l := loader(t, d, 2, 1)
	setAsideAll(t, l)
	return m, d, l
}

func TestABadFileThatMayNotBeMovedIsTriedEverLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, l := stuckBad(t)
		tries, last, longest := 0, time.Now(), time.Duration(0)
		for range 6 * 60 * 6 {
			time.Sleep(10 * time.Second)
			if setAsideAll(t, l) {
				tries, longest, last = tries+1, max(longest, time.Since(last)), time.Now()
			}
		}
		if tries < 12 || tries > 20 || longest < 55*time.Minute || longest > 65*time.Minute {
			t.Errorf("%d tries in six hours, at most %v apart", tries, longest)
		}
		d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler)) // a restart tries at once
		l = loader(t, d, 2, 1)
		unmovable(m, false)
		if !setAsideAll(t, l) {
			t.Error("a new loader does not try it")
		}
		check(t, l.Close())
		if left := slices.Concat(m.list(disk.Folder(Normal)), m.list(disk.ProcessFolder)); len(left) > 0 {
			t.Errorf("once it could be moved %v is left", left)
		}
		if got := m.list(disk.CorruptFolder); !slices.Equal(got, []string{"a.SMX", "a.SMX.reason.json"}) {
			t.Errorf("corrupt holds %v", got)
		}
	})
}

func TestABadFileThatStaysHoldsNobodyAndIsNoBacklog(t *testing.T) {
	m, d, _ := stuckBad(t)
	s, err := d.Stats()
	check(t, err)
	if s.Stuck.Files != 1 || !slices.Equal(s.StuckNames, []string{"incoming/a.SMX"}) || s.Waiting().Files != 0 {
		t.Errorf("%d stuck as %v, %d waiting", s.Stuck.Files, s.StuckNames, s.Waiting().Files)
	}
	held, _, err := d.Holding(context.Background(), client(1), readNames, 10)
	check(t, err)
	waiting, err := d.Waiting()
	check(t, err)
	if len(held) > 0 || len(waiting) > 0 {
		t.Errorf("holding %v, waiting %v", held, waiting)
	}
	m.rewrite(m.now[disk.Folder(Normal)]["a.SMX"], "<Report/>")
	d.stats = statsCache{}
	if s, err = d.Stats(); err != nil || s.Stuck.Files != 0 || s.Waiting().Files != 1 {
		t.Errorf("after it changed: %d stuck, %d waiting, %v", s.Stuck.Files, s.Waiting().Files, err)
	}
}

func TestABadFileThatStaysAndChangesIsANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, l := stuckBad(t)
		for range 3 * 60 {
			time.Sleep(time.Minute)
			setAsideAll(t, l)
		}
		m.rewrite(m.now[disk.Folder(Normal)]["a.SMX"], "<Report/>")
		time.Sleep(61 * time.Second)
		if !setAsideAll(t, l) {
			t.Error("it waits for its old delay")
		}
	})
}

// Records that corrupt does not take are no backlog either, whatever the disk calls it.
func TestAFileWhoseRecordsCannotBeSetAsideIsNoBacklog(t *testing.T) {
	for _, why := range []error{syscall.EPERM, syscall.EACCES, syscall.EROFS} {
		m := newModel()
		d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
		m.drop(disk.Folder(Normal), "a.SMX", "a")
		l := loader(t, d, 2, 1)
		c := claim(t, l)
		m.before = func(call string, at disk.Folder, _ string) error {
			if call == "replace" && at == disk.CorruptFolder {
				return why
			}
			return nil
		}
		if err := c.SetAsideRecords(c.Files[0], []Kept{{Name: "a.SMX.1.SMX", Doc: []byte("a")}}); !errors.Is(err, why) {
			t.Errorf("%v: %v", why, err)
		}
		m.before = nil
		if s, err := d.count(); err != nil || s.Stuck.Files != 1 || s.Waiting().Files != 0 {
			t.Errorf("%v: %+v, %v", why, s, err)
		}
		check(t, l.Close())
	}
}
