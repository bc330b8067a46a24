package explain

import (
	"slices"
	"time"

	"statewire/internal/humanize"
	"statewire/internal/serials"
	"statewire/internal/tabular"
)

// heldHere says that the message is in a file that waits.
func (t *tracer) heldHere() bool {
	return slices.ContainsFunc(t.held.Serials, func(r serials.Run) bool { return r.Holds(t.serial) })
}

// maybeHeld says that it may be: not every file that names the client was read.
func (t *tracer) maybeHeld() bool { return t.heldByName() > 0 && !t.held.Read }

// waiting tells of a message that arrived and is not loaded yet.
func (t *tracer) waiting() {
	t.verdict("waiting", "%s has arrived and waits in the inbox; it is not loaded yet.", t.out.subject())
	if detected, _ := t.missingSince(); !detected.IsZero() {
		t.hop("site", "detected", Note, detected, "A gap check first noticed that it was missing.")
	}
	t.askedFor()
	t.inInbox()
	t.out.Next = append(t.out.Next, t.foresee()...)
}

// missing tells what is known of a message that has not arrived.
func (t *tracer) missing() {
	detected, _ := t.missingSince()
	switch {
	case t.maybeHeld():
		t.verdict("missing", "%s has not been stored yet; it may be in what waits in the inbox.", t.out.subject())
	case detected.IsZero():
		t.verdict("missing", "%s has not arrived; no gap check has looked for it yet.", t.out.subject())
	case detected.After(t.now): // a check may be made for another time than now
		t.verdict("missing", "%s never arrived; a gap check noticed it at %s.", t.out.subject(), humanize.Clock(detected))
	default:
		t.verdict("missing", "%s never arrived; it has been missing for at least %s.", t.out.subject(),
			humanize.Span(t.now.Sub(detected)))
	}
	t.assigned()
	t.between()
	if !detected.IsZero() {
		t.hop("site", "detected", Warning, detected, "A gap check first noticed that it is missing.")
	}
	t.refusedHop()
	if t.badFiles.count > 0 {
		t.hop("inbox", "bad_files", Note, t.badFiles.time, "%s", t.badFiles.text("the message")).File = t.badFiles.latest
	}
	t.askedFor()
	t.inInbox()
	t.out.Next = append(t.out.Next, t.foresee()...)
}

// assigned tells how the site knows that the client gave the serial out.
func (t *tracer) assigned() {
	if t.serial > t.header.seen {
		arrived := "none has arrived"
		if t.header.seen > 0 {
			arrived = "none after " + humanize.Number(t.header.seen) + " has arrived"
		}
		t.hop("client", "claimed", Note, t.header.claimedTime,
			"The client said that it has given out serials up to %s, so this one exists; %s.", humanize.Number(t.header.claimed),
			arrived)
		return
	}
	t.hop("client", "assigned", Note, time.Time{}, "The client gave the serial out: it has used greater ones, up to %s.",
		humanize.Number(t.header.seen))
}

// between tells what arrived right before and after it.
func (t *tracer) between() {
	for _, side := range []string{"before", "after"} {
		n, ok := t.neighbours[side]
		if !ok {
			t.edge(side)
			continue
		}
		word := map[string]string{"before": "last", "after": "first"}[side]
		t.hop("site", "neighbour_"+side, Note, n.received,
			"The %s stored message %s it is %s: received then%s, loaded at %s.",
			word, side, humanize.Number(n.serial), n.in(), humanize.Clock(n.loaded)).File = n.file
	}
}

// in names the file, when it is known.
func (n neighbour) in() string {
	if n.file == "" {
		return ""
	}
	return " in " + tabular.Shorten(n.file, 160)
}

// edge tells what arrived on a side of which no message is stored.
func (t *tracer) edge(side string) {
	nearest := uint64(0)
	for _, r := range t.runs {
		if side == "before" && r.Last < t.serial {
			nearest = r.Last
		} else if side == "after" && r.First > t.serial && nearest == 0 {
			nearest = r.First
		}
	}
	switch {
	case side == "before" && t.serial == 1:
		return // nothing can
	case nearest == 0:
		t.hop("site", "neighbour_"+side, Note, time.Time{}, "Nothing that comes %s it has arrived.", side)
		return
	}
	t.hop("site", "neighbour_"+side, Note, time.Time{},
		"Serial %s arrived, the nearest one %s it; its message is no longer stored, or was set aside.",
		humanize.Number(nearest), side)
}

// inInbox tells what waits.
func (t *tracer) inInbox() {
	switch {
	case t.heldError:
		t.hop("inbox", "unreadable", Warning, time.Time{}, "The inbox could not be read.")
	case t.heldKnown && len(t.held.Files) == 0:
		t.hop("inbox", "empty", Note, t.now, "No file that waits in the inbox holds reports of this client.")
	}
	for i, file := range t.held.Files {
		if i == shownRanges {
			t.hop("inbox", "waiting_more", Note, time.Time{}, "%d more files wait.", len(t.held.Files)-i+t.held.More)
			return
		}
		text := "The file %s waits (%s) with reports of this client: the message may be in it."
		switch {
		case !file.Names:
			text = "The file %s waits (%s); it does not say whose reports it holds, so the message may be in it."
		case t.held.Read && !t.heldHere():
			text = "The file %s waits (%s) with reports of this client, the message not among them."
		case t.heldHere() && t.heldByName() == 1:
			text = "The file %s waits (%s) with reports of this client: the message is in it."
		}
		t.hop("inbox", "waiting", Note, file.Since, text, tabular.Shorten(file.Name, 160), file.Box).File = file.Name
	}
}

// askedFor tells of the resyncs that ask for it.
func (t *tracer) askedFor() {
	for _, q := range t.asked() {
		t.hop("site", "asked", Note, q.Issued, "Resync %d was issued %s, and asks for it with everything else.", q.Number,
			q.Why())
		if !q.PickedUp.IsZero() {
			t.hop("client", "picked_up", Note, q.PickedUp, "The client picked resync %d up.", q.Number)
		}
		if !q.Answering.IsZero() {
			t.hop("client", "answering", Note, q.Answering, "The answer to resync %d began to arrive.", q.Number)
		}
		if !q.Completed.IsZero() {
			t.hop("client", "completed", Note, q.Completed, "The client said that its answer to resync %d was complete.",
				q.Number)
		}
	}
}

// closed tells of a message that never arrived and no longer counts.
func (t *tracer) closed() {
	t.verdict("closed", "%s never arrived, and no longer counts: what the client holds came again under greater serials.",
		t.out.subject())
	if !t.header.baselineTime.IsZero() && t.serial < t.header.baselineFloor && t.serial >= t.header.completionFloor {
		t.verdict("closed", "%s never arrived, and no longer counts: a person accepted the site's state as it was.",
			t.out.subject())
	}
	t.assigned()
	t.between()
	if detected, _ := t.missingSince(); !detected.IsZero() {
		t.hop("site", "detected", Note, detected, "A gap check first noticed that it was missing.")
	}
	t.askedFor()
	t.closedBy()
}

// closedBy tells what settled it first.
func (t *tracer) closedBy() {
	var first *completion
	for i, c := range t.completions {
		if c.floor > t.serial && (first == nil || c.received.Before(first.received)) {
			first = &t.completions[i]
		}
	}
	if first != nil {
		t.hop("site", "closed", OK, first.received,
			"Closed: the client sent everything that it holds again, from serial %s on, and said with message %s that this was "+
				"complete.",
			humanize.Number(first.floor), humanize.Number(first.serial))
		return
	}
	t.hop("site", "closed", OK, t.header.baselineTime, "Closed: a person accepted what was missing up to serial %s.",
		humanize.Number(t.header.baselineFloor-1))
}

// notAssigned tells of a serial that the client has not used as far as the site knows.
func (t *tracer) notAssigned() {
	t.verdict("not_assigned", "%s is not known to exist: the greatest serial that the site has seen or heard of is %s.",
		t.out.subject(), humanize.Number(t.greatest()))
	if t.maybeHeld() {
		t.out.Summary = t.out.subject() + " has not been stored; it may be in what waits in the inbox."
	}
	if n, ok := t.neighbours["before"]; ok {
		t.hop("site", "neighbour_before", Note, n.received, "The last stored message is %s, received then%s.",
			humanize.Number(n.serial), n.in()).File = n.file
	}
	if !t.header.claimedTime.IsZero() {
		t.hop("client", "claimed", Note, t.header.claimedTime, "The client said that it has given out serials up to %s.",
			humanize.Number(t.header.claimed))
	}
	t.refusedHop()
	t.inInbox()
	n := next{evidence: t.evidence}
	switch {
	case t.heldByName() > 0:
		n.load()
	case t.header.claimedTime.IsZero():
		n.add(time.Time{}, "If the client has given it out and it was lost, the site learns of it with the next greater "+
			"serial that arrives, or when the client asks for its policy.")
	default:
		n.add(n.nextPoll(), "If the client has given it out since, the site learns of it when the client next asks for "+
			"its policy.")
	}
	t.out.Next = append(t.out.Next, n.list...)
}
