package gaps

import (
	"statewire/internal/serials"
	"statewire/smx"
)

// Unread says whose reports wait in an inbox, unread. What they bring is not missing, and nobody of those clients is
// asked for a resync.
type Unread struct {
	Everybody bool   // a file whose clients cannot be told waits: it may hold anybody's reports
	Reason    string // why it is everybody, for people
	Clients   map[smx.ClientID]struct{}

	// Arriving are the serials in those reports: they are not missing. With Partly set there are more than could be
	// read, and no new range is opened at all.
	Arriving map[smx.ClientID][]serials.Run
	Partly   bool
}

// Holds says whether a client's report may be waiting.
func (u Unread) Holds(client smx.ClientID) bool {
	_, waits := u.Clients[client]
	return u.Everybody || waits
}

// unopened are the missing serials that unread reports bring, or may bring, but for those that are open already: an
// open range closes when its messages are stored, so that it keeps its age should their file turn out to be bad.
func (u Unread) unopened(client smx.ClientID, missing []serials.Run, open []openRange) []serials.Run {
	arriving := missing
	if !u.Partly {
		arriving = serials.Intersect(missing, serials.Join(u.Arriving[client]))
	}
	if len(arriving) == 0 {
		return nil
	}
	return serials.Subtract(arriving, runs(open))
}
