//go:build linux || darwin

package inbox

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"statewire/inbox/disk"
	"testing"
	"time"
)

// eager is a configuration that looks and probes whenever it is asked.
func eager() Config {
	c := quick()
	c.ProbeInterval = time.Nanosecond
	return c
}

func openEager(t *testing.T, root string) *Dir {
	t.Helper()
	d, err := eager().Open(root, slog.New(slog.DiscardHandler))
	check(t, err)
	t.Cleanup(func() { check(t, d.Close()) })
	return d
}

// remake makes the folders below a root again that are missing.
func remake(t *testing.T, root string) {
	t.Helper()
	for _, path := range disk.FolderPaths {
		check(t, os.MkdirAll(filepath.Join(root, path), 0o700))
	}
}

func TestFoldersThatWereMovedOrDeletedAreOpenedAnew(t *testing.T) {
	for _, path := range append([]string{""}, disk.FolderPaths[:]...) {
		for _, deleted := range []bool{true, false} {
			t.Run(map[bool]string{true: "deleted ", false: "moved "}[deleted]+path, func(t *testing.T) {
				base := t.TempDir()
				root := filepath.Join(base, "statesys.box")
				d := openEager(t, root)
				l := loader(t, d, 10, 1)
				defer func() { check(t, l.Close()) }()
				put(t, d, High, "claimed")
				old := claim(t, l)
				check(t, os.Rename(filepath.Join(root, path), filepath.Join(base, "gone")))
				if deleted {
					check(t, os.RemoveAll(filepath.Join(base, "gone")))
				}
				for range 2 {
					if err := d.Ready(); !errors.Is(err, ErrMoved) {
						t.Fatalf("Ready = %v", err)
					}
				}
				if _, err := os.Stat(filepath.Join(root, path)); err == nil {
					t.Error("made again by itself: it may be on a disk that is not mounted")
				}
				remake(t, root)
				check(t, d.Ready())
				for lane := range lanes {
					if name := put(t, d, lane, "new"); !slices.Contains((onDisk{root}).list(disk.Folder(lane)), name) {
						t.Errorf("%v: what was acknowledged is not in the folder", lane)
					}
				}
				_ = old.Done(old.Files...) // it may be gone, or in an old folder
				s, err := d.Stats()
				check(t, err)
				if n := s.Waiting().Files; n < 3 || n > 4 {
					t.Errorf("%d files wait", n)
				}
				done := 0
				for c := claim(t, l); c != nil; c = claim(t, l) {
					check(t, c.SetAside(c.Files[0], Reason{Code: "x"}))
					check(t, c.Done(c.Files...))
					done += len(c.Files)
				}
				if done < 3 || len((onDisk{root}).list(disk.CorruptFolder)) == 0 || d.Ready() != nil {
					t.Errorf("loaded %d, corrupt holds %v, ready %v", done, (onDisk{root}).list(disk.CorruptFolder), d.Ready())
				}
			})
		}
	}
}

func TestFoldersThatComeBackAreUsedAgain(t *testing.T) {
	base := t.TempDir()
	root := filepath.Join(base, "statesys.box")
	d := openEager(t, root)
	l := loader(t, d, 10, 1)
	defer func() { check(t, l.Close()) }()
	name := put(t, d, Normal, "old")
	check(t, os.Rename(root, filepath.Join(base, "aside")))
	if _, err := l.Claim(); !errors.Is(err, ErrMoved) {
		t.Fatalf("Claim = %v", err)
	}
	remake(t, root) // somebody makes a new one meanwhile
	other := put(t, d.reopenedNow(t), Normal, "new")
	check(t, os.Rename(root, filepath.Join(base, "other")))
	check(t, os.Rename(filepath.Join(base, "aside"), root))
	if got := names(claim(t, l)); !slices.Equal(got, []string{name}) {
		t.Errorf("claimed %v, want what was put before", got)
	}
	if got := (onDisk{filepath.Join(base, "other")}).list(disk.Folder(Normal)); !slices.Equal(got, []string{other}) {
		t.Errorf("the folder of between holds %v", got)
	}
}

// reopenedNow is the inbox once it is ready again.
func (d *Dir) reopenedNow(t *testing.T) *Dir {
	t.Helper()
	check(t, d.Ready())
	return d
}

func TestANewIncomingGetsItsLanes(t *testing.T) {
	root := filepath.Join(t.TempDir(), "statesys.box")
	d := openEager(t, root)
	check(t, os.RemoveAll(filepath.Join(root, "incoming")))
	if err := d.Ready(); !errors.Is(err, ErrMoved) {
		t.Fatalf("Ready = %v", err)
	}
	check(t, os.Mkdir(filepath.Join(root, "incoming"), 0o700))
	check(t, d.Ready())
	put(t, d, High, "x")
	put(t, d, Low, "x")
	check(t, os.RemoveAll(filepath.Join(root, "incoming", "low")))
	if err := d.Ready(); !errors.Is(err, ErrMoved) {
		t.Errorf("Ready without a lane = %v", err)
	}
}

// What was written into the old folder while the new one was opened must not be acknowledged.
func TestAPutThatMetTheChangeIsNotAcknowledged(t *testing.T) {
	for _, when := range []string{"create", "write", "sync", "rename", "syncdir"} {
		t.Run(when, func(t *testing.T) {
			base := t.TempDir()
			root := filepath.Join(base, "statesys.box")
			d := openEager(t, root)
			met := false
			d.disk = &steps{d.disk, func(call string) error {
				if call != when || met {
					return nil
				}
				met = true
				check(t, os.Rename(root, filepath.Join(base, "old")))
				remake(t, root)
				return d.inPlace()
			}}
			name, err := d.Put(Normal, []byte("x"), time.Now())
			if !met {
				t.Fatal("nothing was tested")
			}
			if err == nil && !slices.Contains((onDisk{root}).list(disk.Folder(Normal)), name) {
				t.Errorf("%s was acknowledged and is not there", name)
			}
			if when != "create" && err == nil {
				t.Error("acknowledged though its temporary file was in the old folder")
			}
			check(t, d.Ready())
			put(t, d, Normal, "y")
		})
	}
}

func TestANewRootNeedsTheLoadersLock(t *testing.T) {
	base := t.TempDir()
	root := filepath.Join(base, "statesys.box")
	d := openEager(t, root)
	l := loader(t, d, 1, 1)
	defer func() { check(t, l.Close()) }()
	check(t, os.Rename(root, filepath.Join(base, "old")))
	other := openEager(t, root) // another process makes a new one
	hold := loader(t, other, 1, 1)
	if err := d.Ready(); !errors.Is(err, ErrMoved) || !errors.Is(err, ErrLocked) {
		t.Errorf("Ready beside another loader = %v", err)
	}
	check(t, hold.Close())
	check(t, d.Ready())
	if _, err := other.Loader(1, 1); !errors.Is(err, ErrLocked) {
		t.Errorf("a second loader: %v", err)
	}
}

func TestNewFoldersAreWatched(t *testing.T) {
	config := eager()
	config.ProbeInterval = 10 * time.Millisecond
	root := filepath.Join(t.TempDir(), "statesys.box")
	d, err := config.Open(root, slog.New(slog.DiscardHandler))
	check(t, err)
	defer d.Close()
	l := loader(t, d, 1, 1)
	defer l.Close()
	wake := l.Wake(t.Context())
	check(t, os.RemoveAll(filepath.Join(root, "incoming")))
	remake(t, root)
	for d.reopened.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	<-wake // for the change itself
	dropAt(t, d, Low, "a.SMX", "x")
	select {
	case <-wake:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody saw the file in the new folder")
	}
	if got := names(claim(t, l)); !slices.Equal(got, []string{"a.SMX"}) {
		t.Errorf("claimed %v", got)
	}
}
