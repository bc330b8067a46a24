package explain

import (
	"fmt"
	"time"

	"statewire/internal/humanize"
	"statewire/internal/serials"
	"statewire/internal/tabular"
)

// gaps tells which messages are missing, or that none is.
func (f *facts) gaps() {
	missing := f.missing()
	f.settled()
	var noticed, fresh []serials.Run
	for _, m := range missing {
		if m.Last <= f.header.seen && f.detected(m).IsZero() {
			fresh = append(fresh, m)
		} else {
			noticed = append(noticed, m)
		}
	}
	for i, m := range noticed {
		if i == shownRanges {
			f.add(Warning, "gap_more", time.Time{}, "%s more messages are missing in %d further ranges.",
				humanize.Number(count(noticed[i:])), len(noticed)-i)
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
		f.add(OK, "complete", time.Time{}, "No message is missing: nothing newer than serial %s has been given out.",
			humanize.Number(f.greatest()))
	default:
		f.add(OK, "complete", time.Time{}, "No message is missing: every serial from %s to %s has arrived.",
			humanize.Number(f.floor()), humanize.Number(f.greatest()))
	}
}

// settled tells what made the serials below the floor not count any more.
func (f *facts) settled() {
	if f.header.floor <= 1 {
		return
	}
	below := humanize.Number(f.header.floor)
	if f.header.baselineFloor >= f.header.floor {
		f.add(OK, "settled", f.header.baselineTime,
			"Serials below %s no longer count: a person accepted the client's state as it was, at %s.", below,
			humanize.Clock(f.header.baselineTime))
		return
	}
	f.add(OK, "settled", f.header.completionTime,
		"Serials below %s no longer count: the client sent everything again and said so, at %s.", below,
		humanize.Clock(f.header.completionTime))
}

func (f *facts) gap(m serials.Run) {
	what := rangeText(m)
	claimed := m.Last > f.header.seen
	detected := f.detected(m)
	switch {
	case claimed && f.header.seen == 0:
		f.add(Warning, "gap_claimed", later(f.header.claimedTime, detected),
			"%s: at %s the client said that it has given out serials up to %s, but none of them has arrived.",
			what, f.when(f.header.claimedTime), humanize.Number(f.header.claimed))
	case claimed && m.First > f.header.seen:
		f.add(Warning, "gap_claimed", later(f.header.claimedTime, detected),
			"%s: at %s the client said that it has given out serials up to %s, but nothing after %s has arrived.",
			what, f.when(f.header.claimedTime), humanize.Number(f.header.claimed), humanize.Number(f.header.seen))
	default:
		f.add(Warning, "gap", detected, "%s; first noticed at %s.", what, f.when(detected))
	}
}

// freshGaps tells of what no gap check has looked at yet.
func (f *facts) freshGaps(runs []serials.Run) {
	switch n := count(runs); {
	case len(runs) == 1:
		f.add(Note, "gap_new", time.Time{},
			"%s; no gap check has looked since what comes after came, so %s may still be on the way.", rangeText(runs[0]),
			humanize.Plural(int(min(n, 2)), "it", "they"))
	case len(runs) > 1:
		f.add(Note, "gap_new", time.Time{},
			"%s messages in %d ranges, the first %s, have not arrived; no gap check has looked since what comes after came, so "+
				"they may still be on the way.",
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
	return fmt.Sprintf("%s set aside%s, %sat %s: %s (%s). Such a file does not say whose reports it held, so %s may "+
		"have been in it: `statewire report bad-files`",
		files, since, latest, humanize.Clock(b.time), tabular.Shorten(b.latest, 120), tabular.Shorten(b.why, 200), what)
}

// rangeText says which messages are missing.
func rangeText(m serials.Run) string {
	if m.First == m.Last {
		return "Message " + humanize.Number(m.First) + " is missing"
	}
	return fmt.Sprintf("Messages %s to %s are missing (%s)", humanize.Number(m.First), humanize.Number(m.Last),
		humanize.Number(m.Len()))
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
			f.add(Warning, "conflict", c.received,
				"The client's counter went back: serial %s came twice with different content, the later one at %s. Both are kept.",
				serial, f.when(c.received))
		case "below_completion":
			f.add(Warning, "conflict", c.received,
				"The client's counter went back: serial %s arrived at %s, although the client had already sent everything again "+
					"up to a greater one.", serial, f.when(c.received))
		default:
			f.add(Warning, "conflict", c.received,
				"The client's counter went back: serial %s arrived at %s, far below serials that it used so long ago that the "+
					"site keeps them no longer.", serial, f.when(c.received))
		}
	}
}
