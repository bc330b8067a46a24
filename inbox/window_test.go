package inbox

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"statewire/inbox/disk"
	"testing"
	"testing/synctest"
	"time"
)

// scans counts how often a folder is read.
type scans struct {
	*model
	begun  int
	held   int
	stamps time.Time
	err    error
}

func (s *scans) Scan(at disk.Folder) (disk.Scan, error) {
	inner, err := s.model.Scan(at)
	s.begun++
	s.held++
	return &countedScan{inner, s}, err
}

func (s *scans) Stamp(disk.Folder) (time.Time, error) { return s.stamps, nil }

type countedScan struct {
	disk.Scan
	s *scans
}

func (c *countedScan) Next() ([]disk.Entry, error) {
	if err := c.s.err; err != nil {
		return nil, err
	}
	return c.Scan.Next()
}

func (c *countedScan) Close() error { c.s.held--; return nil }

func TestAWindowGoesOnWhereItLeftOffAndHoldsNoMore(t *testing.T) {
	s := &scans{model: newModel()}
	for i := range 100 {
		s.drop(disk.Folder(Normal), fmt.Sprintf("%02d.SMX", i), "x")
	}
	w := window{disk: s, at: disk.Folder(Normal), size: 10}
	gone := map[string]bool{}
	for len(gone) < 100 {
		check(t, w.fill(func(name string) bool { return gone[name] }))
		if len(w.waiting) > 10+3 { // the model reads 3 names at a time
			t.Fatalf("%d names in memory", len(w.waiting))
		}
		for name, ok := w.take(); ok; name, ok = w.take() {
			if gone[name] {
				t.Fatalf("%s twice", name)
			}
			gone[name] = true
		}
	}
	if s.begun != 1 {
		t.Errorf("read the folder %d times", s.begun)
	}
	check(t, w.fill(func(name string) bool { return gone[name] }))
	if _, ok := w.take(); ok || s.held != 0 {
		t.Errorf("names left: %v; open cursors: %d", ok, s.held)
	}
}

func TestAnEmptyFolderIsReadAgainOnlyWhenItChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scans{model: newModel(), stamps: time.Now()}
		w := window{disk: s, at: disk.Folder(Normal), size: 10}
		fill := func(want int, why string) {
			t.Helper()
			check(t, w.fill(func(string) bool { return false }))
			if s.begun != want {
				t.Errorf("%s: read %d times, want %d", why, s.begun, want)
			}
			s.begun = 0
		}
		fill(1, "the first time")
		fill(1, "a change within the folder time's grain could be hidden")
		time.Sleep(coarse + 1)
		fill(1, "the last reading was too close to the change")
		fill(0, "nothing changed")
		s.stamps = time.Now()
		fill(1, "changed")
		time.Sleep(coarse + 1)
		fill(1, "still too close")
		fill(0, "nothing changed")
		w.stale.Store(true)
		fill(1, "a file was given up")
		fill(0, "nothing changed")
		time.Sleep(trust)
		fill(1, "not for ever")
	})
}

func TestAFolderThatCannotBeReadIsAnErrorEachTime(t *testing.T) {
	s := &scans{model: newModel(), err: io.ErrUnexpectedEOF}
	w := window{disk: s, at: disk.Folder(Low), size: 10}
	for range 2 {
		if err := w.fill(func(string) bool { return false }); !errors.Is(err, io.ErrUnexpectedEOF) || s.held != 0 {
			t.Errorf("fill = %v with %d open cursors", err, s.held)
		}
	}
}

// TestManyFilesAreGoneOverOnceEach is the million files of the benchmark in small: the number of readings must not
// grow.
func TestManyFilesAreGoneOverOnceEach(t *testing.T) {
	d, err := quick().Open(filepath.Join(memoryDir(t), "box"), slog.New(slog.DiscardHandler))
	check(t, err)
	defer d.Close()
	const files = 5000
	lane := filepath.Join(d.Root(), "incoming")
	for i := range files {
		check(t, os.WriteFile(filepath.Join(lane, fmt.Sprintf("%d.SMX", i)), nil, 0o600))
	}
	counted := &countingDisk{Disk: d.disk}
	d.disk = counted
	l := loader(t, d, 16, 10)
	defer l.Close()
	claimed := 0
	for c := claim(t, l); c != nil; c = claim(t, l) {
		claimed += len(c.Files)
		check(t, c.Done(c.Files...))
	}
	if claimed != files {
		t.Errorf("claimed %d of %d", claimed, files)
	}
	// Each name is read once; the other lanes are looked at with most claims.
	if limit := files + 4*1024; counted.entries > limit {
		t.Errorf("read %d names, at most %d", counted.entries, limit)
	}
}

type countingDisk struct {
	disk.Disk
	entries int
}

func (c *countingDisk) Scan(at disk.Folder) (disk.Scan, error) {
	s, err := c.Disk.Scan(at)
	return &countingScan{s, c}, err
}

type countingScan struct {
	disk.Scan
	c *countingDisk
}

func (s *countingScan) Next() ([]disk.Entry, error) {
	e, err := s.Scan.Next()
	s.c.entries += len(e)
	return e, err
}
