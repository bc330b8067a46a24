// Package gaps finds what is missing, exactly: a serial is missing when nothing under it arrived though a greater one
// arrived or was claimed, and none is overlooked or reported twice. It finds, too, serials that were used twice, and
// clients that hold other states than the site though nothing is missing.
package gaps

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/internal/serials"
	"statewire/store"
)

// Finder keeps missing_ranges, serial_conflicts and differing_clients equal to what the loader and the clients' claims
// say. It writes differences only, so that a check that finds nothing new writes nothing, and one that was cut short is
// completed by the next. Two at once do no harm, but each may write what the other has written.
type Finder struct {
	store  *store.Store
	log    *slog.Logger
	margin time.Duration // watermarkMargin, but for tests
	jump   uint64        // serials.Jump, but for tests
}

// New returns a finder on an open store.
func New(s *store.Store, log *slog.Logger) *Finder {
	return &Finder{store: s, log: log, margin: watermarkMargin, jump: serials.Jump}
}

// Options say what a search looks at, and what time it is.
type Options struct {
	At     time.Time // stamps what is found; decides nothing else
	DryRun bool      // writes nothing
	Full   bool      // compares the states of all clients; otherwise of those that changed since Since
	Since  time.Time // watermark of the last search; zero looks at the serials and the conflicts of everybody anew
	Rows   int       // how many gaps are listed in Found; 0 lists none, below 0 all

	// Unread says whose reports wait, and what they bring: that is not opened, and those clients' states are not
	// compared.
	Unread Unread
}

// Found is what a search found, or what the last one left open.
type Found struct {
	Compared     uint64    `json:"compared"`      // clients whose serials were compared with what is recorded
	Looked       uint64    `json:"looked_at"`     // those of them whose serials were read again
	Clients      uint64    `json:"clients"`       // with an open range that counts
	Ranges       uint64    `json:"ranges"`        // open
	Messages     float64   `json:"messages"`      // missing in them; beyond what a uint64 holds when counters jumped
	Jumps        uint64    `json:"jumps"`         // open ranges below serials that jumped, counted nowhere else
	JumpMessages float64   `json:"jump_messages"` // in those
	Aside        uint64    `json:"claims_aside"`  // clients with a claim that is kept aside, by whoever keeps claims
	Opened       uint64    `json:"opened"`        // ranges that were not open before
	Closed       uint64    `json:"closed"`        // ranges that are open no more, those that shrank or split among them
	Late         uint64    `json:"late"`          // messages of open ranges that arrived since the last search
	Conflicts    uint64    `json:"conflicts"`     // signs of a counter that went back, not settled yet
	Differs      uint64    `json:"differs"`       // clients that hold other states than the site
	Postponed    uint64    `json:"postponed"`     // clients of whom more would be missing but for unread reports
	Oldest       time.Time `json:"oldest"`        // when the oldest open range was detected; zero without one
	Rows         []Gap     `json:"rows"`          // as many as were asked for, the oldest of them first
}

// Outcome is what a search found, and what it leaves to whoever searches next.
type Outcome struct {
	Found
	Watermark    time.Time // the store's time when the search began to read: Since of the next one
	NewConflicts uint64    // found by this search
	Foreseen     Foreseen  // of a dry run
}

// Gap is an open missing range.
type Gap struct {
	Client   uuid.UUID `json:"client_id"`
	First    uint64    `json:"first_serial"`
	Last     uint64    `json:"last_serial"`
	Detected time.Time `json:"detected_time"`
	Jump     bool      `json:"serial_jump"` // the serial above it jumped: counted apart
}

// Messages is how many serials are missing in the range.
func (g Gap) Messages() uint64 { return serials.Run{First: g.First, Last: g.Last}.Len() }

// mostRows is what "all gaps" means: a list of more is not a list any more.
const mostRows = 2_000_000

// Find brings the three tables up to date. A dry run returns what it would find, with all gaps.
func (f *Finder) Find(ctx context.Context, opt Options) (Outcome, error) {
	opt.Full = opt.Full || opt.Since.IsZero()
	opt.At = opt.At.UTC().Truncate(time.Microsecond)
	watermark, err := f.engineTime(ctx)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Watermark: watermark}
	if opt.DryRun || opt.Rows < 0 {
		opt.Rows = mostRows // what follows from the ranges of a dry run is decided by this list, not by the store
	}
	if err := f.findGaps(ctx, opt, &out); err != nil {
		return Outcome{}, fmt.Errorf("look for missing serials: %w", err)
	}
	if err := errors.Join(f.countConflicts(ctx, &out.Found), f.foreseeConflicts(ctx, &out)); err != nil {
		return Outcome{}, fmt.Errorf("count the open conflicts: %w", err)
	}
	if err := f.findDiffering(ctx, opt, &out); err != nil {
		return Outcome{}, fmt.Errorf("compare the clients' states: %w", err)
	}
	slices.SortFunc(out.Rows, compareGaps)
	if opt.DryRun {
		out.countRows()
		return out, nil
	}
	return out, f.countOldest(ctx, &out.Found)
}

// Recorded is how much is open as of the last check.
func (f *Finder) Recorded(ctx context.Context) (out Found, err error) {
	const doing = "read what the last gap check found: %w"
	messages, apart, polled := new(big.Int), new(big.Int), false
	if err := f.store.Conn().QueryRow(ctx, openSQL).Scan(&out.Ranges, messages, &out.Jumps, apart); err != nil {
		return out, fmt.Errorf(doing, err)
	}
	if err := f.store.Conn().QueryRow(ctx, markedSQL).Scan(&out.Differs, &polled); err != nil {
		return out, fmt.Errorf(doing, err)
	}
	if err := f.countConflicts(ctx, &out); err != nil {
		return out, fmt.Errorf(doing, err)
	}
	out.Messages, out.JumpMessages = float(messages), float(apart)
	return out, f.countOldest(ctx, &out)
}

// countRows counts, from the ranges of a search that wrote nothing, what countOldest counts in the store.
func (f *Found) countRows() {
	clients := map[uuid.UUID]bool{}
	for _, one := range f.Rows {
		if one.Jump {
			continue
		}
		clients[one.Client] = true
		if f.Oldest.IsZero() || one.Detected.Before(f.Oldest) {
			f.Oldest = one.Detected
		}
	}
	f.Clients = uint64(len(clients))
}

//go:embed sql/oldest.sql
var oldestSQL string

// countOldest counts whose ranges are open, and says since when the oldest is.
func (f *Finder) countOldest(ctx context.Context, out *Found) error {
	if err := f.store.Conn().QueryRow(ctx, oldestSQL).Scan(&out.Clients, &out.Oldest); err != nil {
		return fmt.Errorf("count the clients with gaps: %w", err)
	}
	if out.Clients == 0 {
		out.Oldest = time.Time{}
	}
	return nil
}

// engineTime is the clock that stamps rows when they are loaded.
func (f *Finder) engineTime(ctx context.Context) (now time.Time, err error) {
	if err := f.store.Conn().QueryRow(ctx, "SELECT now64(3, 'UTC')").Scan(&now); err != nil {
		return now, fmt.Errorf("ask the store for its time: %w", err)
	}
	return now, nil
}
