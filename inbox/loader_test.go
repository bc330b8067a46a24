package inbox

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"statewire/inbox/disk"
	"strings"
	"sync"
	"testing"
	"time"
)

// dropAt writes a file into a lane as an operator does.

func dropAt(t testing.TB, d *Dir, lane Lane, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(d.Root(), disk.Folder(lane).String(), name)
	check(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func names(c *Chunk) (names []string) {
	if c == nil {
		return nil
	}
	for _, f := range c.Files {
		names = append(names, f.Name)
	}
	return names
}

func TestClaimTakesTheHighLaneAndTheOldestFirst(t *testing.T) {
	d := open(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var want []string
	for i, lane := range []Lane{Low, Normal, High} {
		for j := range 3 {
			name, err := d.Put(lane, fmt.Append(nil, lane, j), at.Add(time.Duration(10*i-j)*time.Hour))
			check(t, err)
			want = append(want, name)
		}
	}
	slices.Reverse(want)
	old := dropAt(t, d, Low, "old.SMX", "dropped")
	check(t, os.Chtimes(old, at, at.AddDate(-1, 0, 0)))
	want = slices.Insert(want, 6, "old.SMX")
	l := loader(t, d, 2, 3)
	defer l.Close()
	var got []string
	for c := claim(t, l); c != nil; c = claim(t, l) {
		if len(c.Files) > 2 {
			t.Errorf("chunk of %d files", len(c.Files))
		}
		got = append(got, names(c)...)
		check(t, c.Done(c.Files...))
	}
	if !slices.Equal(got, want) {
		t.Errorf("claimed\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEveryFileIsClaimedOnceThoughMoreArrive(t *testing.T) {
	d := open(t)
	l := loader(t, d, 3, 2)
	defer l.Close()
	seen := map[string]int{}
	arrived := 0
	for round := range 50 {
		for range round % 4 {
			dropAt(t, d, Lane(round%3), fmt.Sprintf("%d.SMX", arrived), "x")
			arrived++
		}
		c := claim(t, l)
		if c == nil {
			continue
		}
		for _, f := range c.Files {
			seen[f.Name]++
		}
		if round%2 == 0 {
			check(t, c.Done(c.Files...))
		}
	}
	for c := claim(t, l); c != nil; c = claim(t, l) {
		for _, f := range c.Files {
			seen[f.Name]++
		}
	}
	if len(seen) != arrived {
		t.Errorf("%d files of %d were claimed", len(seen), arrived)
	}
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s was claimed %d times", name, n)
		}
	}
}

func TestThreadsShareTheFiles(t *testing.T) {
	d := open(t)
	const files = 300
	for i := range files {
		dropAt(t, d, Normal, fmt.Sprintf("%d.SMX", i), "x")
	}
	l := loader(t, d, 7, 5)
	defer l.Close()
	var mu sync.Mutex
	seen := map[string]bool{}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for {
				c, err := l.Claim()
				if err != nil || c == nil {
					check(t, err)
					return
				}
				mu.Lock()
				for _, f := range c.Files {
					if seen[f.Name] {
						t.Errorf("%s was claimed twice", f.Name)
					}
					seen[f.Name] = true
				}
				mu.Unlock()
				check(t, c.Done(c.Files...))
			}
		})
	}
	wait.Wait()
	if left := (onDisk{d.Root()}); len(seen) != files || len(left.list(disk.Folder(Normal))) > 0 {
		t.Errorf("claimed %d of %d, left %v", len(seen), files, left.list(disk.Folder(Normal)))
	}
	if c := claim(t, l); c != nil {
		t.Errorf("claimed %v of nothing", names(c))
	}
	if lists := (onDisk{d.Root()}).list(disk.ProcessFolder); len(lists) > 0 {
		t.Errorf("lists stay: %v", lists)
	}
}

func TestASecondLoaderIsRefusedAndTheHolderNamed(t *testing.T) {
	root := filepath.Join(t.TempDir(), "box")
	l := loader(t, openAt(t, root), 1, 1)
	other := openAt(t, root)
	_, err := other.Loader(1, 1)
	var locked *LockedError
	if !errors.Is(err, ErrLocked) || !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Fatalf("a second loader: %v", err)
	}
	if !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("%v does not name the holder", err)
	}
	check(t, l.Close())
	check(t, loader(t, other, 1, 1).Close())
}

func TestALoaderNeedsRoom(t *testing.T) {
	d := open(t)
	for _, n := range [][2]int{{0, 1}, {1, 0}} {
		if _, err := d.Loader(n[0], n[1]); err == nil {
			t.Errorf("a loader of %d files, %d chunks", n[0], n[1])
		}
	}
}

func TestReadTellsWhatIsWrong(t *testing.T) {
	config := quick()
	config.MaxFileBytes = 100
	d, err := config.Open(filepath.Join(t.TempDir(), "box"), slog.New(slog.DiscardHandler))
	check(t, err)
	defer d.Close()
	wrong := putName(time.Now(), sha256.Sum256([]byte("right")))
	tests := []struct {
		name, file, text string
		change           func(path string) error
		want             error
	}{
		{"as it was", "ok.SMX", "x", nil, nil},
		{"empty", "empty.SMX", "", nil, nil},
		{"other bytes than the name's hash", wrong, "wrong", nil, ErrHashMismatch},
		{"too large", "big.SMX", strings.Repeat("x", 101), nil, ErrTooLarge},
		{"vanished", "gone.SMX", "x", os.Remove, fs.ErrNotExist},
		{"grown since", "grown.SMX", "x", func(path string) error { return os.WriteFile(path, []byte("xy"), 0) }, ErrChanged},
		{"replaced since", "new.SMX", "x", func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte("y"), 0o600))
		}, fs.ErrNotExist},
		{"a link since", "link.SMX", "x", func(path string) error {
			return errors.Join(os.Remove(path), os.Symlink("/dev/zero", path))
		}, ErrChanged},
	}
	l := loader(t, d, 1, 1)
	defer l.Close()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := dropAt(t, d, Normal, test.file, test.text)
			c := claim(t, l)
			if test.change != nil {
				check(t, test.change(path))
			}
			buf := make([]byte, 3, 50)
			data, err := c.Files[0].Read(buf)
			if !errors.Is(err, test.want) || (err == nil && string(data) != test.text) {
				t.Errorf("read %q, %v", data, err)
			}
			if err == nil && len(data) > 0 && &data[0] != &buf[0] {
				t.Error("the buffer was not used")
			}
			check(t, c.Done(c.Files...))
			if _, err := os.Lstat(path); test.change != nil && test.name != "vanished" && err != nil {
				t.Error("Done deleted what was not claimed")
			}
			_ = os.Remove(path)
		})
	}
}

func TestAFullDiskDoesNotStopWhatTheRelayWrote(t *testing.T) {
	m := newModel()
	d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
	ours := put(t, d, Normal, "x")
	m.drop(disk.Folder(Normal), "dropped.SMX", "y")
	l := loader(t, d, 5, 1)
	full := true
	m.before = func(call string, at disk.Folder, name string) error {
		if full && call == "write" {
			return errNoSpace
		}
		return nil
	}
	c := claim(t, l)
	if got := names(c); !slices.Equal(got, []string{ours}) {
		t.Fatalf("claimed %v", got)
	}
	check(t, c.Done(c.Files...))
	if _, err := l.Claim(); !errors.Is(err, ErrDiskFull) {
		t.Errorf("a dropped file was claimed without a list: %v", err)
	}
	full = false
	if got := names(claim(t, l)); !slices.Equal(got, []string{"dropped.SMX"}) {
		t.Errorf("claimed %v", got)
	}
}

func TestALaneThatIsGoneIsReported(t *testing.T) {
	d := open(t)
	l := loader(t, d, 1, 1)
	defer l.Close()
	check(t, os.RemoveAll(filepath.Join(d.Root(), "incoming", "low")))
	if _, err := l.Claim(); !errors.Is(err, ErrMoved) {
		t.Errorf("Claim = %v", err)
	}
	name := put(t, d, Normal, "x")
	if got := names(claim(t, l)); !slices.Equal(got, []string{name}) {
		t.Errorf("claimed %v from the other lanes", got)
	}
}
