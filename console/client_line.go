package console

import (
	"math/bits"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports/explain"
)

// serialLine draws a client's serials. A stretch's width grows with the logarithm of its length, so that one missing
// message stays visible beside a million that arrived.
func serialLine(client string, s *explain.Serials) *web.SerialLine {
	if s == nil {
		return nil
	}
	all := s.Stretches
	out := &web.SerialLine{From: humanize.Number(all[0].First), To: humanize.Number(all[len(all)-1].Last), Text: s.Text}
	total := 0.0
	for _, part := range all {
		total += weight(part)
	}
	x := 0.0
	kinds := map[string]bool{}
	for _, part := range all {
		width := 100 * weight(part) / total
		drawn := web.SerialRun{Kind: part.Kind, X: x, Width: width, Title: part.Text, Link: serialLink(client, part.First)}
		if width > 9 {
			drawn.Label = part.Span()
		}
		out.Runs = append(out.Runs, drawn)
		kinds[part.Kind] = true
		x += width
	}
	for _, m := range s.Marks {
		at, ok := place(all, total, m.Serial)
		if !ok {
			continue
		}
		mark := web.SerialMark{Kind: m.Kind, X: at, Title: tabular.TerminalSafe(m.Text), Link: serialLink(client, m.Serial)}
		out.Marks = append(out.Marks, mark)
		kinds[m.Kind] = true
	}
	out.Legend = legend(kinds)
	return out
}

// weight is a stretch's share of the picture.
func weight(s explain.Stretch) float64 {
	w := 1 + float64(bits.Len64(s.Len()))
	if s.Kind == "settled" || s.Kind == "mixed" {
		return min(w, 6)
	}
	return w
}

// place is where a serial lies in the picture, in percent.
func place(all []explain.Stretch, total float64, serial uint64) (float64, bool) {
	x := 0.0
	for _, s := range all {
		width := 100 * weight(s) / total
		if s.Holds(serial) {
			within := (float64(serial-s.First) + 0.5) / float64(s.Len())
			return x + width*within, true
		}
		x += width
	}
	return 0, false
}

// legend names the kinds that are in the picture.
func legend(kinds map[string]bool) (out []web.LegendEntry) {
	for _, l := range []web.LegendEntry{
		{Kind: "settled", Label: "no longer counts"}, {Kind: "mixed", Label: "older, some missing"},
		{Kind: "received", Label: "arrived"}, {Kind: "missing", Label: "missing"},
		{Kind: "claimed", Label: "claimed, not arrived"}, {Kind: "aside", Label: "set aside as bad"},
		{Kind: "conflict", Label: "used twice"}, {Kind: "resync", Label: "resync continues here"},
	} {
		if kinds[l.Kind] {
			out = append(out, l)
		}
	}
	return out
}
