package inbox

import (
	"context"
	"io/fs"
	"log/slog"
	"slices"
	"statewire/inbox/disk"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// immutable makes every file of the lanes impossible to delete, until it is called again with false.
func immutable(m *model, yes bool) {
	m.before = nil
	if yes {
		m.before = func(call string, at disk.Folder, name string) error {
			if call == "remove" && at < disk.ProcessFolder {
				return syscall.EPERM
			}
			return nil
		}
	}
}

// stuckFile is an inbox in which a.SMX was loaded and can't be deleted.
func stuckFile(t *testing.T) (*model, *Dir, *Loader) {
	t.Helper()
	m := newModel()
	d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
	m.drop(disk.Folder(Normal), "a.SMX", "a")
	m.drop(disk.Folder(Normal), "b.SMX", "b")
	m.drop(disk.Folder(Low), "c.SMX", "c")
	immutable(m, true)
	l := loader(t, d, 2, 1)
	c := claim(t, l)
	if err := c.Done(c.Files[0]); err == nil || !strings.Contains(err.Error(), "incoming/a.SMX") {
		t.Fatalf("Done = %v, want the file's name", err)
	}
	immutable(m, false)
	check(t, c.Done(c.Files[1:]...))
	immutable(m, true)
	return m, d, l
}

func TestALoadedFileThatCannotBeDeletedIsNotLoadedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, l := stuckFile(t)
		again := func(l *Loader) {
			t.Helper()
			for range 20 {
				time.Sleep(45 * time.Second)
				for c := claim(t, l); c != nil; c = claim(t, l) {
					if slices.Contains(names(c), "a.SMX") {
						t.Fatal("it was handed out again")
					}
					_ = c.Done(c.Files...)
				}
			}
			if n, _ := l.Postponed(); n > 0 {
				t.Errorf("%d files wait for another try to load them", n)
			}
		}
		again(l)
		d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler)) // a restart
		l = loader(t, d, 2, 1)
		again(l)
		immutable(m, false)
		time.Sleep(time.Minute)
		claim(t, l)
		if left := slices.Concat(m.list(disk.Folder(Normal)), m.list(disk.Folder(Low)), m.list(disk.ProcessFolder)); len(
			left) > 0 {
			t.Errorf("once it could be deleted %v is left", left)
		}
	})
}

func TestALoadedFileThatStaysHoldsNobodyAndIsNoBacklog(t *testing.T) {
	m, d, _ := stuckFile(t)
	s, err := d.Stats()
	check(t, err)
	if s.Loaded.Files != 1 || s.Loaded.Bytes != 1 || !slices.Equal(s.LoadedNames, []string{"incoming/a.SMX"}) ||
		s.Waiting().Files != 1 {
		t.Errorf("%d loaded (%d bytes) as %v, %d waiting", s.Loaded.Files, s.Loaded.Bytes, s.LoadedNames, s.Waiting().Files)
	}
	unreadNames := func() (names []string) {
		files, _, err := d.Holding(context.Background(), client(1), readNames, 10)
		check(t, err)
		for _, f := range files {
			names = append(names, f.Name)
		}
		return names
	}
	if got := unreadNames(); !slices.Equal(got, []string{"c.SMX"}) {
		t.Errorf("unread: %v", got)
	}
	// A new file of the name is no loaded one.
	m.rewrite(m.now[disk.Folder(Normal)]["a.SMX"], "<Report/>")
	d.stats = statsCache{}
	if s, err = d.Stats(); err != nil || s.Loaded.Files != 0 || s.Waiting().Files != 2 || len(unreadNames()) != 2 {
		t.Errorf("after it changed: %d loaded, %d waiting, unread %v, %v", s.Loaded.Files, s.Waiting().Files, unreadNames(),
			err)
	}
}

// Loaded files that stay and bad ones that stay are told apart by name too.
func TestFilesThatStayAreNamedByWhatTheyAre(t *testing.T) {
	m, d, l := stuckBad(t)
	m.drop(disk.Folder(Normal), "0.SMX", "0")
	immutable(m, true)
	c := claim(t, l)
	if err := c.Done(c.Files...); err == nil {
		t.Fatal("it could be deleted")
	}
	s, err := d.Stats()
	check(t, err)
	if !slices.Equal(s.LoadedNames, []string{"incoming/0.SMX"}) ||
		!slices.Equal(s.StuckNames, []string{"incoming/a.SMX"}) {
		t.Errorf("loaded %v, stuck %v", s.LoadedNames, s.StuckNames)
	}
}

func TestALoadedFileThatChangesIsANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, l := stuckFile(t)
		m.rewrite(m.now[disk.Folder(Normal)]["a.SMX"], "<Report/>")
		time.Sleep(2 * time.Second)
		var got []string
		for c := claim(t, l); c != nil; c = claim(t, l) {
			got = append(got, names(c)...)
		}
		if !slices.Contains(got, "a.SMX") {
			t.Errorf("claimed %v", got)
		}
	})
}

func TestDeletingIsTriedAgainWithAGrowingDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, l := stuckFile(t)
		wake := l.Wake(t.Context())
		var tries []time.Duration
		last := time.Now()
		m.before = func(call string, at disk.Folder, name string) error {
			if call == "remove" && at == disk.Folder(Normal) {
				tries, last = append(tries, time.Since(last).Round(time.Second)), time.Now()
				return fs.ErrPermission
			}
			return nil
		}
		for len(tries) < 9 {
			claim(t, l)
			if len(tries) < 9 {
				<-wake
			}
		}
		want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}
		for i := range want {
			if want[i] *= time.Second; tries[i] != want[i] {
				t.Fatalf("tried after %v, want %v", tries, want)
			}
		}
	})
}

// A crash between the two lists that name a file keeps it loaded, and a disk that takes no list keeps it until the end.
func TestALoadedFileNeedsNoMoreThanItsOwnList(t *testing.T) {
	m := newModel()
	d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
	m.drop(disk.Folder(Normal), "a.SMX", "a")
	m.drop(disk.Folder(Normal), "b.SMX", "b")
	immutable(m, true)
	l := loader(t, d, 2, 1)
	c := claim(t, l)
	if err := c.Done(c.Files[0]); err == nil {
		t.Fatal("deleted what can't be")
	}
	if got := m.list(disk.ProcessFolder); len(got) != 2 {
		t.Fatalf("process holds %v, want the claim list and the other", got)
	}
	after := m.copy()
	if got := names(claim(t, loader(t, newDir(quick(), "/model", after, slog.New(slog.DiscardHandler)), 2,
		1))); !slices.Equal(got, []string{"b.SMX"}) {
		t.Errorf("after a crash it claimed %v, want what was not done", got)
	}
	m.before = func(call string, at disk.Folder, name string) error { return errReadOnly }
	if err := c.Done(c.Files[1]); err == nil {
		t.Fatal("deleted on a disk that takes nothing")
	}
	if c := claim(t, l); c != nil {
		t.Errorf("claimed %v again", names(c))
	}
}

func TestAFileThatOnlySeemedToVanishIsTriedAgain(t *testing.T) {
	m := newModel()
	d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
	m.drop(disk.Folder(Normal), "there.SMX", "a")
	m.drop(disk.Folder(Normal), "zgone.SMX", "b")
	l := loader(t, d, 2, 1)
	c := claim(t, l)
	delete(m.now[disk.Folder(Normal)], "zgone.SMX")
	for _, f := range c.Files {
		check(t, c.Vanished(f))
	}
	if n, _ := l.Postponed(); n != 1 || !slices.Equal(m.list(disk.Folder(Normal)), []string{"there.SMX"}) {
		t.Errorf("%d postponed, the lane holds %v", n, m.list(disk.Folder(Normal)))
	}
}
