package explain

import (
	"fmt"
	"slices"
	"strings"

	"statewire/internal/humanize"
	"statewire/internal/serials"
	"statewire/internal/tabular"
)

// Serials are a client's serials from the first to the last: what no longer counts, what arrived, what is missing,
// what was only claimed.
type Serials struct {
	Stretches []Stretch
	Marks     []Mark // the serials that stand out; some may lie in no stretch
	Text      string // all of it in words
}

// Stretch is a run of serials of one kind, both ends included.
type Stretch struct {
	serials.Run
	Kind string // settled, mixed, received, missing or claimed
	Text string
}

// Span names the stretch by its ends.
func (s Stretch) Span() string { return spanOf(s.Run) }

// Mark is one serial that stands out.
type Mark struct {
	Kind   string // aside, conflict or resync
	Serial uint64
	Text   string
}

// maxStretches is how many stretches are told apart; older ones are told as one.
const maxStretches = 48

// stretch is one in the making.
type stretch struct {
	serials.Run
	kind string
	lost uint64 // missing serials of a mixed one
}

// line tells a client's serials in their order.
func (e *evidence) line() *Serials {
	runs := e.stretches()
	if len(runs) == 0 {
		return nil
	}
	out := &Serials{Text: e.lineText(), Marks: e.marks()}
	for _, r := range runs {
		out.Stretches = append(out.Stretches, Stretch{r.Run, r.kind, r.text(e)})
	}
	return out
}

// stretches are in order, at most maxStretches of them.
func (e *evidence) stretches() []stretch {
	var all []stretch
	floor, greatest := e.floor(), e.greatest()
	if floor > 1 && greatest > 0 {
		all = append(all, stretch{serials.Run{First: 1, Last: min(floor-1, greatest)}, "settled", 0})
	}
	next := floor
	add := func(r serials.Run, kind string) {
		if r.First <= r.Last {
			all = append(all, stretch{r, kind, 0})
		}
	}
	for _, a := range e.runs {
		if a.Last < floor {
			continue
		}
		a.First = max(a.First, next)
		if a.First > next {
			add(serials.Run{First: next, Last: a.First - 1}, "missing")
		}
		add(a, "received")
		next = max(next, a.Last+1)
	}
	if next <= greatest {
		add(serials.Run{First: next, Last: greatest}, "claimed")
	}
	return merged(all)
}

// merged sums the oldest ones up when there are too many.
func merged(all []stretch) []stretch {
	if len(all) <= maxStretches {
		return all
	}
	cut := len(all) - maxStretches + 1
	old := stretch{serials.Run{First: all[0].First, Last: all[cut-1].Last}, "mixed", 0}
	for _, r := range all[:cut] {
		if r.kind == "missing" {
			old.lost += r.Len()
		}
	}
	return slices.Concat([]stretch{old}, all[cut:])
}

func spanOf(r serials.Run) string {
	if r.First == r.Last {
		return humanize.Number(r.First)
	}
	return humanize.Number(r.First) + "–" + humanize.Number(r.Last)
}

func (r stretch) text(e *evidence) string {
	n := humanize.Number(r.Len())
	switch r.kind {
	case "settled":
		return spanOf(r.Run) + ": no longer counts"
	case "mixed":
		return fmt.Sprintf("%s: %s serials, %s of them missing", spanOf(r.Run), n, humanize.Number(r.lost))
	case "missing":
		text := fmt.Sprintf("%s: %s missing", spanOf(r.Run), n)
		if at := e.detected(r.Run); !at.IsZero() {
			text += ", first noticed " + humanize.Ago(e.now.Sub(at))
		}
		return text
	case "claimed":
		return fmt.Sprintf("%s: %s claimed by the client, not arrived", spanOf(r.Run), n)
	}
	return fmt.Sprintf("%s: %s arrived", spanOf(r.Run), n)
}

// marks are the serials that stand out.
func (e *evidence) marks() []Mark {
	var out []Mark
	for _, a := range e.aside {
		if a.serial != nil {
			text := "Serial " + humanize.Number(*a.serial) + " was set aside as bad: " + tabular.TerminalSafe(a.code)
			out = append(out, Mark{"aside", *a.serial, text})
		}
	}
	for _, c := range e.conflicts[:min(len(e.conflicts), 20)] {
		out = append(out, Mark{"conflict", c.serial, "The counter went back at serial " + humanize.Number(c.serial)})
	}
	for _, q := range e.requests[:min(len(e.requests), shownResyncs)] {
		text := fmt.Sprintf("Resync %d asked to continue from serial %s", q.Number, humanize.Number(q.NextSerial))
		out = append(out, Mark{"resync", q.NextSerial, text})
	}
	return out
}

// lineText says the serials in words.
func (e *evidence) lineText() string {
	missing := e.missing()
	if len(e.jumps()) > 0 {
		missing = serials.Missing(e.runs, e.floor(), e.greatest())
	}
	from, to := humanize.Number(e.floor()), humanize.Number(e.greatest())
	if len(missing) == 0 {
		return fmt.Sprintf("Serials %s to %s: all arrived.", from, to)
	}
	parts := make([]string, 0, shownRanges)
	for i, m := range missing {
		if i == shownRanges {
			parts = append(parts, fmt.Sprintf("and %d more ranges", len(missing)-i))
			break
		}
		parts = append(parts, spanOf(m))
	}
	return fmt.Sprintf("Serials %s to %s; missing: %s.", from, to, strings.Join(parts, ", "))
}
