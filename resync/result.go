package resync

import (
	"time"
)

// Gap is an open missing range.
type Gap struct {
	Client   string    `json:"client_id"`
	First    uint64    `json:"first_serial"`
	Last     uint64    `json:"last_serial"`
	Detected time.Time `json:"detected_time"`
	Jump     bool      `json:"serial_jump"` // the serial above it is more than smx.SerialJump above the one below: counted apart
}

// Messages is how many serials are missing in the range.
func (g Gap) Messages() uint64 { return g.Last - g.First + 1 }

// Gaps is what a check found.
type Gaps struct {
	Compared     uint64    `json:"compared"`      // clients whose serials were compared with what is recorded
	Looked       uint64    `json:"looked_at"`     // those of them whose serials were read again
	Clients      uint64    `json:"clients"`       // with an open range that counts
	Ranges       uint64    `json:"ranges"`        // open
	Messages     float64   `json:"messages"`      // missing in them; beyond what a uint64 holds when counters jumped
	Jumps        uint64    `json:"jumps"`         // open ranges below serials that jumped, which Clients, Ranges, Messages and Oldest leave out
	JumpMessages float64   `json:"jump_messages"` // in those
	Aside        uint64    `json:"claims_aside"`  // clients with a claim that jumped and is kept aside
	Opened       uint64    `json:"opened"`        // ranges that were not open before
	Closed       uint64    `json:"closed"`        // ranges that are open no more, those that shrank or split among them
	Late         uint64    `json:"late"`          // messages of open ranges that arrived since the last check
	Conflicts    uint64    `json:"conflicts"`     // signs of a counter that went back, not settled yet
	Differs      uint64    `json:"differs"`       // clients that hold other states than the site
	Postponed    uint64    `json:"postponed"`     // clients of whom more would be missing but for unread reports
	Oldest       time.Time `json:"oldest"`        // when the oldest open range was detected; zero without one
	Rows         []Gap     `json:"rows"`          // as many as were asked for, the oldest of them first
}

// Issued is a resync that was issued, or would be.
type Issued struct {
	Client     string    `json:"client_id"`
	Number     uint32    `json:"number"`
	Reason     string    `json:"reason"` // requested, conflict, differs or missing
	By         string    `json:"by"`     // who asked; empty for the check
	NextSerial uint64    `json:"next_serial"`
	Time       time.Time `json:"issued_time"`
}

// Held is a client that is to be asked and was not, yet.
type Held struct {
	Client string    `json:"client_id"`
	Reason string    `json:"reason"` // why it is to be asked
	Since  time.Time `json:"since"`
	Hold   string    `json:"hold"` // why not yet: unread, unknown, interval, age or bound
}

// Result is what a check did.
type Result struct {
	At           time.Time      `json:"time"`
	Kind         string         `json:"kind"` // full or incremental
	DryRun       bool           `json:"dry_run"`
	Gaps         Gaps           `json:"gaps"`
	Issued       []Issued       `json:"issued"` // at most as many as rows were asked for
	IssuedTotal  int            `json:"issued_total"`
	Held         []Held         `json:"held"`       // the first of them
	HeldTotals   map[string]int `json:"held_total"` // by hold
	Waiting      int            `json:"waiting"`    // clients that could be asked but for unread reports or the bound
	Outstanding  int            `json:"outstanding"`
	UnreadReason string         `json:"unread_reason,omitempty"` // why nobody could be asked
	Took         time.Duration  `json:"took_ns"`

	stopped bool // before everybody was looked at
}

// Kinds of a check.
const (
	kindFull        = "full"
	kindIncremental = "incremental"
)

// CheckOptions say how a check is made.
type CheckOptions struct {
	At     time.Time // the clock of the check; zero is now
	DryRun bool      // writes nothing
	Full   bool      // reads the serials of every client anew, and compares the states of all
	Rows   int       // how many gaps and issued resyncs Result carries; 0 none, below 0 all

	refill bool // only fills free places
}
