package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
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

// when is a time with its distance from now; a time ahead, as a check that was made for another time stamps it, stands
// alone.
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
	f.connection()
	f.tasked()
	f.silence()
	f.cache()
	return f.list
}

func (f *facts) identity() {
	h := f.header
	switch {
	case !f.known() && f.heldByName() > 0:
		f.add(Warning, "not_loaded", f.held.Files[0].Since,
			"No report of this client has been stored yet, but one waits in the inbox.")
	case !f.known() && f.refused != nil:
		f.add(Bad, "unknown_client", time.Time{},
			"No report of %s has been stored, and the client has never asked for a policy.", WireID(f.client.ID))
	case !f.enrolled().IsZero():
		f.add(Note, "enrolled", f.enrolled(), "It enrolled at %s, and has neither reported nor asked for its policy yet.",
			f.when(f.enrolled()))
	case !f.known() && f.heldKnown:
		f.add(Bad, "unknown_client", time.Time{},
			"This site has never heard of %s: it has stored no report of it, the client has never asked for a policy, and no "+
				"file that waits in the inbox names it.", WireID(f.client.ID))
	case !f.known():
		f.add(Bad, "unknown_client", time.Time{},
			"This site has never heard of %s: it has stored no report of it, and the client has never asked for a policy.",
			WireID(f.client.ID))
	case !f.reported():
		f.add(Warning, "never_reported", h.claimedTime,
			"It has never reported: it asked for its policy, the last time at %s, but no report of it has been stored.",
			f.when(h.claimedTime))
	default:
		version := ""
		if h.version != "" {
			version = ", agent version " + tabular.Shorten(h.version, 40)
		}
		f.add(OK, "first_report", h.firstReport, "Known since its first report at %s%s.", humanize.Clock(h.firstReport),
			version)
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
		f.add(Note, "loaded_late", r.loaded, "The latest report arrived at %s and was loaded only %s later, from %s.",
			f.when(r.received), humanize.Span(took), tabular.Shorten(r.file, 120))
	default:
		f.add(OK, "loaded", r.loaded, "The latest report arrived at %s and was loaded at %s, from %s.", f.when(r.received),
			humanize.Clock(r.loaded), tabular.Shorten(r.file, 120))
	}
}

// waiting tells what lies in the inbox: reported, but not loaded.
func (f *facts) waiting() {
	if f.heldError {
		f.add(Warning, "inbox_unreadable", time.Time{},
			"The inbox could not be read, so reports of this client may be waiting there unseen.")
		return
	}
	if f.held.Part {
		f.add(Note, "inbox_backlog", time.Time{},
			"So many files wait in the inbox that not all were looked at: reports of this client may be among the others.")
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
			f.add(severity, "waiting", file.Since,
				"Reported but not loaded: the file %s, which holds reports of this client, waits in the inbox (%s) since %s.",
				tabular.Shorten(file.Name, 120), file.Box, f.when(file.Since))
		default:
			f.add(severity, "waiting_maybe", file.Since,
				"The file %s waits in the inbox (%s) since %s; it does not say whose reports it holds, so some may be this "+
					"client's.",
				tabular.Shorten(file.Name, 120), file.Box, f.when(file.Since))
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
		what, serial, tabular.Shorten(last.reason, 200), last.code, f.when(last.received), tabular.Shorten(last.file, 120),
		last.became(f.when))
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
