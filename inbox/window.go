package inbox

import (
	"errors"
	"io"
	"slices"
	"statewire/inbox/disk"
	"sync/atomic"
	"time"
)

// window is a part of a lane's folder in memory. A folder is gone over with a cursor, one window after the other and
// then from the start again, so that a million waiting files cost no more per file than a thousand, and the memory of
// one window.
type window struct {
	// Constant after newLoader.
	disk disk.Disk
	at   disk.Folder
	size int // names

	// Owned by the goroutine that claims.
	waiting []waiting // oldest first
	cursor  disk.Scan // nil between two passes
	pass    pass      // the current one
	barren  pass      // the latest that found nothing

	stale atomic.Bool // barren is no longer true: a file is there that was claimed then
}

type waiting struct {
	name string
	at   int64 // microseconds since 1970: from the name Put gave, else the file's mtime
}

// pass is one way over the folder, from its first name to its last.
type pass struct {
	began time.Time
	stamp time.Time // the folder's, before
	found int
}

// trust is how long a pass that found nothing stands for the next when the folder has not changed since. Folder times
// are coarse, so only a change some time before the pass is known to be in it.
const (
	trust  = time.Second
	coarse = 100 * time.Millisecond
)

// fill reads the next window when the last is used up; it holds nothing after a whole pass that found nothing. held
// says which files are claimed already.
func (w *window) fill(held func(name string) bool) error {
	for len(w.waiting) == 0 {
		if w.cursor == nil {
			if idle, err := w.begin(); idle || err != nil {
				return err
			}
		}
		if err := w.read(held); err != nil {
			return err
		}
		if w.cursor == nil && w.pass.found == 0 {
			w.barren = w.pass
			return nil
		}
	}
	slices.SortFunc(w.waiting, func(a, b waiting) int { return int(min(1, max(-1, a.at-b.at))) })
	return nil
}

// begin starts a pass, unless the latest found nothing and still tells the truth.
func (w *window) begin() (idle bool, err error) {
	if err := w.disk.Check(w.at); err != nil {
		return false, err
	}
	stamp, err := w.disk.Stamp(w.at)
	if err != nil {
		return false, err
	}
	if !w.stale.Swap(false) && w.barren.stamp.Equal(stamp) && time.Since(w.barren.began) < trust &&
		w.barren.began.Sub(stamp) > coarse {
		return true, nil
	}
	w.pass = pass{began: time.Now(), stamp: stamp}
	w.cursor, err = w.disk.Scan(w.at)
	return false, err
}

// read takes names until the window is full or the pass ends.
func (w *window) read(held func(name string) bool) error {
	for len(w.waiting) < w.size {
		entries, err := w.cursor.Next()
		if errors.Is(err, io.EOF) {
			return w.end()
		}
		if err != nil {
			return errors.Join(err, w.end())
		}
		for _, e := range entries {
			if foreign(e) == "" && !held(e.Name) {
				w.add(e.Name)
			}
		}
	}
	return nil
}

func (w *window) add(name string) {
	at, _, ok := parsePutName(name)
	if !ok {
		s, err := w.disk.Stat(w.at, name)
		if err != nil {
			return // vanished meanwhile
		}
		at = s.Mtime
	}
	w.waiting = append(w.waiting, waiting{name, at.UnixMicro()})
	w.pass.found++
}

// end closes the cursor; the next read starts a new pass.
func (w *window) end() error {
	if w.cursor == nil {
		return nil
	}
	err := w.cursor.Close()
	w.cursor = nil
	return err
}

// take removes the oldest file from the window.
func (w *window) take() (name string, ok bool) {
	if len(w.waiting) == 0 {
		return "", false
	}
	name = w.waiting[0].name
	w.waiting = w.waiting[1:]
	return name, true
}
