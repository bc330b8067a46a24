package notifier

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"statewire/internal/durable"
)

// steady is the time that this server has been at work. No clock that somebody sets moves it, and it stands still while
// the process does: silence that nobody could have heard is none.
type steady struct {
	began time.Time
	stood atomic.Int64 // nanoseconds in which the process stood still
}

func newSteady() *steady { return &steady{began: time.Now()} }

// now is how long the server has been at work.
func (s *steady) now() time.Duration { return time.Since(s.began) - time.Duration(s.stood.Load()) }

// skip leaves out a time in which the process stood still.
func (s *steady) skip(d time.Duration) { s.stood.Add(int64(d)) }

// epochFile counts the starts of a server.
const epochFile = "epoch"

// nextEpoch counts a start, durably. A count that cannot be read is followed by one that is greater than any that was.
func nextEpoch(spool string, now time.Time) (uint64, error) {
	if err := os.MkdirAll(spool, 0o700); err != nil {
		return 0, fmt.Errorf("make the notifier's spool: %w", err)
	}
	path := filepath.Join(spool, epochFile)
	text, err := os.ReadFile(path)
	epoch := uint64(0)
	switch {
	case err == nil:
		if epoch, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 62); err != nil {
			epoch = uint64(max(0, now.Unix()))
		}
	case !errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("read how often the notifier started: %w", err)
	}
	epoch++
	err = durable.Write(spool, epochFile, ".epoch-", fmt.Appendln(nil, epoch), 0o600)
	if err != nil {
		return 0, fmt.Errorf("count the notifier's start in %s: %w", path, err)
	}
	return epoch, nil
}
