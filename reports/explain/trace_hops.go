package explain

import (
	"fmt"
	"time"

	"statewire/internal/humanize"
	"statewire/internal/serials"
	"statewire/internal/tabular"
	"statewire/reports"
)

// tell turns what was found into hops.
func (t *tracer) tell() {
	t.out.Client, t.out.Serial, t.out.Hops, t.out.Next = t.client, t.serial, []Hop{}, []Step{}
	for _, event := range t.agent {
		severity := OK
		switch event.Step {
		case "dead_letter":
			severity = Bad
		case "sending":
			severity = Note
		}
		t.hop("agent", event.Step, severity, event.Time, "%s", event.Text)
	}
	switch _, arrived := serials.Find(t.runs, t.serial); {
	case len(t.versions) > 0:
		t.stored()
	case len(t.aside) > 0:
		t.setAside()
	case t.kept != nil || arrived:
		t.dropped()
	case t.heldHere():
		t.waiting()
	case !t.known() && t.header.seen == 0 && t.heldByName() == 0:
		t.verdict("unknown_client", "This site does not know %s, so it knows nothing of the message.", t.client.Called())
		t.refusedHop()
		t.out.Next = t.foresee()
	case t.serial > t.greatest():
		t.notAssigned()
	case t.serial < t.floor():
		t.closed()
	default:
		t.missing()
	}
	if h := t.header; !h.retired.IsZero() {
		t.hop("site", "retired", Note, h.retired, "%s", t.retiredSince())
	}
}

func (t *tracer) verdict(code, format string, args ...any) {
	t.out.Verdict, t.out.Summary = code, fmt.Sprintf(format, args...)
}

func (t *tracer) hop(where, code string, severity Severity, at time.Time, format string, args ...any) *Hop {
	h := Hop{Where: where, Code: code, Severity: severity, Text: fmt.Sprintf(format, args...), Version: t.nth}
	if !at.IsZero() {
		at = at.UTC()
		h.Time = &at
	}
	t.out.Hops = append(t.out.Hops, h)
	return &t.out.Hops[len(t.out.Hops)-1]
}

// stored tells the way of each message that arrived under the serial.
func (t *tracer) stored() {
	v := t.versions[t.counts(0)]
	switch topics := t.topics(); {
	case topics > 1:
		t.verdict("conflict",
			"%d different messages came under serial %s of %s, on %d topics; for each topic its own counts.",
			len(t.versions), humanize.Number(t.serial), t.client.Called(), topics)
	case len(t.versions) > 1:
		t.verdict("conflict", "%d different messages came under serial %s of %s; the one that counts tells %s on %s.",
			len(t.versions), humanize.Number(t.serial), t.client.Called(), v.state, v.topic)
	case v.latest > t.serial:
		t.verdict("superseded", "%s arrived; message %s has told something newer about its topic since.", t.out.subject(),
			humanize.Number(v.latest))
	default:
		t.verdict("current", "%s arrived, and what it tells is current: %s on %s.", t.out.subject(), v.state, v.topic)
	}
	for i, v := range t.versions {
		if len(t.versions) > 1 {
			t.nth = i + 1
		}
		t.way(v, t.counts(i))
	}
	t.nth = 0
	t.repeats()
}

// topics counts the topics that the versions are about.
func (t *tracer) topics() int {
	different := map[Topic]bool{}
	for _, v := range t.versions {
		different[v.rawTopic] = true
	}
	return len(different)
}

// raised tells when a message was raised, and whether that can be right.
func (t *tracer) raised(v version) {
	if v.suspect {
		t.hop("client", "raised", Warning, v.raised,
			"Raised by the client, by a clock that is wrong: %s on %s. The message is marked: %s.",
			v.state, v.topic, wrongTime(v.raised, v.received))
		return
	}
	t.hop("client", "raised", OK, v.raised, "Raised by the client, by its own clock: %s on %s.", v.state, v.topic)
}

// way tells one message's hops; best is the version that counts on its topic.
func (t *tracer) way(v version, best int) {
	t.raised(v)
	if !v.made.IsZero() {
		t.hop("client", "packed", OK, v.made, "Put into a report, by the client's clock.")
	}
	t.late(v)
	if v.jumped {
		t.hop("site", "serial_jump", Warning, v.received,
			"Its serial is more than 1,000,000 above all that came before it. The message is marked, and what is missing below "+
				"it is counted apart.")
	}
	if v.receipt != "" {
		t.hop("relay", "received", OK, v.received, "Accepted by the relay, which gave the receipt %s.",
			v.receipt).Receipt = v.receipt
	} else {
		t.hop("inbox", "claimed", OK, v.received,
			"Came as a file that was put into the inbox; no relay took it, so this is when it was first claimed.")
	}
	if v.file != "" {
		t.hop("inbox", "file", OK, v.received, "Written to %s.", tabular.Shorten(v.file, 160)).File = v.file
	}
	severity, waited := OK, v.loaded.Sub(v.received)
	if waited > reports.StaleAfter {
		severity = Note
	}
	after := "within a second"
	if waited >= time.Second {
		after = humanize.Span(waited) + " after it was received"
	}
	t.hop("loader", "loaded", severity, v.loaded, "Loaded, %s.", after)
	switch {
	case t.versions[best] != v:
		t.hop("store", "not_counted", Warning, time.Time{},
			"Kept, but another message on its topic under the same serial counts: %s.", whyOther(v, t.versions[best]))
	case v.latest > t.serial:
		t.hop("store", "superseded", OK, v.latestTime, "Superseded by message %s: %s.", humanize.Number(v.latest),
			v.latestState)
	default:
		t.hop("store", "current", OK, v.loaded, "Current: nothing newer is known about the topic.")
	}
}

// whyOther says by which rule another version counts: the later message time, then the greater hash.
func whyOther(v, counts version) string {
	if v.raisedMicros == counts.raisedMicros {
		return "their message times are equal, so the greater hash of their content decides"
	}
	return "its message time is later"
}

// late tells that a message was missing before it came.
func (t *tracer) late(v version) {
	if detected, _ := t.missingSince(); !detected.IsZero() && detected.Before(v.received) {
		t.hop("site", "was_missing", Note, detected, "A gap check noticed that it was missing; it came %s later.",
			humanize.Span(v.received.Sub(detected)))
	}
}

// repeats tells of reports that may have brought the message again.
func (t *tracer) repeats() {
	for _, c := range t.carriers {
		copied := true
		for _, v := range t.versions {
			copied = copied && v.isCopy(c)
		}
		if copied {
			t.hop("store", "repeat", Note, c.received,
				"A report with serials %s to %s came in %s. If it held the message again, the copy changed nothing.",
				humanize.Number(c.first), humanize.Number(c.last), tabular.Shorten(c.file, 160)).File = c.file
		}
	}
}

// setAside tells of a record that arrived and could not be stored.
func (t *tracer) setAside() {
	a := t.aside[0]
	t.verdict("set_aside", "%s arrived but was set aside as bad: %s (%s).", t.out.subject(),
		tabular.Shorten(a.reason, 200), a.code)
	for i, a := range t.aside {
		if i == 0 {
			t.asideCarrier(a)
		}
		t.hop("inbox", "received", OK, a.received, "Received in %s.", tabular.Shorten(a.file, 160)).File = a.file
		t.hop("loader", "set_aside", Bad, a.received, "Set aside as bad: %s (%s). Its serial counts as received. %s",
			tabular.Shorten(a.reason, 200), a.code, a.became(t.when))
	}
	if a.how == "" {
		n := next{evidence: t.evidence}
		n.mend()
		t.out.Next = append(t.out.Next, n.list...)
	}
}

// asideCarrier tells of the report that brought a bad record.
func (t *tracer) asideCarrier(a asideRecord) {
	for _, r := range t.asideReports {
		if r.file != a.file {
			continue
		}
		t.hop("client", "packed", OK, r.made, "Put into a report, by the client's clock.")
		if r.receipt != "" {
			t.hop("relay", "received", OK, r.received, "Accepted by the relay, which gave the receipt %s.",
				tabular.Shorten(r.receipt, 80)).Receipt = r.receipt
		}
		return
	}
}

// dropped tells of a message that arrived so long ago that only its serial, or the state it left, is still known.
func (t *tracer) dropped() {
	t.verdict("dropped", "%s arrived, but is no longer stored: retention drops history, never the knowledge that it came.",
		t.out.subject())
	if t.kept != nil {
		t.hop("client", "raised", OK, t.kept.raised, "Raised by the client, by its own clock: %s on %s.", t.kept.state,
			t.kept.topic)
		t.hop("relay", "received", OK, t.kept.received, "Received; where is no longer known.")
		t.hop("store", "current", OK, time.Time{}, "What it told is still current, and is kept.")
		return
	}
	t.hop("store", "dropped", Note, time.Time{},
		"The site knows that serial %s arrived; the message itself is older than store.retention, and something newer is "+
			"known about its topic.", humanize.Number(t.serial))
}
