package explain

import (
	"fmt"
	"time"

	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
)

// refusedReport is the last report of the client that the relay refused.
type refusedReport struct {
	at, taken    time.Time // taken: when the relay took another one since, zero when it noted none
	code, detail string
	retry        bool // the client was told to send the same again
	verified     bool // a certificate proved the client
	count        int  // of its reports refused since one was taken
}

func (e *evidence) readRefused(rows []reports.Record) {
	for _, r := range rows {
		e.refused = &refusedReport{at: r.Time("refused_time"), taken: r.Time("taken_time"), code: r.Raw("code"),
			detail: r.Raw("detail"),
			retry:  r.Uint("retry") == 1, verified: r.Uint("verified") == 1, count: r.Count("refusals")}
	}
}

// takenSince is when the relay took a report of the client after the refused one; zero when none is known. What a
// person puts into the inbox was not taken by a relay.
func (e *evidence) takenSince() time.Time {
	if !e.refused.taken.IsZero() {
		return e.refused.taken
	}
	for _, r := range e.lastReports {
		if r.receipt != "" && r.received.After(e.refused.at) {
			return r.received
		}
	}
	return time.Time{}
}

// refusing says that the last report that the client sent was refused, as far as is known.
func (e *evidence) refusing() bool { return e.refused != nil && e.takenSince().IsZero() }

// why is the refusal as the client was told.
func (r *refusedReport) why() string {
	if r.detail == "" {
		return r.code
	}
	return fmt.Sprintf("%s (%s)", tabular.Shorten(r.detail, 256), r.code)
}

// refusal tells what the relay refused last, and whether that is over.
func (f *facts) refusal() {
	r := f.refused
	if r == nil {
		return
	}
	doubt := ""
	if !r.verified {
		doubt = " Nobody verified who sent it: the report named this client."
	}
	if over := f.takenSince(); !over.IsZero() {
		lost := ""
		if !r.retry && len(f.missing()) > 0 {
			lost = " What the refused one held may be among what is missing."
		}
		f.add(Note, "report_refused_over", r.at,
			"The relay refused a report of it at %s: %s.%s That is over: it took another one at %s.%s",
			humanize.Clock(r.at), r.why(), doubt, f.when(over), lost)
		return
	}
	severity, told := Warning, "It was told to put that report aside."
	if !f.reported() {
		severity = Bad
	}
	if r.retry {
		told = "It was told to send the same again."
	}
	if r.count > 1 {
		told = fmt.Sprintf("Its %d latest reports were all refused. ", r.count) + told
	}
	if f.heldSince(r.at) {
		told += " A file with reports of it has come into the inbox since, so that may be over."
	}
	f.add(severity, "report_refused", r.at, "The relay refused its last report at %s: %s. %s%s", f.when(r.at), r.why(),
		told, doubt)
}

// heldSince says that a file that names the client came into the inbox after a moment. Reports in it may be older: it
// may be a copy.
func (e *evidence) heldSince(at time.Time) bool {
	for _, file := range e.held.Files {
		if file.Names && file.Since.After(at) {
			return true
		}
	}
	return false
}

// accept tells what makes the relay take the client's reports.
func (n *next) accept() {
	if !n.refusing() {
		return
	}
	n.add(time.Time{}, "What %s means stands in docs/http-relay.md. A report is at fault where it was made: `statewire "+
		"agent status` on the machine says what is wrong and what was put aside.",
		n.refused.code)
}

// refusedHop tells of a refused report that may have held the message: it came when what is before the message had.
func (t *tracer) refusedHop() {
	r := t.refused
	if r == nil || t.neighbours["before"].received.After(r.at) {
		return
	}
	t.hop("relay", "refused", Warning, r.at,
		"The relay refused a report of this client: %s. The message may have been in it.", r.why())
}
