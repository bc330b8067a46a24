package web

import (
	"cmp"
	"slices"
)

// Arrange sorts the states from good to unknown, works out their shares and tells states of one tone apart.
func (s *Stack) Arrange() {
	place := map[Tone]int{ToneGood: 0, ToneBusy: 1, TonePlain: 2, ToneBad: 3, ToneUnknown: 4}
	slices.SortStableFunc(s.Segments, func(a, b Segment) int {
		return cmp.Or(cmp.Compare(place[a.Tone], place[b.Tone]), cmp.Compare(b.Count, a.Count))
	})
	s.Place()
}

// Place works out the shares of states that already stand in their order, and tells those of one tone apart.
func (s *Stack) Place() {
	x, shades := 0.0, map[Tone]int{}
	for i := range s.Segments {
		seg := &s.Segments[i]
		seg.X, seg.Shade = x, min(shades[seg.Tone], 3)
		if s.Total > 0 {
			seg.Percent = 100 * float64(seg.Count) / float64(s.Total)
		}
		x += seg.Percent
		if seg.Count > 0 {
			shades[seg.Tone]++
		}
	}
}
