package resync

import (
	"time"

	"statewire/resync/gaps"
	"statewire/smx"
)

// reasonRequested is why a client is asked when a person asked. It is served before all that follows from what is
// missing.
const reasonRequested = "requested"

// Why a client is not asked yet.
const (
	heldUnread   = "unread"   // reports of it wait in an inbox
	heldUnknown  = "unknown"  // whose reports wait cannot be told
	heldInterval = "interval" // it was asked within the merge interval
	heldAge      = "age"      // nothing is missing for long enough
	heldBound    = "bound"    // max_outstanding clients owe an answer already
)

// holds are all of them.
var holds = [...]string{heldUnread, heldUnknown, heldBound, heldInterval, heldAge}

// resync is one request to one client. Issuing the same number twice is issuing it once.
type resync struct {
	client smx.ClientID
	number uint32
	issued time.Time
	reason string
	by     string
	next   uint64

	accepted bool // a person accepted next
	expired  bool // it is written down that it was not completed in time
}

// owing are the clients that were asked and have not completed, with the request.
type owing map[smx.ClientID]resync

// within counts those whose request is younger than the merge interval: the outstanding ones.
func (o owing) within(interval time.Duration, line timeline, now time.Time) int {
	n := 0
	for _, r := range o {
		if line.askedFor(r.issued, now) < interval {
			n++
		}
	}
	return n
}

// round decides, client by client, who is asked now. It reads no clock and no store.
type round struct {
	// Constant.
	now    time.Time
	line   timeline
	cfg    Config
	unread gaps.Unread
	owing  owing

	outstanding int
	issue       []resync
	decided     map[smx.ClientID]bool // asked by this round, or held though a person wants it asked
	held        map[string]int
}

func newRound(now time.Time, line timeline, cfg Config, unread gaps.Unread, owing owing) *round {
	return &round{now: now, line: line, cfg: cfg, unread: unread, owing: owing, decided: map[smx.ClientID]bool{},
		held: map[string]int{}, outstanding: owing.within(cfg.MergeInterval, line, now)}
}

// full says that looking further changes nothing: every place is taken, or nobody may be asked.
func (r *round) full() bool { return r.free() <= 0 || r.unread.Everybody }

// free is how many more clients may be asked.
func (r *round) free() int { return r.cfg.MaxOutstanding - r.outstanding }

// take asks the client, or says why not; empty when it is asked. Wants come in the order in which they are served; a
// client's first one counts.
func (r *round) take(w gaps.Candidate) string {
	if r.decided[w.Client] {
		return ""
	}
	hold := r.hold(w)
	if hold == "" || w.Reason == reasonRequested {
		r.decided[w.Client] = true
	}
	if hold != "" {
		r.held[hold]++
		return hold
	}
	if !r.owes(w.Client) {
		r.outstanding++
	}
	r.issue = append(r.issue, resync{client: w.Client, number: w.Number + 1, issued: r.now, reason: w.Reason, by: w.By,
		next: w.NextSerial})
	return ""
}

// hold is rule 7: why the client is not asked now. A person's request skips age and interval; a conflict and a
// difference skip the age.
func (r *round) hold(w gaps.Candidate) string {
	switch {
	case w.Reason != reasonRequested && !w.Asked.IsZero() && r.line.askedFor(w.Asked, r.now) < r.cfg.MergeInterval:
		return heldInterval
	case w.Reason == gaps.Missing && r.line.missingFor(w.Since, r.now) < r.cfg.MinMissingMessageAge:
		return heldAge
	case r.unread.Everybody:
		return heldUnknown
	case r.unread.Holds(w.Client):
		return heldUnread
	case r.free() <= 0 && !r.owes(w.Client):
		return heldBound
	}
	return ""
}

// owes says whether the client has a place among the outstanding ones already; asking it again takes no other.
func (r *round) owes(client smx.ClientID) bool {
	have, ok := r.owing[client]
	return ok && r.line.askedFor(have.issued, r.now) < r.cfg.MergeInterval
}
