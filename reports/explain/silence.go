package explain

import (
	"fmt"

	"statewire/internal/humanize"
	"statewire/internal/tabular"
)

// silence tells when the client was last heard of.
func (f *facts) silence() {
	h, sign := f.header, f.lastSign()
	quiet := f.now.Sub(sign)
	switch {
	case !f.known():
	case !h.retired.IsZero():
		f.add(Note, "retired", h.retired, "%s It was last heard of at %s.", f.retiredSince(), f.when(sign))
	case quiet > silentAfter:
		severity := Warning
		if quiet > lostAfter {
			severity = Bad
		}
		f.add(severity, "silent", sign, "Silent since %s: no report and no request for its policy since then.", f.when(sign))
	case f.reported() && f.now.Sub(h.lastReport) > silentAfter && h.claimed <= h.seen && h.cacheUnsent == 0 &&
		!h.cacheTime.IsZero():
		f.add(OK, "quiet", h.cacheTime,
			"It %s, with nothing to say: at %s it said, asking for its policy, that nothing waits to be sent.", f.present(),
			f.when(h.cacheTime))
	case f.reported() && f.now.Sub(h.lastReport) > silentAfter:
		f.add(Warning, "connected_silent", h.lastReport,
			"It %s, but does not report: it was last heard of at %s, yet its latest report arrived at %s.", f.present(),
			f.when(sign), f.when(h.lastReport))
	}
	if h.cacheUnsent > 0 {
		f.add(Note, "unsent", h.cacheTime, "At %s the client said that %s of its states %s to be sent.", f.when(h.cacheTime),
			humanize.Number(h.cacheUnsent), humanize.Plural(h.cacheUnsent, "waits", "wait"))
	}
}

// present is in what way a client is there that does not report. Connected is said of the notification channel alone.
func (e *evidence) present() string {
	if e.now.Sub(e.header.claimedTime) <= silentAfter {
		return "asks for its policy"
	}
	return "is heard of"
}

// retiredSince says who retired the client, when and why.
func (e *evidence) retiredSince() string {
	h, why := e.header, ""
	if h.retiredWhy != "" {
		why = " (" + tabular.Shorten(h.retiredWhy, 200) + ")"
	}
	return fmt.Sprintf("The client is retired by %s since %s%s: it counts nowhere, and its next report brings it back.",
		person(h.retiredBy), e.when(h.retired), why)
}

// cache compares what the client holds with what the site holds.
func (f *facts) cache() {
	h := f.header
	if d := f.differs; d != nil {
		f.add(Warning, "differs", d.time,
			"A gap check found at %s that the client holds other states than the site, although no message was missing: the "+
				"client had said that it holds %s, the site had %s%s.",
			f.when(d.time), humanize.Number(d.client), humanize.Number(d.site), sameNumber(d))
	}
	if n := f.unconfirmed; n > 0 {
		f.add(Warning, "unconfirmed", h.completionTime,
			"%s %s unconfirmed: the client left %s out when it sent everything again, at %s. %s kept, and marked.",
			humanize.Number(n), humanize.Plural(n, "state is", "states are"), humanize.Plural(n, "it", "them"),
			f.when(h.completionTime), humanize.Plural(n, "It is", "They are"))
	}
	if !h.cacheTime.IsZero() && h.cacheStates == 0 && h.cacheUnsent == 0 {
		f.add(Warning, "no_states", h.cacheTime,
			"At %s the client asked for its policy and said that it holds no state at all: its store may be new or lost.",
			f.when(h.cacheTime))
	}
}

func sameNumber(d *difference) string {
	if d.client == d.site {
		return ", of different content"
	}
	return ""
}
