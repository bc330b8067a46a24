package resync

import (
	"time"

	"statewire/resync/gaps"
)

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
	Gaps         gaps.Found     `json:"gaps"`
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
