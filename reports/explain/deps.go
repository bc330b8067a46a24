package explain

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"statewire/internal/serials"
)

// Deps is what explanations need besides the store. What is nil is not known, and nothing is said of it.
type Deps struct {
	// Holding are the unread files of a client; nil when this process sees no inbox.
	Holding func(ctx context.Context, client uuid.UUID) (Held, error)
	// Schedule is what gap check and resync are set to now; nil: times ahead are not told.
	Schedule func() Schedule
	// AgentLog is what this machine's own agent knows of a message; nil: there is none.
	AgentLog func(ctx context.Context, client uuid.UUID, serial uint64) (steps []AgentEvent, _ error)

	// Certificate is what the identity role has of a client's certificates; nil where none is needed, or nobody can say.
	Certificate func(ctx context.Context, client uuid.UUID) (Certificate, error)

	// Tasks is what the notification manager says of a client; nil where nobody can be asked: the tables tell then.
	Tasks func(ctx context.Context, client uuid.UUID) (Tasks, error)

	Now func() time.Time // nil means time.Now
	Log *slog.Logger     // nil discards
}

// Held is what an inbox holds of one client and is not stored yet.
type Held struct {
	Files []HeldFile // the oldest first; at most a few dozen
	More  int        // further files, not listed
	Part  bool       // the inbox holds so many files that not all were looked at

	Serials []serials.Run // the client's serials in the files that name it
	Read    bool          // those are all: each such file was read
	Stopped bool          // no loader runs
}

// HeldFile is one unread file of the inbox.
type HeldFile struct {
	Box    string    // lane or folder: high, normal, low, process
	Name   string    // the file's name
	Since  time.Time // when it came
	Names  bool      // the file names this client; false: it names none, so that it may hold anybody's reports
	Reason string    // why a file that names none counts; empty when it names the client
}

// Schedule is when the site looks for gaps and asks clients, as its settings are now. A zero field is unknown;
// MinMissingAge is known when CheckInterval is.
type Schedule struct {
	CheckInterval  time.Duration // between two gap checks
	MinMissingAge  time.Duration // how long a message is missing before its client is asked; may be zero
	MergeInterval  time.Duration // least time between two resyncs of one client
	MaxOutstanding int           // clients that may owe an answer at once
	PolicyInterval time.Duration // how often a client asks for its policy
	SendInterval   time.Duration // how often a client sends what changed
	PollInterval   time.Duration // how long a file may wait in the inbox until it is found at the latest
	OfflineAfter   time.Duration // the silence after which a connected client counts as offline
	Uncertified    bool          // clients come without certificates, and so they have no connections
}

// AgentEvent is one step of a message on its own client, as the agent of this machine wrote it down.
type AgentEvent struct {
	Time time.Time
	Step string // raised, packed, sent, receipt, dead_letter
	Text string
}
