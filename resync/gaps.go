package resync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"time"

	"statewire/smx"
	"statewire/store"
)

// finder keeps missing_ranges, serial_conflicts and differing_clients equal to what the loader and the clients' claims say.
// It writes differences only, so that a check that finds nothing new writes nothing, and one that was cut short is completed
// by the next. Two at once do no harm, but each may write what the other has written.
type finder struct {
	store  *store.Store
	log    *slog.Logger
	margin time.Duration // watermarkMargin, but for tests
	jump   uint64        // smx.SerialJump, but for tests
}

// newFinder returns a finder on an open store.
func newFinder(s *store.Store, log *slog.Logger) *finder {
	return &finder{store: s, log: log, margin: watermarkMargin, jump: smx.SerialJump}
}

// findOptions say what a check looks at, and what time it is.
type findOptions struct {
	At     time.Time // stamps what is found; decides nothing else
	DryRun bool      // writes nothing
	Full   bool      // compares the states of all clients; otherwise of those that changed since Since
	Since  time.Time // watermark of the last check; zero looks at the serials and the conflicts of everybody anew
	Rows   int       // how many gaps are listed in found; 0 lists none, below 0 all

	// Unread says whose reports wait, and what they bring: that is not opened, and those clients' states are not compared.
	Unread Unread
}

// found is the outcome of a check.
type found struct {
	Watermark time.Time // the engine's time when the check began to read: Since of the next one
	Clients   uint64    // compared
	Looked    uint64    // whose serials were read again

	Ranges         uint64  // open after the check, of all clients
	Messages       float64 // in them
	Jumps          uint64  // ranges below serials that jumped, beside Ranges
	JumpMessages   float64 // in those
	Opened, Closed uint64  // rows of missing_ranges; a range that shrinks is one of each
	Late           uint64  // messages of open ranges that arrived since the last check
	Gaps           []gap   // some of the open ranges, at most Rows
	Postponed      uint64  // clients of whom more would be missing but for unread reports

	Conflicts    uint64 // open after the check, of all clients
	NewConflicts uint64 // found by this check
	Differing    uint64 // clients that differ, after the check

	foreseen foreseen // of a dry run
}

// gap is an open range.
type gap struct {
	Client      smx.ClientID
	First, Last uint64
	Detected    time.Time
	Jump        bool // below a serial that jumped
}

// find brings the three tables up to date. A dry run returns what it would find, with all gaps.
func (f *finder) find(ctx context.Context, opt findOptions) (found, error) {
	opt.Full = opt.Full || opt.Since.IsZero()
	opt.At = opt.At.UTC().Truncate(time.Microsecond)
	watermark, err := f.engineTime(ctx)
	if err != nil {
		return found{}, err
	}
	out := found{Watermark: watermark}
	if opt.DryRun {
		opt.Rows = mostRows // what follows from the ranges is decided by this list, not by the store
	}
	if err := f.findGaps(ctx, opt, &out); err != nil {
		return found{}, fmt.Errorf("look for missing serials: %w", err)
	}
	if err := errors.Join(f.countConflicts(ctx, &out), f.foreseeConflicts(ctx, &out)); err != nil {
		return found{}, fmt.Errorf("count the open conflicts: %w", err)
	}
	if err := f.findDiffering(ctx, opt, &out); err != nil {
		return found{}, fmt.Errorf("compare the clients' states: %w", err)
	}
	return out, nil
}

// recorded is how much is open as of the last check.
func (f *finder) recorded(ctx context.Context) (out found, err error) {
	const doing = "read what the last gap check found: %w"
	messages, apart, polled := new(big.Int), new(big.Int), false
	if err := f.store.Conn().QueryRow(ctx, openSQL).Scan(&out.Ranges, messages, &out.Jumps, apart); err != nil {
		return out, fmt.Errorf(doing, err)
	}
	if err := f.store.Conn().QueryRow(ctx, markedSQL).Scan(&out.Differing, &polled); err != nil {
		return out, fmt.Errorf(doing, err)
	}
	if err := f.countConflicts(ctx, &out); err != nil {
		return out, fmt.Errorf(doing, err)
	}
	out.Messages, out.JumpMessages = float(messages), float(apart)
	return out, nil
}

// engineTime is the clock that stamps rows when they are loaded.
func (f *finder) engineTime(ctx context.Context) (now time.Time, err error) {
	if err := f.store.Conn().QueryRow(ctx, "SELECT now64(3, 'UTC')").Scan(&now); err != nil {
		return now, fmt.Errorf("ask the store for its time: %w", err)
	}
	return now, nil
}
