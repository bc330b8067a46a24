package manager

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"statewire/audit"
	"statewire/packs"
)

// Config says which notification servers a manager has, and where their files come.
type Config struct {
	Dir      string // where tasks.db lies; made when it is missing
	Box      string // the folder of presence files; made when it is missing
	Server   string // name of the notifier of this data directory, whose files come into Box
	ServerID uint32 // of that notifier
	// PresenceInterval is the time between two presence files of a server. Two of them without one, and the server's
	// clients count as offline.
	PresenceInterval time.Duration
	// History is how long the times at which clients were connected are kept. 0 keeps them for ever.
	History time.Duration

	Live
}

// Live is what may change while the manager runs.
type Live struct {
	Tasks    TasksConfig
	Validity time.Duration // how long a task waits for a client that is offline; 0 is an hour
	Throttle int           // clients a second that a server writes to, at most; 0 is 42
}

// TasksConfig says what tasks need before they are pushed, and how long they are kept.
type TasksConfig struct {
	// ConfirmAbove is the number of targets above which whoever asks has to name their number. Default 100; 0 always asks.
	ConfirmAbove int `mapstructure:"confirm_above"`
	// ApproveAbove is the number of targets above which a disruptive task needs a second person. Default 1000; 0 never
	// asks for one.
	ApproveAbove int `mapstructure:"approve_above"`
	// ApproveDestructive has every destructive task need a second person. Default true; false is for a site with one
	// admin.
	ApproveDestructive bool `mapstructure:"approve_destructive"`
	// Keep is how long tasks and each client's steps are kept; their totals stay. Default 90d; at least 1h, and 0 for
	// ever.
	Keep time.Duration `mapstructure:"keep"`
	// OutputLimit bounds what is shown of the output of one client's task, in bytes. Default 1MiB; at least 4KiB.
	OutputLimit int64 `mapstructure:"output_limit"`
}

// DefaultTasksConfig asks again above a hundred targets, and for a second person where much is at stake.
func DefaultTasksConfig() TasksConfig {
	return TasksConfig{ConfirmAbove: 100, ApproveAbove: 1000, ApproveDestructive: true, Keep: 90 * 24 * time.Hour,
		OutputLimit: 1 << 20}
}

// Validate reports every field out of range, named as in the configuration file.
func (c TasksConfig) Validate() error {
	var errs []error
	if c.ConfirmAbove < 0 {
		errs = append(errs, fmt.Errorf("tasks.confirm_above is %d; allowed is 0 or more", c.ConfirmAbove))
	}
	if c.ApproveAbove < 0 {
		errs = append(errs, fmt.Errorf("tasks.approve_above is %d; allowed is 0 or more", c.ApproveAbove))
	}
	if c.Keep < 0 || c.Keep > 0 && c.Keep < time.Hour {
		errs = append(errs, fmt.Errorf("tasks.keep is %v; allowed are 0 and 1h or more", c.Keep))
	}
	if c.OutputLimit < 4<<10 {
		errs = append(errs, fmt.Errorf("tasks.output_limit is %d bytes; allowed is 4KiB or more", c.OutputLimit))
	}
	return errors.Join(errs...)
}

// Configure changes what may change while the manager runs.
func (m *Manager) Configure(l Live) {
	if l.Validity <= 0 {
		l.Validity = time.Hour
	}
	if l.Throttle <= 0 {
		l.Throttle = 42
	}
	if l.Tasks.OutputLimit <= 0 {
		l.Tasks.OutputLimit = DefaultTasksConfig().OutputLimit
	}
	m.settings.Store(&l)
}

// Validate reports what is missing.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" || c.Box == "" || c.Server == "" || c.ServerID == 0 {
		errs = append(errs, errors.New("the notification manager needs a folder, a box and a notifier with a name and an id"))
	}
	if c.PresenceInterval <= 0 {
		errs = append(errs, errors.New("the notification manager needs the interval of presence files"))
	}
	return errors.Join(errs...)
}

// Deps are what a manager works with; each may be zero.
type Deps struct {
	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil registers nothing
	Clock      func() time.Time      // nil is the machine's, unless somebody sets that by more than a day

	// What tasks need. Without a key nothing is signed, and without an audit log no task is taken.
	TaskKey func() (id string, key ed25519.PrivateKey, err error)
	Site    func() (uuid.UUID, error)
	Pack    *packs.Pack // whose tasks are pushed; nil is the built-in one
	Audit   auditor
	// Members are the clients of a collection, or all. Retired clients are in none.
	Members func(ctx context.Context, collection string, all bool) ([]uuid.UUID, error)
	// Still is nil as long as an actor may do what it could. A *identity.Refusal that no retry helps says that it may not
	// any more; another error, that nobody knows. Nil: everybody still may.
	Still func(ctx context.Context, actor string) error
}

// auditor records an action before its effect; after an error nothing may be done.
type auditor interface {
	Begin(ctx context.Context, a audit.Action) (finish func(outcome, detail string), err error)
}

func (d Deps) withDefaults() Deps {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Registerer == nil {
		d.Registerer = prometheus.NewRegistry()
	}
	if d.Clock == nil {
		began := time.Now()
		d.Clock = newClock(time.Now, func() time.Duration { return time.Since(began) }, d.Log)
	}
	if d.Still == nil {
		d.Still = func(context.Context, string) error { return nil }
	}
	return d
}

// Bounds and times of the manager.
const (
	holdFor      = 50 * time.Second // how long a question for work is held
	missedAfter  = 60 * time.Second // how long a report is waited for once a later one is there
	askFullAgain = 60 * time.Second // a server that was asked for a full report owes it for so long
	tellAgain    = 10 * time.Minute // a status message does not come again within it
	floodFiles   = 10               // so many bad files of a server within floodTime are a flood
	floodTime    = time.Hour
	maxWakes     = 250_000 // clients that are not connected, and are to be woken
	maxWorkWakes = 400     // in one answer: as many as the usual throttle hands out in ten seconds
	maxBadRows   = 20      // rows of one file that are kept apart; the others are only counted
	maxMessages  = 100     // of one question
	maxTextBytes = 1024    // of a status message
	maxHistory   = 1_000_000
	writtenFor   = 2 * time.Second // a file that cannot be read and is younger may not be whole yet
	pollEvery    = 5 * time.Second
	stoppedAfter = 30 * time.Second // between two looks: then this process did not run
	mirrorPause  = 900 * time.Millisecond
	mirrorDelay  = 100 * time.Millisecond
	mirrorRows   = 50_000
	mirrorLook   = 10 * time.Minute // how often the tables are held against the mirror's mark
	mirrorRetry  = 10 * time.Second
	fileWait     = 5 * time.Second // for another process that has the state file

	maxOpenSteps     = 1_000_000 // clients that have not come to an end of a task, over all tasks
	maxUnwritten     = 1000      // pushes that a server may have and has not written
	unwrittenSeconds = 10        // or as many as it writes in so long
	maxWorkPushes    = 100       // in one answer
	maxWorkBytes     = 1 << 20   // of their envelopes
	pushesReserved   = 10_000    // numbers of pushes that are taken from the file at once
	maxStrangers     = 10_000    // results of tasks that the site does not know
	maxStrangersEach = 100       // of one client: it takes nobody's place
	maxAuditStrange  = 100       // of one call, that get a line in the audit log
	maxSwept         = 5_000     // steps that end in one transaction
	sweepEvery       = 5 * time.Second
	rateTick         = 100 * time.Millisecond // how long pushes of a task with a rate of its own gather
	signTimeEvery    = 5 * time.Minute
	signerKept       = time.Minute
	signerRetry      = 5 * time.Second
	clearedFor       = time.Minute // how long a creator's right is believed
	clearAgain       = 5 * time.Second
	stillWithin      = 5 * time.Second
	approveWithin    = 7 * 24 * time.Hour // a task that waits for a second person
	silentUnknown    = 10 * time.Minute   // beyond the time-out of a task, while its client is online
	offlineUnknown   = 7 * 24 * time.Hour
	lastingValidity  = 30 * 24 * time.Hour
	minValidity      = time.Minute
)
