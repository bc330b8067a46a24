package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// file is what lines are written to.
type file interface {
	WriteAt(data []byte, at int64) (int, error)
	Sync() error
	Truncate(size int64) error
	Stat() (os.FileInfo, error)
	Close() error
}

// openFile opens a file of lines for writing; a new one must not be there.
func openFile(path string, create bool) (file, error) {
	how := os.O_RDWR
	if create {
		how |= os.O_CREATE | os.O_EXCL
	}
	f, err := os.OpenFile(path, how, 0o600)
	if err != nil {
		return nil, err // not a file that is nil
	}
	return f, nil
}

// append returns once the entry is on the disk, or is not and will not be. Whoever comes first writes what others wait
// for.
func (l *Log) append(e *entry) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return l.fail(errors.New("the site is stopping"))
	}
	l.queue = append(l.queue, e)
	l.mu.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if !e.settled {
		l.flush()
	}
	return e.err
}

func (l *Log) fail(cause error) error {
	l.metrics.failures.Inc()
	return &unavailable{cause}
}

// flush writes all that waits, in order, or nothing of it. The caller holds writing.
func (l *Log) flush() {
	l.mu.Lock()
	batch := append(l.owed, l.queue...)
	l.queue = nil
	l.mu.Unlock()
	l.owed = nil
	err := l.write(batch)
	if err != nil {
		l.log.Error("audit log not written", "lines", len(batch), "err", err)
	}
	for _, e := range batch {
		e.settled = true
		if e.err = nil; err != nil {
			e.err = l.fail(err)
		}
		if err != nil && e.keep {
			l.owed = append(l.owed, e)
		}
	}
}

// write puts lines at the end of the file of the month and syncs them. Whatever fails leaves the file as it was.
func (l *Log) write(batch []*entry) error {
	now := l.now()
	if err := l.ready(now); err != nil {
		return err
	}
	var text []byte
	seq, sum := l.seq, l.sum
	for _, e := range batch {
		seq++
		e.seq = seq
		line := e.line(seq, now, sum)
		sum = sumOf(line[:len(line)-1])
		text = append(text, line...)
	}
	l.dirty = true
	_, err := l.file.WriteAt(text, l.size)
	if err == nil {
		err = l.file.Sync()
	}
	if err == nil && l.unnamed {
		err = l.syncDir(l.dir)
	}
	if err != nil {
		return errors.Join(err, l.restore())
	}
	l.dirty, l.unnamed = false, false
	l.size += int64(len(text))
	l.seq, l.sum = seq, sum
	l.metrics.lines.Add(float64(len(batch)))
	l.scheduleHead(now)
	return nil
}

// ready makes sure that the file at hand is the one to write to, and ends where this process left it.
func (l *Log) ready(now time.Time) error {
	if l.dirty {
		if err := l.restore(); err != nil {
			return err
		}
	}
	month := max(l.month, now.UTC().Format(monthFormat)) // a clock that was put back begins no earlier file
	if l.file == nil || month != l.month {
		if err := l.turn(month); err != nil {
			return err
		}
	}
	path := monthPath(l.dir, l.month)
	found, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("%w; restore the file, and start the site again", err)
	}
	held, err := l.file.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(found, held) || held.Size() != l.size {
		return fmt.Errorf("%s was changed by somebody else; find out by whom, and start the site again", path)
	}
	return nil
}

// turn goes over to the file of a month.
func (l *Log) turn(month string) error {
	f, err := l.openFile(monthPath(l.dir, month), true)
	if err != nil {
		return err
	}
	if l.file != nil {
		_ = l.file.Close() // all of it is on the disk
	}
	l.file, l.month, l.size, l.unnamed = f, month, 0, true
	return nil
}

// restore cuts off what a write that failed left. Until it succeeds nothing more is written.
func (l *Log) restore() error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() > l.size {
		if err := errors.Join(l.file.Truncate(l.size), l.file.Sync()); err != nil {
			return fmt.Errorf("cut off what was half written: %w", err)
		}
	}
	l.dirty = false
	return nil
}

func monthPath(dir, month string) string { return filepath.Join(dir, month+fileEnd) }
