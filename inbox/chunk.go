package inbox

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"statewire/inbox/disk"
	"time"
)

// Chunk is a set of files claimed together. Every file ends by Done, SetAside or Postpone, the others by Release; one
// chunk is used by one goroutine at a time.
type Chunk struct {
	Files []File

	loader *Loader
}

// File is a claimed file.
type File struct {
	Name    string
	Lane    Lane
	Size    int64     // bytes
	Claimed time.Time // when it was first claimed, to the microsecond; a crash does not change it
	Tries   int       // how often this loader has tried it in vain

	dir   *Dir
	entry *entry
}

func newChunk(l *Loader, entries []*entry) *Chunk {
	c := &Chunk{loader: l, Files: make([]File, len(entries))}
	for i, e := range entries {
		e.chunk = c
		c.Files[i] = File{Name: e.name, Lane: e.lane, Size: e.id.Size, Claimed: e.claimed, Tries: e.tries, dir: l.dir,
			entry: e}
	}
	return c
}

// Read returns the file's bytes, in buf when they fit. It fails with ErrTooLarge, ErrHashMismatch, or fs.ErrNotExist
// when the file vanished or was changed since it was claimed (then call Vanished).
func (f File) Read(buf []byte) ([]byte, error) {
	data, err := f.read(buf)
	if err != nil {
		return nil, fmt.Errorf("read %s/%s: %w", disk.Folder(f.Lane), f.Name, err)
	}
	return data, nil
}

func (f File) read(buf []byte) (data []byte, err error) {
	if limit := f.dir.config.MaxFileBytes; f.Size > limit {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, f.Size, limit)
	}
	in, err := f.dir.disk.Open(disk.Folder(f.Lane), f.Name)
	if err != nil {
		if s, statErr := f.dir.disk.Stat(disk.Folder(f.Lane), f.Name); statErr == nil && s.Identity() != f.entry.id {
			return nil, ErrChanged // a link or a pipe took its place
		}
		return nil, err
	}
	defer in.Close()
	s, err := in.Stat()
	if err != nil {
		return nil, err
	}
	if s.Kind != disk.Regular || s.Identity() != f.entry.id {
		return nil, ErrChanged
	}
	data = slices.Grow(buf[:0], int(f.Size))[:f.Size]
	if _, err := io.ReadFull(in, data); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil, ErrChanged
	} else if err != nil {
		return nil, err
	}
	if _, sum, ok := parsePutName(f.Name); ok && sum != sha256.Sum256(data) {
		return nil, ErrHashMismatch
	}
	return data, nil
}

// changedError is ErrChanged.
type changedError struct{}

func (changedError) Error() string        { return "file changed since it was claimed" }
func (changedError) Is(target error) bool { return target == fs.ErrNotExist }

// Done deletes files whose messages are stored. A file that vanished is done; one that changed since it was claimed
// stays, to be claimed again. One that can't be deleted is done too: it is not handed out again, stays on a durable
// list, and deleting it is tried again with a growing delay. The error says why, once.
func (c *Chunk) Done(files ...File) error {
	var errs []error
	var stuck []*entry
	for _, f := range files {
		if f.entry.chunk != c {
			continue
		}
		if err := c.remove(f.entry); err != nil {
			errs = append(errs, fmt.Errorf("delete %s/%s: %w", disk.Folder(f.Lane), f.Name, err))
			stuck = append(stuck, f.entry)
		}
	}
	return errors.Join(append(errs, c.loader.remember(stuck), c.loader.retire(spareLists))...)
}

// Vanished ends the claim of a file that Read found gone or changed; what replaced it is claimed by itself. A file that
// is there all the same is postponed.
func (c *Chunk) Vanished(f File) error {
	if f.entry.chunk != c {
		return nil
	}
	there, err := c.same(f.entry)
	if there || err != nil {
		c.Postpone(f)
	}
	if err != nil {
		return fmt.Errorf("look at %s/%s: %w", disk.Folder(f.Lane), f.Name, err)
	}
	return c.loader.retire(spareLists)
}

func (c *Chunk) remove(e *entry) error {
	there, err := c.same(e)
	if !there || err != nil {
		return err
	}
	switch err := c.loader.dir.disk.Remove(disk.Folder(e.lane), e.name); {
	case errors.Is(err, fs.ErrNotExist):
		c.end(e, "vanished")
	case err != nil:
		return err
	default:
		c.end(e, "done")
	}
	return nil
}

// same tells whether a claimed file is still there as it was. Otherwise the claim has ended.
func (c *Chunk) same(e *entry) (bool, error) {
	s, err := c.loader.dir.disk.Stat(disk.Folder(e.lane), e.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.end(e, "vanished")
		return false, nil
	case err != nil:
		return false, err
	case s.Identity() != e.id:
		c.end(e, "changed")
		return false, nil
	}
	return true, nil
}

// end takes a file out of the chunk and its list for good.
func (c *Chunk) end(e *entry, event string) {
	l := c.loader
	l.dir.counts.add(event, 1)
	l.forgetKept(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	e.chunk = nil
	if event == "changed" {
		l.free(e)
	} else {
		delete(l.claimed, laneName{e.lane, e.name})
	}
	l.unlist(e)
}

// unlist takes a file off its list. Callers hold mu.
func (l *Loader) unlist(e *entry) {
	if e.list == nil {
		return
	}
	if e.list.open--; e.list.open == 0 {
		l.retired = append(l.retired, e.list)
	}
	e.list = nil
}

// Release gives every file that has not ended back to waiting, under the claim times they have.
func (c *Chunk) Release() error {
	l := c.loader
	l.mu.Lock()
	defer l.mu.Unlock()
	var back [lanes][]*entry
	for _, f := range c.Files {
		if f.entry.chunk == c {
			f.entry.chunk = nil
			back[f.Lane] = append(back[f.Lane], f.entry)
		}
	}
	for lane, entries := range back {
		l.returned[lane] = append(entries, l.returned[lane]...)
	}
	return nil
}

// Postpone takes a file out of the chunk and hands it out again after a growing delay (Config.RetryMin to RetryMax).
func (c *Chunk) Postpone(f File) {
	if f.entry.chunk != c {
		return
	}
	l := c.loader
	l.dir.counts.add("postponed", 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.postpone(f.entry, l.dir.config.RetryMax)
}

// postpone hands a file out again after its next delay. Callers hold mu.
func (l *Loader) postpone(e *entry, most time.Duration) {
	e.chunk, e.due = nil, l.nextTry(e, most)
	l.postponed = append(l.postponed, e)
	l.kick()
}

// nextTry is after a delay that doubles with every try. Callers hold mu.
func (l *Loader) nextTry(e *entry, most time.Duration) time.Time {
	delay := most
	if e.tries < 30 {
		delay = min(delay, l.dir.config.RetryMin<<e.tries)
	}
	e.tries++
	return time.Now().Add(delay)
}

// Postponed returns how many files wait for their delay to pass, and when the first is due.
func (l *Loader) Postponed() (files int, due time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.postponed), l.firstDue()
}

// firstDue is zero when nothing is postponed. Callers hold mu.
func (l *Loader) firstDue() (due time.Time) {
	for _, e := range l.postponed {
		if due.IsZero() || e.due.Before(due) {
			due = e.due
		}
	}
	return due
}

// returnDue gives postponed files back whose delay has passed. Callers hold mu.
func (l *Loader) returnDue(now time.Time) {
	l.postponed = slices.DeleteFunc(l.postponed, func(e *entry) bool {
		if e.due.After(now) {
			return false
		}
		l.returned[e.lane] = append(l.returned[e.lane], e)
		return true
	})
}
