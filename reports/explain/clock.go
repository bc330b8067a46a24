package explain

import (
	"time"

	"statewire/internal/humanize"
	"statewire/reports"
)

// clockDrift is how far the time of a report may be from its arrival before that is told: as far as a message's own.
const clockDrift = 24 * time.Hour

// clock is what the messages of a client say of its clock.
type clock struct {
	suspects      int       // messages whose time can't be right
	latest, named time.Time // when the latest of them came, and the time that it names
	rightSince    int       // messages since, whose time may be right
}

func (e *evidence) readClock(rows []reports.Record) {
	for _, r := range rows {
		e.clock = clock{r.Count("suspects"), r.Time("latest"), r.RawTime("named"), r.Count("right_since")}
	}
}

// The bounds between which a message's time is stored as it is.
var (
	firstTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// wrongTime says what is wrong with a message's time that can't be right.
func wrongTime(named, received time.Time) string {
	switch {
	case !named.After(firstTime):
		return "it names a time before 2000, and 2000-01-01 is stored in its place"
	case !named.Before(lastTime):
		return "it names a time after 2100, and 2100-01-01 is stored in its place"
	}
	return "it names " + humanize.Clock(named) + ", " + humanize.Span(named.Sub(received)) + " after it came"
}

// wrongClock tells that times of the client are not to be trusted.
func (f *facts) wrongClock() {
	if c := f.clock; c.suspects > 0 {
		severity, since := Warning, ""
		if c.rightSince > 0 {
			severity, since = Note, " Messages that came since have times that may be right."
		}
		f.add(severity, "clock_wrong", c.latest,
			"Its clock is or was wrong: %s %s a time that can't be right. The latest came at %s: %s.%s What they say counts "+
				"all the same, in the order of serials.",
			humanize.Number(c.suspects), humanize.Plural(c.suspects, "message names", "messages name"), f.when(c.latest),
			wrongTime(c.named, c.latest), since)
	}
	if len(f.lastReports) == 0 || f.lastReports[0].receipt == "" || f.lastReports[0].made.IsZero() {
		return // a copied file may be of any age
	}
	r := f.lastReports[0]
	switch ahead := r.made.Sub(r.received); {
	case ahead > clockDrift:
		f.add(Warning, "clock_ahead", r.received,
			"Its clock is ahead: the latest report says that it was made %s after it arrived.", humanize.Span(ahead))
	case -ahead > clockDrift:
		f.add(Note, "clock_behind", r.received,
			"The latest report says that it was made %s before it arrived: its clock is behind, or the report waited that long.",
			humanize.Span(-ahead))
	}
}
