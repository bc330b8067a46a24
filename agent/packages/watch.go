package packages

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"time"
)

// traces are the times of the files that change when anything changes that a scan looks at.
func (p *Source) traces() map[string]time.Time {
	times := map[string]time.Time{}
	for _, path := range append(p.apt.traces(), p.marker, p.marker+restartPackages) {
		if info, err := os.Stat(path); err == nil {
			times[path] = info.ModTime()
		}
	}
	return times
}

// watch notices that something has changed and come to rest: an upgrade in progress is not worth a scan.
type watch struct {
	scanned map[string]time.Time
	last    map[string]time.Time
}

// settle notes what a scan has seen.
func (w *watch) settle(now map[string]time.Time) { w.scanned, w.last = now, now }

// changed says whether anything differs from the last scan and no more from the last call.
func (w *watch) changed(now map[string]time.Time) bool {
	resting := maps.Equal(w.last, now)
	w.last = now
	return w.scanned != nil && resting && !maps.Equal(w.scanned, now)
}

// scanError is a scan without a result.
type scanError struct{ cause error }

func (e *scanError) Error() string { return "scan packages: " + e.cause.Error() }
func (e *scanError) Unwrap() error { return e.cause }

// code is the failure as the reports of failures know it.
func (e *scanError) code() string {
	switch {
	case errors.Is(e.cause, context.DeadlineExceeded):
		return "0x800705B4" // timed out
	case errors.Is(e.cause, errNoLists):
		return "0x80248007" // the store of updates has no such item
	case errors.Is(e.cause, fs.ErrPermission):
		return "0x80070005" // access denied
	case errors.Is(e.cause, exec.ErrNotFound), errors.Is(e.cause, fs.ErrNotExist):
		return "0x80070002" // file not found
	}
	return "0x80004005" // unspecified
}
