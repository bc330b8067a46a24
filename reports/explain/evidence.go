package explain

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/internal/serials"
	"statewire/reports"
)

// evidence is everything this process can find out about one client.
type evidence struct {
	now    time.Time
	client Client

	header      header
	runs        []serials.Run // serials that arrived, ascending
	ranges      []missingRange
	completions []completion
	requests    []Resync // resyncs, the latest first
	conflicts   []conflict
	aside       []asideRecord
	asideCount  int
	asideLying  int            // of them, in corrupt
	lastReports []reportRow    // the reports that arrived at header.lastReport
	differs     *difference    // nil: no difference is known
	wish        *wish          // nil: nobody asked for a resync that has not been issued
	wishAfter   uint64         // the number of the resync after which it was asked for
	unconfirmed int            // states that the client's latest whole cache left out
	badFiles    badFiles       // that may have held what is missing
	lastCheck   time.Time      // zero: there was none
	outstanding int            // clients that owe an answer, this one included
	clock       clock          // what its messages say of its clock
	refused     *refusedReport // the last one; nil: none is known
	presence    presence       // on the notification channel
	certificate *Certificate   // nil: not known, or not asked for
	tasks       Tasks          // that the client has not come to an end of
	doneTasks   []Task         // that it did lately, the latest first
	pauses      reports.Record // the topics that policies pause; nil: none
	paused      bool           // the client's policy pauses the topic asked about

	held      Held
	heldKnown bool // this process sees the inbox
	heldError bool // it does, but could not read it
	schedule  Schedule
}

// header is the row of header.sql.
type header struct {
	version                 string
	firstReport, lastReport time.Time
	seen                    uint64 // greatest serial that arrived
	claimed                 uint64 // greatest serial the client says that it gave out
	claimedTime             time.Time
	cacheStates             int
	cacheUnsent             int
	cacheTime               time.Time
	floor                   uint64
	completionFloor         uint64
	completionTime          time.Time
	baselineFloor           uint64
	baselineTime            time.Time
	asideClaim              uint64 // far above all that arrived, kept aside; 0 = none
	asideTime               time.Time
	retired                 time.Time // zero: it is not
	retiredBy, retiredWhy   string
}

type missingRange struct {
	serials.Run
	detected, checked time.Time
	closed            bool
}

type completion struct {
	serial, floor uint64
	received      time.Time
}

// Resync is a request to send everything again, and how far it got.
type Resync struct {
	Number                                 uint64
	Issued, PickedUp, Answering, Completed time.Time
	Expired                                time.Time // its time was over; zero when it was not
	Reason, By                             string
	NextSerial                             uint64
	Reached                                Progress
}

type conflict struct {
	serial             uint64
	kind               string
	received, detected time.Time
}

type asideRecord struct {
	serial             *uint64
	code, reason, file string
	record             uint64
	received           time.Time

	how, by, why string // how it came to its end; empty while it lies in corrupt
	ended        time.Time
}

type reportRow struct {
	file, receipt          string
	received, made, loaded time.Time
	first, last            uint64
}

// badFiles are files that could not be read at all.
type badFiles struct {
	count       int
	latest, why string // name and reason of the latest one
	time        time.Time
	before      bool // a message below what is missing is stored; they were set aside after it came
}

// difference is a client's cache beside what the site holds of it.
type difference struct {
	client, site int
	time         time.Time
}

// wish is a person's request for a resync that has not been issued yet.
type wish struct {
	time time.Time
	by   string
}

// maxRuns bounds what is read of one client's serials.
const maxRuns = 20_000

// known says that the site has stored something of the client, or heard from it.
func (e *evidence) known() bool { return e.reported() || !e.header.claimedTime.IsZero() }

// reported says that at least one report of the client was stored.
func (e *evidence) reported() bool { return !e.header.firstReport.IsZero() }

// greatest is the greatest serial that the site knows to exist.
func (e *evidence) greatest() uint64 { return max(e.header.seen, e.header.claimed) }

// floor is the first serial that counts.
func (e *evidence) floor() uint64 { return max(1, e.header.floor) }

// missing are the runs that have not arrived, now, but for those below serials that jumped.
func (e *evidence) missing() []serials.Run {
	missing, _ := parted(serials.Missing(e.runs, e.floor(), e.greatest()), e.header.seen)
	return missing
}

// jumps are the runs below serials that jumped: nobody lost so many messages.
func (e *evidence) jumps() []serials.Run {
	_, jumps := parted(serials.Missing(e.runs, e.floor(), e.greatest()), e.header.seen)
	return jumps
}

// detected is when a gap check first saw any of a run missing; zero when none has yet.
func (e *evidence) detected(r serials.Run) time.Time {
	var first time.Time
	for _, m := range e.ranges {
		if !m.closed && m.First <= r.Last && r.First <= m.Last && (first.IsZero() || m.detected.Before(first)) {
			first = m.detected
		}
	}
	return first
}

// noticed is when a run was first seen missing; now when no check has seen it.
func (e *evidence) noticed(r serials.Run) time.Time {
	if at := e.detected(r); !at.IsZero() {
		return at
	}
	return e.now
}

// lastSign is when the client was last heard of, by report, policy request or presence.
func (e *evidence) lastSign() time.Time {
	sign := later(later(e.header.lastReport, e.header.claimedTime), e.presence.heard)
	if e.presence.online {
		sign = later(sign, e.presence.told)
	}
	return sign
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// gather reads everything about one client. A missing inbox is a fact like any other; a store that does not answer is
// an error.
func (x *Explainer) gather(ctx context.Context, id uuid.UUID) (*evidence, error) {
	e := &evidence{now: x.now().UTC(), client: Client{ID: id}}
	e.readHeld(ctx, x)
	if x.schedule != nil {
		e.schedule = x.schedule()
	}
	params := map[string]string{"client": id.String()}
	for _, part := range []struct {
		query string
		more  map[string]string
		read  func(rows []reports.Record)
	}{
		{"header", nil, e.readHeader},
		{"runs", map[string]string{"most": fmt.Sprint(maxRuns)}, e.readRuns},
		{"ranges", map[string]string{"most": fmt.Sprint(maxRuns), "serial": "0"}, e.readRanges},
		{"completions", nil, e.readCompletions},
		{"requests", nil, e.readRequests},
		{"conflicts", nil, e.readConflicts},
		{"aside", map[string]string{"serial": "0"}, e.readAside},
		{"refused", nil, e.readRefused},
		{"clock", nil, e.readClock},
		{"pauses", nil, e.readPauses},
		{"presence", map[string]string{"since": micros(e.now.Add(-24 * time.Hour))}, e.readPresence},
		{"check", map[string]string{"since": micros(e.owedSince())}, e.readCheck},
	} {
		given := map[string]string{}
		for _, from := range []map[string]string{params, part.more} {
			for name, value := range from {
				given[name] = value
			}
		}
		rows, err := x.ask(ctx, part.query, given)
		if err != nil {
			return nil, err
		}
		part.read(rows)
	}
	e.readCertificate(ctx, x)
	if err := e.readTasks(ctx, x); err != nil {
		return nil, err
	}
	return e, x.gatherMore(ctx, e)
}

// gatherMore reads what depends on the rest.
func (x *Explainer) gatherMore(ctx context.Context, e *evidence) error {
	if e.reported() {
		rows, err := x.ask(ctx, "report", map[string]string{"client": e.client.ID.String(),
			"at": micros(e.header.lastReport)})
		if err != nil {
			return err
		}
		e.lastReports = reportRows(rows)
	}
	if missing := e.missing(); len(missing) > 0 {
		rows, err := x.ask(ctx, "bad-files", map[string]string{"client": e.client.ID.String(),
			"serial": fmt.Sprint(missing[0].First), "until": micros(e.noticed(missing[0]))})
		if err != nil {
			return err
		}
		e.readBadFiles(rows)
	}
	if floor := e.confirmedFrom(); floor > 0 {
		rows, err := x.ask(ctx, "unconfirmed", map[string]string{"client": e.client.ID.String(), "floor": fmt.Sprint(floor),
			"type": "-1", "id": ""})
		if err != nil {
			return err
		}
		e.unconfirmed = rows[0].Count("states")
	}
	return nil
}

// confirmedFrom is the serial at which the client's latest whole cache began; states below it are unconfirmed. Zero
// when it never sent one, or when a baseline was accepted since.
func (e *evidence) confirmedFrom() uint64 {
	if e.header.completionFloor > e.header.baselineFloor {
		return e.header.completionFloor
	}
	return 0
}

// owedSince is from when on a resync that was not answered counts as outstanding.
func (e *evidence) owedSince() time.Time {
	if e.schedule.MergeInterval == 0 {
		return time.Unix(0, 0)
	}
	return e.now.Add(-e.schedule.MergeInterval)
}

// micros is a time the way the engine reads a parameter of type DateTime64(6).
func micros(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000") }

// readHeld asks the inbox first: a report that is loaded meanwhile is then told twice, never not at all.
func (e *evidence) readHeld(ctx context.Context, x *Explainer) {
	if x.holding == nil {
		return
	}
	held, err := x.holding(ctx, e.client.ID)
	if err != nil {
		x.log.Warn("read the inbox for a client", "client", e.client.ID, "err", err)
		e.heldError = true
		return
	}
	slices.SortStableFunc(held.Files, func(a, b HeldFile) int { // those that name the client first
		switch {
		case a.Names == b.Names:
			return a.Since.Compare(b.Since)
		case a.Names:
			return -1
		}
		return 1
	})
	e.held, e.heldKnown = held, true
}
