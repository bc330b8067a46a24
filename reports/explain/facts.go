package explain

import (
	"fmt"
	"strings"
	"time"

	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"

	"github.com/google/uuid"
)

// From these silences on a client is spoken of as silent, and as lost.
const (
	silentAfter = 24 * time.Hour
	lostAfter   = 7 * 24 * time.Hour
)

// shownRanges is how many missing ranges are told one by one; the others are summed up.
const shownRanges = 5

// facts collects what is so, in the order in which a person would ask.
type facts struct {
	*evidence
	list []Fact
}

func (f *facts) add(severity Severity, code string, at time.Time, format string, args ...any) {
	fact := Fact{Code: code, Text: fmt.Sprintf(format, args...), Severity: severity}
	if !at.IsZero() {
		at = at.UTC()
		fact.Time = &at
	}
	f.list = append(f.list, fact)
}

// when is a time with its distance from now; a time ahead, as a check that was made for another time stamps it, stands alone.
func (e *evidence) when(t time.Time) string {
	switch d := e.now.Sub(t); {
	case d < -time.Minute:
		return humanize.Clock(t)
	case d < 2*time.Second:
		return humanize.Clock(t) + " (just now)"
	default:
		return humanize.Clock(t) + " (" + humanize.Span(d) + " ago)"
	}
}

// Called is what the client is called in a sentence: its name, or its id when it has none.
func (c Client) Called() string {
	if c.Name != "" {
		return tabular.Shorten(c.Name, 64)
	}
	return WireID(c.ID)
}

// WireID is a client id as it stands in reports and commands.
func WireID(id uuid.UUID) string { return "GUID:" + strings.ToUpper(id.String()) }

// collect tells everything that is so of a client.
func (e *evidence) collect() []Fact {
	f := &facts{evidence: e}
	f.identity()
	f.refusal()
	f.waiting()
	f.setAside()
	f.gaps()
	f.jumped()
	f.counter()
	f.wrongClock()
	f.pausedTopics()
	f.resync()
	f.silence()
	f.cache()
	return f.list
}

func (f *facts) identity() {
	h := f.header
	switch {
	case !f.known() && f.heldByName() > 0:
		f.add(Warning, "not_loaded", f.held.Files[0].Since, "No report of this client has been stored yet, but one waits in the inbox.")
	case !f.known() && f.refused != nil:
		f.add(Bad, "unknown_client", time.Time{}, "No report of %s has been stored, and the client has never asked for a policy.", WireID(f.client.ID))
	case !f.known() && f.heldKnown:
		f.add(Bad, "unknown_client", time.Time{}, "This site has never heard of %s: it has stored no report of it, the client has never asked for a policy, and no file that waits in the inbox names it.", WireID(f.client.ID))
	case !f.known():
		f.add(Bad, "unknown_client", time.Time{}, "This site has never heard of %s: it has stored no report of it, and the client has never asked for a policy.", WireID(f.client.ID))
	case !f.reported():
		f.add(Warning, "never_reported", h.claimedTime, "It has never reported: it asked for its policy, the last time at %s, but no report of it has been stored.", f.when(h.claimedTime))
	default:
		version := ""
		if h.version != "" {
			version = ", agent version " + tabular.Shorten(h.version, 40)
		}
		f.add(OK, "first_report", h.firstReport, "Known since its first report at %s%s.", humanize.Clock(h.firstReport), version)
		f.lastReport()
	}
}

func (f *facts) lastReport() {
	if len(f.lastReports) == 0 {
		f.add(OK, "last_report", f.header.lastReport, "The latest report arrived at %s.", f.when(f.header.lastReport))
		return
	}
	r := f.lastReports[0]
	took := r.loaded.Sub(r.received)
	switch {
	case took > reports.StaleAfter:
		f.add(Note, "loaded_late", r.loaded, "The latest report arrived at %s and was loaded only %s later, from %s.", f.when(r.received), humanize.Span(took), tabular.Shorten(r.file, 120))
	default:
		f.add(OK, "loaded", r.loaded, "The latest report arrived at %s and was loaded at %s, from %s.", f.when(r.received), humanize.Clock(r.loaded), tabular.Shorten(r.file, 120))
	}
}

// waiting tells what lies in the inbox: reported, but not loaded.
func (f *facts) waiting() {
	if f.heldError {
		f.add(Warning, "inbox_unreadable", time.Time{}, "The inbox could not be read, so reports of this client may be waiting there unseen.")
		return
	}
	if f.held.Part {
		f.add(Note, "inbox_backlog", time.Time{}, "So many files wait in the inbox that not all were looked at: reports of this client may be among the others.")
	}
	if f.held.Stopped && len(f.held.Files) > 0 {
		f.add(Warning, "loader_stopped", time.Time{}, "No loader runs on this site, so nothing that waits is loaded.")
	}
	for i, file := range f.held.Files {
		severity := Note
		if f.now.Sub(file.Since) > reports.StaleAfter {
			severity = Warning
		}
		switch {
		case i == shownRanges:
			f.add(severity, "waiting_more", file.Since, "%d more files wait.", len(f.held.Files)-i+f.held.More)
			return
		case file.Names:
			f.add(severity, "waiting", file.Since, "Reported but not loaded: the file %s, which holds reports of this client, waits in the inbox (%s) since %s.", tabular.Shorten(file.Name, 120), file.Box, f.when(file.Since))
		default:
			f.add(severity, "waiting_maybe", file.Since, "The file %s waits in the inbox (%s) since %s; it does not say whose reports it holds, so some may be this client's.", tabular.Shorten(file.Name, 120), file.Box, f.when(file.Since))
		}
	}
}

func (f *facts) setAside() {
	if f.asideCount == 0 {
		return
	}
	last := f.aside[0]
	what := "One record was set aside as bad"
	if f.asideCount > 1 {
		what = fmt.Sprintf("%s records were set aside as bad, the latest", humanize.Number(f.asideCount))
	}
	serial := ""
	if last.serial != nil {
		serial = fmt.Sprintf(" with serial %s", humanize.Number(*last.serial))
	}
	f.add(Warning, "set_aside", last.received, "%s%s: %s (%s). It arrived at %s in %s. %s",
		what, serial, tabular.Shorten(last.reason, 200), last.code, f.when(last.received), tabular.Shorten(last.file, 120), last.became(f.when))
}

// became says what happened to a record that was set aside.
func (a asideRecord) became(when func(time.Time) string) string {
	switch a.how {
	case "":
		return "It lies in the inbox's corrupt folder with its reason beside it."
	case "replayed":
		return fmt.Sprintf("A mended copy was loaded at %s, without this serial.", when(a.ended))
	case "limit":
		return fmt.Sprintf("It was dropped at %s: %s.", when(a.ended), tabular.Shorten(a.why, 200))
	}
	return fmt.Sprintf("%s dropped it at %s: %s.", tabular.Shorten(a.by, 80), when(a.ended), tabular.Shorten(a.why, 200))
}

// gaps tells which messages are missing, or that none is.
func (f *facts) gaps() {
	missing := f.missing()
	f.settled()
	var noticed, fresh []run
	for _, m := range missing {
		if m.last <= f.header.seen && f.detected(m).IsZero() {
			fresh = append(fresh, m)
		} else {
			noticed = append(noticed, m)
		}
	}
	for i, m := range noticed {
		if i == shownRanges {
			f.add(Warning, "gap_more", time.Time{}, "%s more messages are missing in %d further ranges.", humanize.Number(count(noticed[i:])), len(noticed)-i)
			break
		}
		f.gap(m)
	}
	f.freshGaps(fresh)
	if len(missing) > 0 && f.badFiles.count > 0 {
		f.add(Note, "bad_files", f.badFiles.time, "%s", f.badFiles.text("what is missing"))
	}
	switch {
	case len(missing) > 0 || len(f.jumps()) > 0 || f.greatest() == 0 && !f.known():
	case f.greatest() == 0:
		f.add(Note, "no_serials", time.Time{}, "It has not sent any numbered message yet, so nothing can be missing.")
	case f.floor() > f.greatest():
		f.add(OK, "complete", time.Time{}, "No message is missing: nothing newer than serial %s has been given out.", humanize.Number(f.greatest()))
	default:
		f.add(OK, "complete", time.Time{}, "No message is missing: every serial from %s to %s has arrived.", humanize.Number(f.floor()), humanize.Number(f.greatest()))
	}
}

// settled tells what made the serials below the floor not count any more.
func (f *facts) settled() {
	if f.header.floor <= 1 {
		return
	}
	below := humanize.Number(f.header.floor)
	if f.header.baselineFloor >= f.header.floor {
		f.add(OK, "settled", f.header.baselineTime, "Serials below %s no longer count: a person accepted the client's state as it was, at %s.", below, humanize.Clock(f.header.baselineTime))
		return
	}
	f.add(OK, "settled", f.header.completionTime, "Serials below %s no longer count: the client sent everything again and said so, at %s.", below, humanize.Clock(f.header.completionTime))
}

func (f *facts) gap(m run) {
	what := rangeText(m)
	claimed := m.last > f.header.seen
	detected := f.detected(m)
	switch {
	case claimed && f.header.seen == 0:
		f.add(Warning, "gap_claimed", later(f.header.claimedTime, detected), "%s: at %s the client said that it has given out serials up to %s, but none of them has arrived.",
			what, f.when(f.header.claimedTime), humanize.Number(f.header.claimed))
	case claimed && m.first > f.header.seen:
		f.add(Warning, "gap_claimed", later(f.header.claimedTime, detected), "%s: at %s the client said that it has given out serials up to %s, but nothing after %s has arrived.",
			what, f.when(f.header.claimedTime), humanize.Number(f.header.claimed), humanize.Number(f.header.seen))
	default:
		f.add(Warning, "gap", detected, "%s; first noticed at %s.", what, f.when(detected))
	}
}

// freshGaps tells of what no gap check has looked at yet.
func (f *facts) freshGaps(runs []run) {
	switch n := count(runs); {
	case len(runs) == 1:
		f.add(Note, "gap_new", time.Time{}, "%s; no gap check has looked since what comes after came, so %s may still be on the way.", rangeText(runs[0]), humanize.Plural(int(min(n, 2)), "it", "they"))
	case len(runs) > 1:
		f.add(Note, "gap_new", time.Time{}, "%s messages in %d ranges, the first %s, have not arrived; no gap check has looked since what comes after came, so they may still be on the way.",
			humanize.Number(n), len(runs), spanOf(runs[0]))
	}
}

// text says that unreadable files may have held something.
func (b badFiles) text(what string) string {
	files, latest := "One file that could not be read was", ""
	if b.count > 1 {
		files, latest = humanize.Number(b.count)+" files that could not be read were", "the latest "
	}
	since := ""
	if b.before {
		since = " since the message before it arrived"
	}
	return fmt.Sprintf("%s set aside%s, %sat %s: %s (%s). Such a file does not say whose reports it held, so %s may have been in it: `statewire report bad-files`",
		files, since, latest, humanize.Clock(b.time), tabular.Shorten(b.latest, 120), tabular.Shorten(b.why, 200), what)
}

// rangeText says which messages are missing.
func rangeText(m run) string {
	if m.first == m.last {
		return "Message " + humanize.Number(m.first) + " is missing"
	}
	return fmt.Sprintf("Messages %s to %s are missing (%s)", humanize.Number(m.first), humanize.Number(m.last), humanize.Number(m.length()))
}

// counter tells of a counter that went back.
func (f *facts) counter() {
	for i, c := range f.conflicts {
		if i == shownRanges {
			f.add(Warning, "conflict_more", time.Time{}, "%d more conflicts of serials are open.", len(f.conflicts)-i)
			return
		}
		serial := humanize.Number(c.serial)
		switch c.kind {
		case "reused":
			f.add(Warning, "conflict", c.received, "The client's counter went back: serial %s came twice with different content, the later one at %s. Both are kept.", serial, f.when(c.received))
		case "below_completion":
			f.add(Warning, "conflict", c.received, "The client's counter went back: serial %s arrived at %s, although the client had already sent everything again up to a greater one.", serial, f.when(c.received))
		default:
			f.add(Warning, "conflict", c.received, "The client's counter went back: serial %s arrived at %s, far below serials that it used so long ago that the site keeps them no longer.", serial, f.when(c.received))
		}
	}
}

// silence tells when the client was last heard of.
func (f *facts) silence() {
	h, sign := f.header, f.lastSign()
	quiet := f.now.Sub(sign)
	switch {
	case !f.known():
	case quiet > silentAfter:
		severity := Warning
		if quiet > lostAfter {
			severity = Bad
		}
		f.add(severity, "silent", sign, "Silent since %s: no report and no request for its policy since then.", f.when(sign))
	case f.reported() && f.now.Sub(h.lastReport) > silentAfter && h.claimed <= h.seen && h.cacheUnsent == 0 && !h.cacheTime.IsZero():
		f.add(OK, "quiet", h.cacheTime, "Connected, with nothing to say: at %s it asked for its policy and said that nothing waits to be sent.", f.when(h.cacheTime))
	case f.reported() && f.now.Sub(h.lastReport) > silentAfter:
		f.add(Warning, "connected_silent", h.lastReport, "Connected but silent: it was last heard of at %s, yet its latest report arrived at %s.", f.when(sign), f.when(h.lastReport))
	}
	if h.cacheUnsent > 0 {
		f.add(Note, "unsent", h.cacheTime, "At %s the client said that %s of its states %s to be sent.", f.when(h.cacheTime), humanize.Number(h.cacheUnsent), humanize.Plural(h.cacheUnsent, "waits", "wait"))
	}
}

// cache compares what the client holds with what the site holds.
func (f *facts) cache() {
	h := f.header
	if d := f.differs; d != nil {
		f.add(Warning, "differs", d.time, "A gap check found at %s that the client holds other states than the site, although no message was missing: the client had said that it holds %s, the site had %s%s.",
			f.when(d.time), humanize.Number(d.client), humanize.Number(d.site), sameNumber(d))
	}
	if n := f.unconfirmed; n > 0 {
		f.add(Warning, "unconfirmed", h.completionTime, "%s %s unconfirmed: the client left %s out when it sent everything again, at %s. %s kept, and marked.",
			humanize.Number(n), humanize.Plural(n, "state is", "states are"), humanize.Plural(n, "it", "them"), f.when(h.completionTime), humanize.Plural(n, "It is", "They are"))
	}
	if !h.cacheTime.IsZero() && h.cacheStates == 0 && h.cacheUnsent == 0 {
		f.add(Warning, "no_states", h.cacheTime, "Connected, but at %s the client said that it holds no state at all: its store may be new or lost.", f.when(h.cacheTime))
	}
}

func sameNumber(d *difference) string {
	if d.client == d.site {
		return ", of different content"
	}
	return ""
}
