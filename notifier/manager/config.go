package manager

import (
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
	Clock      func() time.Time      // nil is time.Now
}

func (d Deps) withDefaults() Deps {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Registerer == nil {
		d.Registerer = prometheus.NewRegistry()
	}
	if d.Clock == nil {
		d.Clock = time.Now
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
)
