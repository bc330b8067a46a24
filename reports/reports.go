// Package reports answers questions about stored state, as rows, as JSON and as pages.
//
// It only reads: every query runs through the store's read-only connection, values reach it as typed
// parameters and never as text, and what a client wrote into its report is escaped in every output.
// A client that never reported on a topic is counted as Unknown, never left out.
package reports

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// querier is the part of a ClickHouse connection that reports use; a driver.Conn is one.
// It has to be read-only (readonly=1): reports trust it to refuse writes and the reading of files.
type querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
	QueryFormat(ctx context.Context, format, query string, args ...any) (io.ReadCloser, error)
}

// Runner runs named reports and ad-hoc read-only statements.
type Runner struct {
	// Constant after NewRunner.
	cfg      Config
	catalog  *Catalog
	conn     querier
	backlog  func(context.Context) ([]Box, error)
	holding  func(context.Context, uuid.UUID) (Held, error)
	schedule func() Schedule
	agentLog func(context.Context, uuid.UUID, uint64) ([]AgentEvent, error)
	now      func() time.Time
	log      *slog.Logger
	metrics  *metrics
	slots    chan struct{} // one element per running query
}

// Box is one inbox folder as the status page shows it: a lane, `process` or `corrupt`.
type Box struct {
	Name   string // "high", "normal", "low", "process", "corrupt"
	Files  int
	Bytes  int64
	Oldest time.Duration // age of the oldest file; 0 when the box is empty
}

// Held is what an inbox holds of one client and is not stored yet.
type Held struct {
	Files []HeldFile // the oldest first; at most a few dozen
	More  int        // further files, not listed
	Part  bool       // the inbox holds so many files that not all were looked at

	Serials []SerialRun // the client's serials in the files that name it
	Read    bool        // those are all: each such file was read
	Stopped bool        // no loader runs
}

// SerialRun is a run of serial numbers, both ends included.
type SerialRun struct{ First, Last uint64 }

// HeldFile is one unread file of the inbox.
type HeldFile struct {
	Box    string    // lane or folder: high, normal, low, process
	Name   string    // the file's name
	Since  time.Time // when it came
	Names  bool      // the file names this client; false: it names none, so that it may hold anybody's reports
	Reason string    // why a file that names none counts; empty when it names the client
}

// Schedule is when the site looks for gaps and asks clients, as its settings are now. A zero field is unknown.
type Schedule struct {
	CheckInterval  time.Duration // between two gap checks
	MinMissingAge  time.Duration // how long a message is missing before its client is asked; may be zero on purpose when CheckInterval is set
	MergeInterval  time.Duration // least time between two resyncs of one client
	MaxOutstanding int           // clients that may owe an answer at once
	PolicyInterval time.Duration // how often a client asks for its policy
	SendInterval   time.Duration // how often a client sends what changed
	PollInterval   time.Duration // how long a file may wait in the inbox until it is found at the latest
}

// AgentEvent is one step of a message on its own client, as the agent of this machine wrote it down.
type AgentEvent struct {
	Time time.Time
	Step string // raised, packed, sent, receipt, dead_letter
	Text string
}

// Deps is what reports need from others.
type Deps struct {
	Conn     querier                                                                // the store's read-only connection
	Backlog  func(context.Context) ([]Box, error)                                   // inbox statistics; nil when this process sees no inbox
	Holding  func(ctx context.Context, client uuid.UUID) (Held, error)              // unread files of a client; nil when this process sees no inbox
	Schedule func() Schedule                                                        // the settings of gap check and resync as they are now; nil: times ahead are not told
	AgentLog func(context.Context, uuid.UUID, uint64) (steps []AgentEvent, _ error) // what this machine's own agent knows of a message; nil: there is none

	Ready      func(context.Context) error // what /readyz asks besides the store; nil asks nothing more
	Metrics    http.Handler                // served at /metrics; nil leaves the path out
	Now        func() time.Time            // nil means time.Now
	Log        *slog.Logger                // nil discards
	Registerer prometheus.Registerer       // nil keeps the package's metrics private
	Version    string                      // shown on the status page and in the API description
	Notice     string                      // stands on top of every page; empty shows none
	Alarm      func(context.Context) Alarm // what is wrong with the site now; nil: nothing ever is
}

// Alarm is what a person has to know before trusting any figure: it stands on top of every page. The zero Alarm is none.
type Alarm struct {
	Text     string
	Critical bool // the site is not ready, and /readyz gives the text as its reason
}
