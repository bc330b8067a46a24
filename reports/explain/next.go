package explain

import (
	"fmt"
	"slices"
	"time"

	"statewire/internal/humanize"
	"statewire/reports"
)

// next collects what is to come, by itself and by a person's hand.
type next struct {
	*evidence
	list []Step
}

func (n *next) add(at time.Time, format string, args ...any) {
	step := Step{Text: fmt.Sprintf(format, args...)}
	if !at.IsZero() {
		at = at.UTC()
		step.At = &at
	}
	n.list = append(n.list, step)
}

// foresee tells what happens next and when, as far as the settings tell.
func (e *evidence) foresee() []Step {
	n := &next{evidence: e}
	if !e.known() && len(e.held.Files) == 0 {
		n.becomeKnown()
		return n.list
	}
	n.accept()
	n.load()
	n.answer()
	n.issue()
	n.mend()
	n.judge()
	n.appear()
	n.connect()
	n.task()
	if len(n.list) == 0 {
		n.nothing()
	}
	return n.list
}

func (n *next) becomeKnown() {
	n.accept()
	n.add(time.Time{}, "A client becomes known when its first report is loaded, or when it first asks for its policy.")
	if n.refused != nil {
		return // it reports to this site
	}
	if !n.enrolled().IsZero() {
		n.add(time.Time{}, "An agent that starts waits for a random time of up to agent.startup_jitter (10 min unless it is "+
			"set) before its first contact: `statewire agent status` on the machine says until when, or what is wrong.")
		return
	}
	n.add(time.Time{}, "On the machine itself, `statewire agent status` says whether it reaches a relay, and which "+
		"one: it may report to another site.")
	n.add(time.Time{}, "If the id was typed by hand, `statewire report clients --param name=PART` finds clients by a "+
		"part of their name or id.")
}

// load tells when what waits in the inbox is loaded.
func (n *next) load() {
	if len(n.held.Files) == 0 {
		return
	}
	if n.held.Stopped {
		n.add(time.Time{}, "What waits is loaded once a loader runs: `statewire serve` has one, and `statewire ingest "+
			"--once` loads what is there now.")
		return
	}
	oldest := slices.MinFunc(n.held.Files, func(a, b HeldFile) int { return a.Since.Compare(b.Since) })
	limit := max(n.schedule.PollInterval, reports.StaleAfter)
	if n.now.Sub(oldest.Since) > limit {
		n.add(time.Time{}, "The inbox should have been emptied by now: `statewire status` says whether the loader runs "+
			"and how large the backlog is.")
		return
	}
	latest := ""
	if n.schedule.PollInterval > 0 {
		latest = ", at the latest when it looks by itself, every " + hours(n.schedule.PollInterval)
	}
	n.add(time.Time{}, "A running loader takes the waiting %s, usually within seconds%s; `statewire status` says "+
		"whether one runs.", humanize.Plural(len(n.held.Files)+n.held.More, "file", "files"), latest)
}

// answer tells when the answer to a resync is to be expected.
func (n *next) answer() {
	q, ok := n.pending()
	if !ok {
		return
	}
	if n.heldByName() > 0 {
		n.add(time.Time{}, "The answer to the resync may be in what waits; the client is not asked again before that is "+
			"loaded.")
		return
	}
	switch sent := n.inFuture(q.PickedUp, n.schedule.SendInterval); {
	case q.Reached == Issued:
		n.add(n.nextPoll(), "The client picks the resync up when it next asks for its policy.")
	case q.Reached == Answering:
		n.add(time.Time{}, "The rest of the answer follows, its completion last; then what was missing before it no "+
			"longer counts.")
	case sent.IsZero() && n.schedule.SendInterval > 0:
		n.add(time.Time{}, "The answer is overdue: everything that the client holds should have come with its next report.")
	default:
		n.add(sent, "The client sends everything that it holds with its next report.")
	}
	again := q.Issued.Add(n.schedule.MergeInterval)
	if n.schedule.MergeInterval > 0 && n.needs() != "" {
		n.add(n.checkAfter(again), "If the answer is not complete by then, the gap check at that time asks again.")
	}
}

// inFuture is a moment after another one; zero when it is unknown or has passed.
func (n *next) inFuture(from time.Time, wait time.Duration) time.Time {
	at := from.Add(wait)
	if wait > 0 && at.After(n.now) {
		return at
	}
	return time.Time{}
}

// nextPoll is when the client asks for its policy next, if it keeps to its cycle.
func (n *next) nextPoll() time.Time {
	if n.header.claimedTime.IsZero() {
		return time.Time{}
	}
	return n.inFuture(n.header.claimedTime, n.schedule.PolicyInterval)
}

// issue tells when a resync is issued, when one is needed and none is under way.
func (n *next) issue() {
	need := n.needs()
	_, pending := n.pending()
	if need == "" || pending && n.wish == nil {
		return
	}
	n.whenIssued(need)
	id := WireID(n.client.ID)
	if n.wish == nil && len(n.held.Files) == 0 && n.full() == "" {
		n.add(time.Time{}, "To ask now: `statewire resync request --client %s`", id)
		n.add(time.Time{}, "To accept what the site holds as it is: `statewire resync accept --client %s`", id)
	}
}

func (n *next) whenIssued(need string) {
	if len(n.held.Files) > 0 {
		n.add(time.Time{}, "No resync is issued while files of this client wait: they may hold what is missing.")
		return
	}
	if full := n.full(); full != "" {
		n.add(time.Time{}, "A resync is needed, but %s", full)
		return
	}
	if n.schedule.CheckInterval == 0 {
		return
	}
	switch at, again := n.due(); {
	case again:
		n.add(at, "The gap check at that time asks the client to send everything again, if that is needed still: a client "+
			"is asked at most once in %s.", hours(n.schedule.MergeInterval))
	case need == "missing" && n.schedule.MinMissingAge > 0:
		n.add(at, "The gap check at that time asks the client to send everything again, unless the messages arrive "+
			"before: a message has to be missing for %s first.", hours(n.schedule.MinMissingAge))
	default:
		n.add(at, "The gap check at that time asks the client to send everything again.")
	}
}

// hours writes a setting as people set it.
func hours(d time.Duration) string {
	if d >= time.Hour && d%time.Hour == 0 {
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return d.String()
}

// mend tells what to do about bad records.
func (n *next) mend() {
	if n.asideLying == 0 {
		return
	}
	n.add(time.Time{}, "A bad record is not asked for again: the same one would come. Mended, it can be replayed. List "+
		"them with `statewire dead list --client %s`", WireID(n.client.ID))
}

// appear tells what a silent client needs.
func (n *next) appear() {
	if !n.known() {
		return
	}
	switch quiet := n.now.Sub(n.lastSign()); {
	case !n.header.retired.IsZero():
		n.add(time.Time{}, "Nobody waits for this client. Its next report brings it back, and so does `statewire client "+
			"unretire %s`", WireID(n.client.ID))
	case quiet > silentAfter:
		n.add(time.Time{}, "Nothing can arrive until the machine reaches a relay. Is it switched on? `statewire agent "+
			"status` on it says whether it does.")
	case !n.reported() || n.now.Sub(n.header.lastReport) > silentAfter && n.header.cacheUnsent > 0:
		n.add(time.Time{}, "It %s, so its reports should come: `statewire agent status` on the machine says what waits "+
			"to be sent and why.", n.present())
	}
	if n.unconfirmed > 0 {
		n.add(time.Time{}, "Unconfirmed states stay marked until the client reports on them again. List them with "+
			"`statewire report unconfirmed-states --param client=%s`", WireID(n.client.ID))
	}
}

// nothing says so.
func (n *next) nothing() {
	if n.schedule.CheckInterval > 0 {
		n.add(n.nextCheck(), "Nothing to do. The next gap check looks at it again.")
		return
	}
	n.add(time.Time{}, "Nothing to do.")
}
