package agent

import (
	"context"
	"log/slog"
	"time"
)

// Fleet is a simulated fleet: many clients' logic in one process, on accelerated time, with a bounded number of goroutines.
type Fleet struct {
	cfg FleetConfig
	log *slog.Logger
}

// NewFleet makes the fleet's clients; nothing runs until Run.
func NewFleet(cfg FleetConfig, log *slog.Logger) (*Fleet, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Fleet{cfg: cfg, log: log}, nil
}

// Run sends until ctx ends, then finishes the reports under way and returns nil.
func (f *Fleet) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// PastReport is a report that the site received before Run: History hands these out.
type PastReport struct {
	Client   [16]byte
	Received time.Time
	Receipt  string
	Messages int
	Body     []byte // UTF-8 <Report>…</Report>, as the relay keeps it in its files
}

// History hands out, oldest first and in batches, the reports that the clients sent in the weeks before Run: the state before the
// patch day, and everything of the clients that have been silent since. Calling it is optional; call it before Run. The caller puts
// each batch into the inbox as one relay-written file.
func (f *Fleet) History(ctx context.Context, put func(batch []PastReport) error) error { return nil }

// DamagedFile is a file no relay would write: something an operator copied from elsewhere.
type DamagedFile struct {
	Name string
	Data []byte
}

// Damaged returns a few broken *.SMX files to drop into an inbox, so that a page about bad files has content.
func (f *Fleet) Damaged() []DamagedFile { return nil }

// FleetStats is the fleet's progress.
type FleetStats struct {
	Clients    int       // simulated clients
	Silent     int       // of these, the ones that no longer report
	Reports    int64     // accepted by the relay
	Messages   int64     // in accepted reports
	Retries    int64     // attempts that will be repeated
	Refused    int64     // reports the relay refused for good
	Lost       int64     // reports that vanished on purpose
	Duplicated int64     // reports sent twice on purpose
	Damaged    int64     // records damaged on purpose
	Simulated  time.Time // the fleet's clock
	PatchDay   bool      // whether the patch day still runs
}

// Stats may be called at any time.
func (f *Fleet) Stats() FleetStats { return FleetStats{} }

// SerialRange is a run of serials, both ends included.
type SerialRange struct{ First, Last uint64 }

// ExpectedState is the current state of one topic of a client.
type ExpectedState struct {
	TopicType uint32
	TopicID   string
	StateID   uint32
	Params    []string
	Serial    uint64 // 0 for an instant message
	Time      time.Time
}

// Expected is what a site should hold of one client.
type Expected struct {
	Client     [16]byte
	Name       string          // NetBIOS name
	LastSerial uint64          // the last one assigned
	States     []ExpectedState // by topic type, then id: the latest of what reached the relay
	Lost       []SerialRange   // assigned, but never at the relay
	SetAside   []uint64        // arrived in a damaged record: received, not stored
	Unsettled  []SerialRange   // sent when the fleet stopped, no answer: may have arrived or not
}

// Expected returns what a site should end up with, per client. Call it after Run returned.
func (f *Fleet) Expected() []Expected { return nil }
