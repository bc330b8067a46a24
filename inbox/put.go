package inbox

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"statewire/inbox/disk"
	"strconv"
	"time"
)

// Put makes data durable in a lane under a new name: the UTC time at to the microsecond, the SHA-256 of data, ".SMX".
// When it returns nil the file is synced, renamed and the folder synced; on any error nothing may be acknowledged
// (ErrDiskFull, ErrFault and ErrMoved tell the kinds apart), though the file may still turn up.
func (d *Dir) Put(lane Lane, data []byte, at time.Time) (name string, err error) {
	if lane > Low {
		return "", fmt.Errorf("put in %s: no such lane", lane)
	}
	if int64(len(data)) > d.config.MaxFileBytes {
		return "", fmt.Errorf("put %d bytes in %s: %w: at most %d", len(data), lane, ErrTooLarge, d.config.MaxFileBytes)
	}
	sum := sha256.Sum256(data)
	name, err = d.place(disk.Folder(lane), bytes.NewReader(data), func(n int) string {
		return putName(at.Add(time.Duration(n)*time.Microsecond), sum)
	})
	d.counts.count("put", err)
	if err != nil {
		return "", fmt.Errorf("put %d bytes in %s: %w", len(data), lane, err)
	}
	return name, nil
}

// place writes what src yields into a folder, durably, under the first of its names that is free. With an error and a
// name the file may be there, but nothing vouches for it.
func (d *Dir) place(at disk.Folder, src io.WriterTo, names func(n int) string) (name string, err error) {
	began, err := d.begin()
	if err != nil {
		return "", err
	}
	temp, err := d.stage(src)
	if err != nil {
		return "", err
	}
	name, err = d.unused(disk.TempFolder, temp, at, names)
	if err != nil {
		d.discard(temp)
		return "", err
	}
	return name, d.settle(at, began)
}

// stage writes a temporary file and syncs it.
func (d *Dir) stage(src io.WriterTo) (temp string, err error) {
	temp = strconv.Itoa(os.Getpid()) + "-" + strconv.FormatUint(d.serial.Add(1), 10) + ".tmp"
	f, err := d.disk.Create(disk.TempFolder, temp)
	if err != nil {
		err = d.failed("create a temporary file", err)
		d.discard(temp)
		return "", err
	}
	if err := fill(f, src); err != nil {
		err = d.failed("write a temporary file", err)
		d.discard(temp)
		return "", err
	}
	return temp, nil
}

// fill writes, syncs and closes. A sync that failed is not tried again: the kernel may have dropped the bytes and would
// now call the file clean.
func fill(f disk.Output, src io.WriterTo) error {
	_, err := src.WriteTo(f)
	if err == nil {
		err = syncFailed(f.Sync())
	}
	return errors.Join(err, f.Close())
}

// unused renames a file to the first of the names that is free.
func (d *Dir) unused(from disk.Folder, old string, to disk.Folder, names func(n int) string) (name string, err error) {
	const tries = 1000
	for n := range tries {
		name = names(n)
		err = d.disk.Rename(from, old, to, name)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err != nil {
		return "", d.failed("rename to "+to.String()+"/"+name, err)
	}
	return name, nil
}

// settle makes the names in a folder durable, and vouches for them only if nothing failed since began.
func (d *Dir) settle(at disk.Folder, began faults) error {
	if err := d.syncFolder(at); err != nil {
		return err
	}
	if err := d.disk.Check(at); err != nil {
		return d.failed("look at "+at.String(), err)
	}
	return d.health.unchanged(began)
}

func (d *Dir) syncFolder(at disk.Folder) error {
	return d.syncs[at].do(func() error {
		if err := syncFailed(d.disk.Sync(at)); err != nil {
			return d.failed("sync "+at.String(), err)
		}
		return nil
	})
}

// discard removes a temporary file. One that can't be removed is swept when this process is gone.
func (d *Dir) discard(temp string) {
	if err := d.disk.Remove(disk.TempFolder, temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("temporary file stays", "folder", "tmp", "file", temp, "err", err)
	}
}
