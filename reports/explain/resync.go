package explain

import (
	"fmt"
	"slices"
	"time"

	"statewire/internal/humanize"
	"statewire/internal/tabular"
)

// Progress is how far a resync got.
type Progress string

// How far a resync may have got, as the view resync_outcomes, reports and pages name it.
const (
	Issued    Progress = "issued"
	PickedUp  Progress = "picked up"
	Answering Progress = "answering"
	Completed Progress = "completed"
	Accepted  Progress = "accepted" // a person accepted what the site holds since: nobody waits for the answer
	Replaced  Progress = "replaced" // asked again before it was completed
	Expired   Progress = "unanswered"
	Late      Progress = "late" // completed after it had expired
)

// Why is the reason in words.
func (q Resync) Why() string {
	switch q.Reason {
	case "requested":
		if q.By != "" {
			return "because " + tabular.Shorten(q.By, 64) + " asked for it"
		}
		return "because a person asked for it"
	case "conflict":
		return "because its counter went back"
	case "differs":
		return "because its states differ"
	}
	return "because messages are missing"
}

// resync tells how far the latest one got.
func (f *facts) resync() {
	f.requested()
	if len(f.requests) == 0 {
		return
	}
	q := f.requests[0]
	asked := fmt.Sprintf("Resync %d was issued at %s, %s", q.Number, f.when(q.Issued), q.Why())
	switch q.Reached {
	case Completed:
		f.add(OK, "resync_completed", q.Completed, "%s, and completed at %s.", asked, f.when(q.Completed))
	case Accepted:
		f.add(OK, "resync_accepted", f.header.baselineTime,
			"%s. Nobody waits for its answer: a person accepted what the site holds since, at %s.", asked,
			humanize.Clock(f.header.baselineTime))
	case Late:
		f.add(OK, "resync_late", q.Completed,
			"%s. It was not completed in time, and its answer came late: it was complete at %s.", asked, f.when(q.Completed))
	case Expired:
		f.add(Warning, "resync_expired", q.Expired,
			"%s. Its time was over at %s without a complete answer, and it is not offered any more.", asked, f.when(q.Expired))
	case Answering:
		f.add(Note, "resync_answering", q.Answering,
			"%s. The answer began to arrive at %s; the client has not said yet that it is complete.", asked, f.when(q.Answering))
	case PickedUp:
		f.add(Note, "resync_picked_up", q.PickedUp, "%s. The client picked it up at %s; nothing of the answer has arrived.",
			asked, f.when(q.PickedUp))
	case Issued:
		since := "it has not asked for its policy since"
		if f.header.claimedTime.After(q.Issued) {
			since = "it asked for its policy since, at " + f.when(f.header.claimedTime) + ", but did not get this one"
		}
		f.add(Note, "resync_issued", q.Issued, "%s. The client has not picked it up: %s.", asked, since)
	}
	n := f.unanswered()
	switch _, pending := f.pending(); {
	case pending && n > 1: // the latest one may still be answered
		f.add(Warning, "resync_unanswered", time.Time{}, "%s before it %s not completed.",
			humanize.Plural(n-1, "The resync", fmt.Sprintf("The %d resyncs", n-1)), humanize.Plural(n-1, "was", "were"))
	case n > 1:
		f.add(Warning, "resync_unanswered", time.Time{}, "That makes %d resyncs in a row that were not completed.", n)
	}
}

// requested tells of a wish that has not become a resync yet.
func (f *facts) requested() {
	if w := f.wish; w != nil {
		by := "A person"
		if w.by != "" {
			by = tabular.Shorten(w.by, 64)
		}
		f.add(Note, "resync_requested", w.time, "%s asked for a resync at %s; it has not been issued yet.", by,
			f.when(w.time))
	}
}

// unanswered counts the latest resyncs that were not completed.
func (e *evidence) unanswered() int {
	for i, q := range e.requests {
		if q.Reached == Completed || q.Reached == Accepted || q.Reached == Late {
			return i
		}
	}
	return len(e.requests)
}

// pending is the latest resync when its answer is still to come.
func (e *evidence) pending() (Resync, bool) {
	if len(e.requests) == 0 {
		return Resync{}, false
	}
	switch q := e.requests[0]; q.Reached {
	case Issued, PickedUp, Answering:
		return q, true
	}
	return Resync{}, false
}

// needs says why a resync would be issued, in the order in which reasons count; empty when there is none.
func (e *evidence) needs() string {
	switch {
	case e.wish != nil:
		return "requested"
	case len(e.conflicts) > 0:
		return "conflict"
	case e.differs != nil:
		return "differs"
	case len(e.missing()) > 0, e.owesJump():
		return "missing"
	}
	return ""
}

// due is the earliest moment at which a gap check issues the resync that the client needs; zero when that is not
// known. Again says that it is the client's latest resync that puts it off.
func (e *evidence) due() (at time.Time, again bool) {
	due := e.now
	if e.needs() == "missing" {
		oldest := time.Time{}
		for _, m := range slices.Concat(e.missing(), e.jumps()) {
			if d := e.detected(m); !d.IsZero() && (oldest.IsZero() || d.Before(oldest)) {
				oldest = d
			}
		}
		if oldest.IsZero() {
			oldest = e.nextCheck()
		}
		due = later(due, oldest.Add(e.schedule.MinMissingAge))
	}
	if len(e.requests) > 0 && e.wish == nil {
		next := e.requests[0].Issued.Add(e.schedule.MergeInterval)
		again = next.After(e.checkAfter(due))
		due = later(due, next)
	}
	return e.checkAfter(due), again
}

// nextCheck is when the next gap check runs; now when it is late or unknown.
func (e *evidence) nextCheck() time.Time {
	if e.lastCheck.IsZero() {
		return e.now
	}
	return later(e.now, e.lastCheck.Add(e.schedule.CheckInterval))
}

// checkAfter is the first gap check at or after a moment.
func (e *evidence) checkAfter(t time.Time) time.Time {
	next := e.nextCheck()
	if t.After(next) && e.schedule.CheckInterval > 0 {
		wait := t.Sub(next)
		return next.Add((wait + e.schedule.CheckInterval - 1) / e.schedule.CheckInterval * e.schedule.CheckInterval)
	}
	return later(next, t)
}

// full says that no further client may be asked at the moment.
func (e *evidence) full() string {
	if e.schedule.MaxOutstanding > 0 && e.outstanding >= e.schedule.MaxOutstanding {
		return fmt.Sprintf("%s clients owe an answer already, as many as resync.max_outstanding allows, so it waits for "+
			"its turn.", humanize.Number(e.outstanding))
	}
	return ""
}
