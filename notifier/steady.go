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

// nextEpoch counts a start, durably where that can be. A count that cannot be read, or be kept, gives way to one that
// is greater than any that was, and no site stays away for it: the manager believes a server that counts anew. The
// error says why the count is not kept.
func nextEpoch(spool string, now time.Time) (epoch uint64, err error) {
	path := filepath.Join(spool, epochFile)
	beyond := uint64(max(0, now.Unix()))
	text, err := os.ReadFile(path)
	if err == nil {
		epoch, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 62)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		epoch = beyond
	}
	epoch++
	if err := durable.Write(spool, epochFile, ".epoch-", fmt.Appendln(nil, epoch), 0o600); err != nil {
		return max(epoch, beyond), fmt.Errorf("count the notifier's start in %s: %w", path, err)
	}
	return epoch, nil
}
