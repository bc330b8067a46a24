package reports

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"statewire/reports/web"
)

// maxLineRuns is how many runs the picture of a client's serials draws; older ones are drawn as one.
const maxLineRuns = 48

// lineRun is a run in the picture.
type lineRun struct {
	run
	kind string
	lost uint64 // missing serials of a mixed run
}

// line draws a client's serials: what no longer counts, what arrived, what is missing, what was only claimed. A run's width
// grows with the logarithm of its length, so that one missing message stays visible beside a million that arrived.
func (e *evidence) line() *web.SerialLine {
	runs := e.lineRuns()
	if len(runs) == 0 {
		return nil
	}
	out := &web.SerialLine{From: web.Number(runs[0].first), To: web.Number(runs[len(runs)-1].last), Text: e.lineText()}
	total := 0.0
	for _, r := range runs {
		total += r.weight()
	}
	x := 0.0
	kinds := map[string]bool{}
	for _, r := range runs {
		width := 100 * r.weight() / total
		drawn := web.SerialRun{Kind: r.kind, X: x, Width: width, Title: r.title(e), Link: serialLink(e, r.first)}
		if width > 9 {
			drawn.Label = spanOf(r.run)
		}
		out.Runs = append(out.Runs, drawn)
		kinds[r.kind] = true
		x += width
	}
	e.marks(out, runs, total, kinds)
	for _, l := range []web.LegendEntry{{Kind: "settled", Label: "no longer counts"}, {Kind: "mixed", Label: "older, some missing"}, {Kind: "received", Label: "arrived"}, {Kind: "missing", Label: "missing"},
		{Kind: "claimed", Label: "claimed, not arrived"}, {Kind: "aside", Label: "set aside as bad"}, {Kind: "conflict", Label: "used twice"}, {Kind: "resync", Label: "resync continues here"}} {
		if kinds[l.Kind] {
			out.Legend = append(out.Legend, l)
		}
	}
	return out
}

// lineRuns are the runs in order, at most maxLineRuns of them.
func (e *evidence) lineRuns() []lineRun {
	var all []lineRun
	floor, greatest := e.floor(), e.greatest()
	if floor > 1 && greatest > 0 {
		all = append(all, lineRun{run{1, min(floor-1, greatest)}, "settled", 0})
	}
	next := floor
	add := func(r run, kind string) {
		if r.first <= r.last {
			all = append(all, lineRun{r, kind, 0})
		}
	}
	for _, a := range e.runs {
		if a.last < floor {
			continue
		}
		a.first = max(a.first, next)
		if a.first > next {
			add(run{next, a.first - 1}, "missing")
		}
		add(a, "received")
		next = max(next, a.last+1)
	}
	if next <= greatest {
		add(run{next, greatest}, "claimed")
	}
	return merged(all)
}

// merged sums the oldest runs up when there are too many to draw.
func merged(all []lineRun) []lineRun {
	if len(all) <= maxLineRuns {
		return all
	}
	cut := len(all) - maxLineRuns + 1
	old := lineRun{run{all[0].first, all[cut-1].last}, "mixed", 0}
	for _, r := range all[:cut] {
		if r.kind == "missing" {
			old.lost += r.length()
		}
	}
	return slices.Concat([]lineRun{old}, all[cut:])
}

// weight is a run's share of the picture.
func (r lineRun) weight() float64 {
	w := 1 + float64(bits.Len64(r.length()))
	if r.kind == "settled" || r.kind == "mixed" {
		return min(w, 6)
	}
	return w
}

func spanOf(r run) string {
	if r.first == r.last {
		return web.Number(r.first)
	}
	return web.Number(r.first) + "–" + web.Number(r.last)
}

func (r lineRun) title(e *evidence) string {
	n := web.Number(r.length())
	switch r.kind {
	case "settled":
		return spanOf(r.run) + ": no longer counts"
	case "mixed":
		return fmt.Sprintf("%s: %s serials, %s of them missing", spanOf(r.run), n, web.Number(r.lost))
	case "missing":
		text := fmt.Sprintf("%s: %s missing", spanOf(r.run), n)
		if at := e.detected(r.run); !at.IsZero() {
			text += ", first noticed " + ago(e.now.Sub(at))
		}
		return text
	case "claimed":
		return fmt.Sprintf("%s: %s claimed by the client, not arrived", spanOf(r.run), n)
	}
	return fmt.Sprintf("%s: %s arrived", spanOf(r.run), n)
}

// marks are the serials that stand out.
func (e *evidence) marks(out *web.SerialLine, runs []lineRun, total float64, kinds map[string]bool) {
	mark := func(kind string, serial uint64, title string) {
		if x, ok := place(runs, total, serial); ok {
			out.Marks = append(out.Marks, web.SerialMark{Kind: kind, X: x, Title: title, Link: serialLink(e, serial)})
			kinds[kind] = true
		}
	}
	for _, a := range e.aside {
		if a.serial != nil {
			mark("aside", *a.serial, "Serial "+web.Number(*a.serial)+" was set aside as bad: "+terminalSafe(a.code))
		}
	}
	for _, c := range e.conflicts[:min(len(e.conflicts), 20)] {
		mark("conflict", c.serial, "The counter went back at serial "+web.Number(c.serial))
	}
	for _, q := range e.requests[:min(len(e.requests), shownResyncs)] {
		mark("resync", q.nextSerial, fmt.Sprintf("Resync %d asked to continue from serial %s", q.number, web.Number(q.nextSerial)))
	}
}

// place is where a serial lies in the picture, in percent.
func place(runs []lineRun, total float64, serial uint64) (float64, bool) {
	x := 0.0
	for _, r := range runs {
		width := 100 * r.weight() / total
		if r.holds(serial) {
			within := (float64(serial-r.first) + 0.5) / float64(r.length())
			return x + width*within, true
		}
		x += width
	}
	return 0, false
}

// lineText says the picture in words.
func (e *evidence) lineText() string {
	missing := e.missing()
	if len(e.jumps()) > 0 {
		missing = missingRuns(e.runs, e.floor(), e.greatest())
	}
	if len(missing) == 0 {
		return fmt.Sprintf("Serials %s to %s: all arrived.", web.Number(e.floor()), web.Number(e.greatest()))
	}
	parts := make([]string, 0, shownRanges)
	for i, m := range missing {
		if i == shownRanges {
			parts = append(parts, fmt.Sprintf("and %d more ranges", len(missing)-i))
			break
		}
		parts = append(parts, spanOf(m))
	}
	return fmt.Sprintf("Serials %s to %s; missing: %s.", web.Number(e.floor()), web.Number(e.greatest()), strings.Join(parts, ", "))
}
