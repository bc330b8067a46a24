package inbox

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Stats counts what lies in an inbox. Every file is in exactly one box.
type Stats struct {
	At      time.Time // when it was counted
	High    Box       // waiting
	Normal  Box       // waiting
	Low     Box       // waiting
	Process Box       // claimed by a loader, not yet stored
	Corrupt Box       // bad files and records, without their reasons
	// Foreign counts entries that are no SMX files, by kind: dir, symlink, fifo, device, socket, hidden, suffix.
	// They are left alone.
	Foreign map[string]int
	// ForeignNames are some of them, as paths below the root.
	ForeignNames []string
}

// Box is one folder's or one state's files.
type Box struct {
	Files  int
	Bytes  int64
	Oldest time.Time // when the oldest file came; zero when there is none
}

// Age is how long the oldest file has been waiting.
func (b Box) Age(now time.Time) time.Duration {
	if b.Oldest.IsZero() {
		return 0
	}
	return max(0, now.Sub(b.Oldest))
}

// Waiting is everything in the lanes and claimed, not yet stored.
func (s Stats) Waiting() Box { return Box{} }

// Stats returns counts that are at most Config.StatsInterval old, or, when counting is slow, twenty times as old as
// counting takes. It reads the folders itself when it has to, so call it beside the work, not within a request.
func (d *Dir) Stats() (Stats, error) { return Stats{}, errors.ErrUnsupported }

// Collector yields the metrics statewire_inbox_files, _bytes, _oldest_age_seconds by box and _foreign_entries by kind.
func (d *Dir) Collector() prometheus.Collector { return nil }
