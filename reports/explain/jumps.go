package explain

import (
	"slices"
	"time"

	"statewire/internal/humanize"
	"statewire/internal/serials"
)

// jumped tells of serials far above all others: those that arrived, and those that were only claimed.
func (f *facts) jumped() {
	for i, m := range f.jumps() {
		if i == shownRanges {
			f.add(Warning, "serial_jump_more", time.Time{}, "%d more serials jumped.", len(f.jumps())-i)
			break
		}
		if m.Last > f.header.seen {
			f.add(Warning, "serial_jump", f.detected(m),
				"Its serials jumped: it claims serial %s, which a person accepted, and %s arrived last. What is between is "+
					"counted apart from what is missing.",
				humanize.Number(m.Last), humanize.Number(f.header.seen))
			continue
		}
		f.add(Warning, "serial_jump", f.detected(m),
			"Its serials jumped: %s arrived, and none of the %s from %s on below it. Nobody loses so many messages, so they "+
				"are counted apart from what is missing.",
			humanize.Number(m.Last+1), humanize.Number(m.Len()), humanize.Number(m.First))
	}
	if h := f.header; h.asideClaim > 0 {
		f.add(Warning, "claim_aside", h.asideTime,
			"At %s the client, or somebody in its name, said that it has given out serials up to %s, far above %s, the "+
				"greatest that arrived. The claim is kept aside: it counts for nothing.",
			f.when(h.asideTime), humanize.Number(h.asideClaim), humanize.Number(h.seen))
	}
}

// judge tells what a person can do about serials that jumped.
func (n *next) judge() {
	id := WireID(n.client.ID)
	if n.header.asideClaim > 0 {
		n.add(time.Time{}, "If the claim is true, as of a client that came from another site: `statewire resync accept "+
			"--client %s --claim`", id)
		n.add(time.Time{}, "If it is not, this puts it away: `statewire resync accept --client %s`", id)
	}
	if len(n.jumps()) > 0 {
		n.add(time.Time{}, "Look at the machine: `statewire agent status` on it shows its last serial. If that is far "+
			"lower, somebody else sent under its id: `statewire agent new-id` gives it another one.")
	}
}

// owesJump says that a jump may still be asked for: what a completed resync did not close, another one will not.
func (e *evidence) owesJump() bool {
	settled := e.header.baselineTime
	for _, done := range e.completions {
		settled = later(settled, done.received)
	}
	return slices.ContainsFunc(e.jumps(), func(m serials.Run) bool {
		at := e.detected(m)
		return at.IsZero() || !at.Before(settled)
	})
}
