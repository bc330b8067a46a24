package inbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"statewire/inbox/disk"
	"sync"
	"syscall"
	"time"
)

// health remembers that the storage failed. After a failed sync the kernel may report later ones as good though it
// dropped what they were to write, so nothing is vouched for until a file made afterwards has been synced.
type health struct {
	mu     sync.Mutex
	count  faults    // Guarded by mu, like the others. Faults so far.
	last   error     // the latest fault
	open   bool      // no probe has succeeded since
	probed time.Time // when the latest probe began

	reopened time.Time // when it was last tried to open moved folders
}

// faults counts storage faults; two equal values mean that none came between.
type faults uint64

// begin returns the faults so far, or the open one.
func (h *health) begin() (faults, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open {
		return h.count, h.last
	}
	return h.count, nil
}

// unchanged fails when a fault came after began.
func (h *health) unchanged(began faults) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count != began {
		return h.last
	}
	return nil
}

func (h *health) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	h.last, h.open = err, true
}

// due tells one caller per interval to probe.
func (h *health) due(interval time.Duration) (began faults, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open || time.Since(h.probed) < interval {
		return h.count, false
	}
	h.probed = time.Now()
	return h.count, true
}

// mayReopen tells one caller per interval to open moved folders anew.
func (h *health) mayReopen(interval time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.reopened.IsZero() && time.Since(h.reopened) < interval {
		return false
	}
	h.reopened = time.Now()
	return true
}

func (h *health) clear(began faults) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count == began {
		h.open = false
	}
}

// Ready returns nil when Put may be tried: the folders are in place and no storage fault is open. After a fault it
// syncs a fresh probe file, at most once per Config.ProbeInterval, and stays an ErrFault until one succeeds. Folders
// that were moved away are opened anew once all are there again.
func (d *Dir) Ready() error {
	if err := d.inPlace(); err != nil {
		return err
	}
	_, err := d.recheck()
	return err
}

func (d *Dir) moved() error {
	for at := range disk.Folder(disk.Folders) {
		if err := d.disk.Check(at); err != nil {
			return err
		}
	}
	return nil
}

// inPlace is moved after an attempt, at most one per Config.ProbeInterval, to open the folders anew. Whoever is in the
// middle of a write then is not vouched for: it may have gone into a folder that nobody reads.
func (d *Dir) inPlace() error {
	moved := d.moved()
	if !errors.Is(moved, ErrMoved) || !d.reopening.TryLock() {
		return moved
	}
	defer d.reopening.Unlock()
	if !d.health.mayReopen(d.config.ProbeInterval) {
		return moved
	}
	if err := d.disk.Reopen(func() { d.health.fail(moved) }); err != nil {
		return fmt.Errorf("%w (%w)", moved, err)
	}
	d.reopened.Add(1)
	began, _ := d.health.begin()
	if err := d.probe(); err != nil {
		return err
	}
	d.health.clear(began)
	d.log.Warn("inbox folders were moved or deleted; what is in their place is used now", "root", d.root, "was", moved)
	return d.moved()
}

// held is check of one folder, after an attempt to open it anew.
func (d *Dir) held(at disk.Folder) error {
	err := d.disk.Check(at)
	if errors.Is(err, ErrMoved) && d.inPlace() == nil {
		return nil
	}
	return err
}

// begin opens a write: it fails while a fault is open.
func (d *Dir) begin() (faults, error) {
	began, err := d.health.begin()
	if err != nil {
		return d.recheck()
	}
	return began, nil
}

// recheck is health.begin after a probe, where one is due.
func (d *Dir) recheck() (faults, error) {
	if began, ok := d.health.due(d.config.ProbeInterval); ok {
		if err := d.probe(); err == nil {
			d.health.clear(began)
			d.log.Info("storage works again", "root", d.root)
		}
	}
	return d.health.begin()
}

func (d *Dir) probe() error {
	temp, err := d.stage(bytes.NewReader([]byte("probe\n")))
	if err != nil {
		return err
	}
	d.discard(temp)
	return d.syncFolder(disk.TempFolder)
}

// syncError marks the error of a sync.
type syncError struct{ error }

func (e *syncError) Unwrap() error { return e.error }

func syncFailed(err error) error {
	if err == nil {
		return nil
	}
	return &syncError{fmt.Errorf("sync: %w", err)}
}

// sourceError marks an error of what is being copied, not of the inbox's disk.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

// failed says what kind of error a write to the disk met, and closes the inbox to new files when it was a storage
// fault.
func (d *Dir) failed(op string, err error) error {
	var source *sourceError
	if errors.As(err, &source) {
		return source.error
	}
	if moved := d.moved(); moved != nil {
		return fmt.Errorf("%s: %w", op, moved)
	}
	var sync *syncError
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	switch isSync := errors.As(err, &sync); {
	case full && !isSync:
		return fmt.Errorf("%s: %w: %w", op, ErrDiskFull, err)
	case errors.Is(err, fs.ErrPermission) && !isSync:
		return fmt.Errorf("%s: %w: %w", op, ErrFault, err) // of this folder, not of the disk
	case full:
		err = fmt.Errorf("%s: %w: %w: %w", op, ErrDiskFull, ErrFault, err)
	default:
		err = fmt.Errorf("%s: %w: %w", op, ErrFault, err)
	}
	d.health.fail(err)
	d.log.Error("storage fault", "root", d.root, "err", err)
	return err
}
