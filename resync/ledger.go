package resync

import (
	"context"
	"time"

	"statewire/internal/serials"
	"statewire/resync/gaps"
	"statewire/smx"
)

// ledger is what the service remembers, and what it knows of the clients: the store, or a model of it in tests of
// weeks.
type ledger interface {
	// clock is the timeline that the last check kept, and when that was; zero before the first.
	clock(ctx context.Context) (clockRow, error)
	keepClock(ctx context.Context, row clockRow) error
	// find reconciles what is missing with what arrived.
	find(ctx context.Context, q scan) (gaps.Found, error)
	// recorded is what the last find left open.
	recorded(ctx context.Context) (gaps.Found, error)
	// wants yields the clients to ask, in the order in which they are served, until take answers false.
	wants(ctx context.Context, q wantQuery, take func(gaps.Candidate) bool) error
	// requests yields the clients that a person wants asked, the same way.
	requests(ctx context.Context, q wantQuery, take func(gaps.Candidate) bool) error
	// owing are the clients asked since a time that have not completed as of now, and which of them picked the request
	// up. Those whose expiry is written down are among them.
	owing(ctx context.Context, since, now time.Time) (owing, map[smx.ClientID]uint32, error)
	// issue makes resyncs durable; issuing one again changes nothing.
	issue(ctx context.Context, list []resync) error
	// expire makes it durable that requests were not completed in time, by the merge interval in force; doing it again
	// changes nothing.
	expire(ctx context.Context, list []resync, at time.Time, interval time.Duration) error
	// note makes claims and pickups durable.
	note(ctx context.Context, claims map[smx.ClientID]claim, pickups []pickup) error
	keepCheck(ctx context.Context, r Result) error
}

// scan says what a gap check looks at.
type scan struct {
	at   time.Time
	dry  bool // write nothing
	full bool // compares the states of every client, not only of those that changed since the last scan
	anew bool // reads the serials of every client, whatever the last scan found
	rows int  // how many gaps to return; below 0 all

	unread gaps.Unread // listed before the scan
}

// wantQuery selects clients to ask.
type wantQuery struct {
	now  time.Time
	line timeline
	cfg  Config
	dry  bool // as the search before it found, not as the store says
	all  bool // those as well that the minimum age or the merge interval holds
}

// clockRow is the timeline as it is kept.
type clockRow struct {
	number  uint64
	checked time.Time
	epoch   time.Time
	before  time.Time
}

// claim is what a client said of itself.
type claim struct {
	smx.Poll
	at time.Time

	// The greatest serial claimed since the store last heard, if it is far above this one's; 0 = none.
	high   uint64
	highAt time.Time
}

// after is the claim with what the one before it said too much: a lie must not vanish behind the truth.
func (c claim) after(before claim) claim {
	c.high, c.highAt = before.high, before.highAt
	if before.LastSerial > c.high {
		c.high, c.highAt = before.LastSerial, before.at
	}
	if !serials.Jumps(c.high, c.LastSerial) {
		c.high, c.highAt = 0, time.Time{}
	}
	return c
}

// pickup is the moment a client was first given a request.
type pickup struct {
	client smx.ClientID
	number uint32
	at     time.Time
}
