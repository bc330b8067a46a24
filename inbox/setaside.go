package inbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"statewire/inbox/disk"
	"syscall"
	"time"
)

// SetAside moves a bad file to corrupt with its reason beside it, both durable. When that fails the file stays, is out
// of this chunk, and is handed out again after a growing delay, of up to an hour where it may not be moved
// (fs.ErrPermission). ErrChanged: it was still arriving, and is claimed anew. A file that was dropped within the last
// Config.Settle is waited for.
func (c *Chunk) SetAside(f File, r Reason) error {
	if f.entry.chunk != c {
		return nil
	}
	if err := c.setAside(f.entry, r); err != nil {
		switch {
		case errors.Is(err, ErrChanged):
		default:
			c.retryAside(f, err)
		}
		return fmt.Errorf("set %s/%s aside: %w", disk.Folder(f.Lane), f.Name, err)
	}
	return nil
}

// retryAside hands a file out again of which something could not be set aside: ever less often where corrupt may not be
// written.
func (c *Chunk) retryAside(f File, err error) {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		c.stick(f.entry)
		return
	}
	c.Postpone(f)
}

func (c *Chunk) setAside(e *entry, r Reason) error {
	d := c.loader.dir
	if err := d.settled(e); err != nil {
		return err
	}
	switch there, err := c.same(e); {
	case err != nil:
		return err
	case !there && c.loader.dir.present(e):
		return ErrChanged
	case !there:
		return nil
	}
	r.File, r.Size, r.MTime = e.name, e.id.Size, e.id.Mtime
	target, _ := c.loader.keepAs(e, 0, nil)
	err := d.setAside(disk.Folder(e.lane), e.name, target, r)
	if errors.Is(err, fs.ErrNotExist) {
		c.end(e, "vanished")
		return nil
	}
	if errors.Is(err, fs.ErrExist) {
		c.loader.forgetKept(e) // somebody took the name; the next try finds another
	}
	if err != nil {
		return err
	}
	c.end(e, "set_aside")
	c.loader.watchGrowth()
	return c.loader.retire(spareLists)
}

// Settled tells whether a file is still the one that was claimed, after waiting until a dropped one has been left alone
// for Config.Settle: only then may somebody be told that it is bad. Otherwise its claim has ended.
func (c *Chunk) Settled(f File) (bool, error) {
	if f.entry.chunk != c {
		return false, nil
	}
	err := c.loader.dir.settled(f.entry)
	if err != nil {
		return false, fmt.Errorf("look at %s/%s: %w", disk.Folder(f.Lane), f.Name, err)
	}
	return c.same(f.entry)
}

// settled waits until a dropped file has been left alone for Config.Settle: whoever copies it may be in the middle.
// What has the bytes that its name promises appeared whole.
func (d *Dir) settled(e *entry) error {
	if _, want, ok := parsePutName(e.name); ok {
		if sum, err := d.hash(disk.Folder(e.lane), e.name); err == nil && sum == want {
			return nil
		}
	}
	s, err := d.disk.Stat(disk.Folder(e.lane), e.name)
	if err != nil {
		return ignoreVanished(err)
	}
	if wait := d.config.Settle - time.Since(s.Ctime); wait > 0 {
		time.Sleep(min(wait, d.config.Settle))
	}
	return nil
}

func (d *Dir) present(e *entry) bool {
	_, err := d.disk.Stat(disk.Folder(e.lane), e.name)
	return err == nil
}

// overwrite writes a file in place of one that may be there; it is durable after settle.
func (d *Dir) overwrite(at disk.Folder, name string, data []byte) error {
	temp, err := d.stage(bytes.NewReader(data))
	if err != nil {
		return err
	}
	if err := d.disk.Replace(disk.TempFolder, temp, at, name); err != nil {
		err = d.failed("write "+at.String()+"/"+name, err)
		d.discard(temp)
		return err
	}
	return nil
}

// setAside moves a file to corrupt under a name that is free or has the same bytes already, its reason first.
func (d *Dir) setAside(from disk.Folder, name, target string, r Reason) error {
	began, err := d.begin()
	if err != nil {
		return err
	}
	move := d.disk.Rename
	if same, err := d.sameBytes(from, name, disk.CorruptFolder, target); err != nil {
		return err
	} else if same {
		move = d.disk.Replace
	} else if _, err := d.disk.Stat(disk.CorruptFolder, target); err == nil {
		return fmt.Errorf("corrupt/%s holds something else: %w", target, fs.ErrExist)
	}
	if err := d.overwrite(disk.CorruptFolder, target+reasonSuffix, r.encode()); err != nil {
		return err
	}
	// Nobody would come back to a file that is in corrupt already and lost its reason in a crash.
	if err := d.syncFolder(disk.CorruptFolder); err != nil {
		return err
	}
	if err := move(from, name, disk.CorruptFolder, target); err != nil {
		if _, gone := d.disk.Stat(from, name); errors.Is(gone, fs.ErrNotExist) {
			return errors.Join(gone, d.disk.Remove(disk.CorruptFolder, target+reasonSuffix))
		}
		return d.failed("move "+from.String()+"/"+name+" to corrupt", err)
	}
	return d.settle(disk.CorruptFolder, began)
}

func (d *Dir) sameBytes(at disk.Folder, name string, otherAt disk.Folder, otherName string) (bool, error) {
	b, err := d.contents(otherAt, otherName)
	if err != nil {
		return false, nil // whatever it is, it stays
	}
	a, err := d.contents(at, name)
	return err == nil && bytes.Equal(a, b), ignoreTooLarge(err)
}

// contents reads a whole file that is within the size bound.
func (d *Dir) contents(at disk.Folder, name string) ([]byte, error) {
	f, err := d.disk.Open(at, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if s.Kind != disk.Regular {
		return nil, fmt.Errorf("a %s, not a file", s.Kind)
	}
	if s.Size > d.config.MaxFileBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, s.Size, d.config.MaxFileBytes)
	}
	return io.ReadAll(io.LimitReader(f, s.Size))
}

func ignoreTooLarge(err error) error {
	if errors.Is(err, ErrTooLarge) {
		return nil
	}
	return err
}
