package resync

import (
	"cmp"
	"slices"

	"statewire/smx"
)

// unopened are the missing serials that unread reports bring, or may bring, but for those that are open already: an open range
// closes when its messages are stored, so that it keeps its age should their file turn out to be bad.
func (u Unread) unopened(client smx.ClientID, missing []span, open []openSpan) []span {
	arriving := missing
	if !u.Partly {
		arriving = intersect(missing, spansOf(u.Arriving[client]))
	}
	if len(arriving) == 0 {
		return nil
	}
	return subtract(arriving, spans(open))
}

// spansOf are the runs in order.
func spansOf(runs []Run) []span {
	spans := make([]span, len(runs))
	for i, r := range runs {
		spans[i] = span{r.First, r.Last}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last)) })
	return spans
}

// subtract is what of the spans in from lies in none of those in away. Both are in order of their first serials; those in away may
// overlap.
func subtract(from, away []span) (rest []span) {
	for _, s := range from {
		next, done := s.first, false
		for _, w := range away {
			if w.first > s.last {
				break
			}
			if w.last < next {
				continue
			}
			if w.first > next {
				rest = append(rest, span{next, w.first - 1})
			}
			if done = w.last >= s.last; done {
				break
			}
			next = w.last + 1
		}
		if !done {
			rest = append(rest, span{next, s.last})
		}
	}
	return rest
}

// intersect is what of the spans in a lies in some of those in b.
func intersect(a, b []span) []span { return subtract(a, subtract(a, b)) }
