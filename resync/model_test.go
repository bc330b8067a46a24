package resync

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"statewire/resync/gaps"
	"statewire/smx"
)

// world is a site and its clients in the plainest words, for tests of weeks: the ledger of a service, what waits in the
// inbox, and the truth about when things happened. It notes whatever breaks rule 7.
type world struct {
	mu      sync.Mutex // held by whoever looks at the world: the service's goroutines or the test
	rand    *rand.Rand
	cfg     Config
	stamp   func() time.Time   // the machine's wall clock, which may jump
	unread  func() gaps.Unread // what the service is told
	clients map[smx.ClientID]*machine
	inbox   []*letter // in order of arrival
	blocked bool      // a file waits that may hold anybody's reports

	row        clockRow
	picked     map[smx.ClientID]uint32
	violations []string
	issued     int
	expiries   int
}

// machine is one client, as it is and as the site knows it.
type machine struct {
	id     smx.ClientID
	dead   bool // asks for no policy any more
	serial uint64
	done   uint32 // number of the resync that it carried out
	open   []hole // missing ranges that a check has seen
	lost   []hole // missing ranges that no check has seen yet

	seen      uint64
	last      resync // asked of it
	askedAt   time.Time
	askedAll  []time.Time
	expired   uint32 // number of the request that expired last
	completed uint64 // greatest serial of a resync complete message
}

// hole is a run of serials that never arrived; true is when it was detected in truth.
type hole struct {
	last     uint64
	detected time.Time
	truly    time.Time
}

// letter is a report in the inbox.
type letter struct {
	from       *machine
	first      uint64 // serials up to last arrive with it
	last       uint64
	completion bool
	due        time.Time // when the loader reads it
}

func newWorld(seed uint64, cfg Config, clients int) *world {
	w := &world{rand: rand.New(rand.NewPCG(seed, 1)), cfg: cfg, stamp: time.Now, clients: map[smx.ClientID]*machine{},
		picked: map[smx.ClientID]uint32{}}
	w.unread = w.waiting
	for n := range clients {
		w.clients[client(n)] = &machine{id: client(n)}
	}
	return w
}

func (w *world) sorted() []*machine {
	return slices.SortedFunc(maps.Values(w.clients), func(a, b *machine) int { return a.id.Compare(b.id) })
}

// waiting is whose letters lie in the inbox.
func (w *world) waiting() gaps.Unread {
	u := gaps.Unread{Everybody: w.blocked, Reason: "x.SMX", Clients: map[smx.ClientID]struct{}{}}
	for _, l := range w.inbox {
		u.Clients[l.from.id] = struct{}{}
	}
	return u
}

// send puts a report into the inbox, or loses it.
func (w *world) send(m *machine, messages uint64, completion bool, delay time.Duration, lost bool) {
	first := m.serial + 1
	m.serial += messages
	if !lost {
		w.inbox = append(w.inbox, &letter{from: m, first: first, last: m.serial, completion: completion,
			due: time.Now().Add(delay)})
	}
}

// load reads what is due.
func (w *world) load() {
	left := w.inbox[:0]
	for _, l := range w.inbox {
		if l.due.After(time.Now()) {
			left = append(left, l)
			continue
		}
		m := l.from
		if l.first > m.seen+1 {
			m.lost = append(m.lost, hole{last: l.first - 1})
		}
		m.seen = max(m.seen, l.last)
		if l.completion {
			m.completed = max(m.completed, l.last)
			closed := func(h hole) bool { return h.last < l.first }
			m.open, m.lost = slices.DeleteFunc(m.open, closed), slices.DeleteFunc(m.lost, closed)
		}
	}
	w.inbox = left
}

func (w *world) breaks(format string, args ...any) {
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
}

// outstanding counts in truth: asked within the merge interval, and the completion has not been read.
func (w *world) outstanding() (n int) {
	for _, m := range w.clients {
		if m.last.number > 0 && time.Since(m.askedAt) < w.cfg.MergeInterval && !w.complete(m) {
			n++
		}
	}
	return n
}

// with is the request as it is known when the one of that number has expired.
func (r resync) with(expired uint32) resync {
	r.expired = r.number == expired
	return r
}

func (w *world) complete(m *machine) bool { return m.completed >= m.last.next }

// issue is where the rules are held against what happens.
func (w *world) issue(_ context.Context, list []resync) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, waiting := time.Now(), w.waiting()
	for _, r := range list {
		m := w.clients[r.client]
		oldest := time.Duration(-1)
		for _, h := range m.open {
			oldest = max(oldest, now.Sub(h.truly))
		}
		switch {
		case r.number == m.last.number:
			continue // again the same
		case r.number != m.last.number+1:
			w.breaks("number %d follows %d", r.number, m.last.number)
		case m.last.number > 0 && m.expired != m.last.number && !w.complete(m):
			w.breaks("request %d follows one that has not ended", r.number)
		case m.last.number > 0 && now.Sub(m.askedAt) < w.cfg.MergeInterval:
			w.breaks("asked again after %s", now.Sub(m.askedAt))
		case waiting.Holds(r.client):
			w.breaks("asked while its reports wait")
		case oldest < w.cfg.MinMissingMessageAge:
			w.breaks("asked when the oldest gap was %s old", oldest)
		case r.next != m.seen+1:
			w.breaks("asked to continue from %d, seen up to %d", r.next, m.seen)
		}
		m.last, m.askedAt, m.askedAll = r, now, append(m.askedAll, now)
		w.issued++
	}
	if n := w.outstanding(); n > w.cfg.MaxOutstanding {
		w.breaks("%d outstanding", n)
	}
	return nil
}

func (w *world) clock(context.Context) (clockRow, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.row, nil
}

func (w *world) keepClock(_ context.Context, row clockRow) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.row = row
	return nil
}

func (w *world) find(_ context.Context, q scan) (gaps.Found, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var g gaps.Found
	for _, m := range w.clients {
		for _, h := range m.lost {
			h.detected, h.truly = q.at, time.Now()
			m.open = append(m.open, h)
		}
		m.lost = nil
		g.Ranges += uint64(len(m.open))
	}
	return g, nil
}

// wants are the clients with gaps: the oldest gap first, and those that did not answer last,
// the one asked longest ago first.
func (w *world) wants(_ context.Context, q wantQuery, take func(gaps.Candidate) bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []gaps.Candidate
	unanswered := map[smx.ClientID]int{}
	for _, m := range w.sorted() {
		if len(m.open) == 0 {
			continue
		}
		one := gaps.Candidate{Client: m.id, Reason: gaps.Missing, Since: m.open[0].detected, NextSerial: m.seen + 1,
			Number: m.last.number, Asked: m.last.issued}
		for _, h := range m.open {
			if h.detected.Before(one.Since) {
				one.Since = h.detected
			}
		}
		if m.last.number > 0 && !w.complete(m) {
			unanswered[m.id] = 1
		}
		list = append(list, one)
	}
	asked := func(w gaps.Candidate) time.Time {
		if w.Asked.After(q.now) {
			return time.Time{} // stamped by a clock that was wrong
		}
		return w.Asked
	}
	slices.SortStableFunc(list, func(a, b gaps.Candidate) int {
		if n := cmp.Compare(unanswered[a.Client], unanswered[b.Client]); n != 0 || unanswered[a.Client] == 0 {
			return cmp.Or(n, a.Since.Compare(b.Since))
		}
		return asked(a).Compare(asked(b))
	})
	for _, one := range list {
		if !take(one) {
			return nil
		}
	}
	return nil
}

func (w *world) requests(context.Context, wantQuery, func(gaps.Candidate) bool) error { return nil }

func (w *world) owing(_ context.Context, since, _ time.Time) (owing, map[smx.ClientID]uint32, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	owed := owing{}
	for _, m := range w.clients {
		if m.last.number > 0 && m.last.issued.After(since) && !w.complete(m) {
			owed[m.id] = m.last.with(m.expired)
		}
	}
	return owed, maps.Clone(w.picked), nil
}

func (w *world) expire(_ context.Context, list []resync, _ time.Time, interval time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range list {
		m := w.clients[r.client]
		switch {
		case r.number != m.last.number:
			w.breaks("request %d expires after %d", r.number, m.last.number)
		case m.expired == r.number:
			w.breaks("request %d expires twice", r.number)
		case w.complete(m):
			w.breaks("a completed request expires")
		case time.Since(m.askedAt) < interval:
			w.breaks("a request expires after %s", time.Since(m.askedAt))
		}
		m.expired = r.number
		w.expiries++
	}
	return nil
}

func (w *world) note(_ context.Context, _ map[smx.ClientID]claim, pickups []pickup) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range pickups {
		w.picked[p.client] = p.number
	}
	return nil
}

func (w *world) recorded(context.Context) (gaps.Found, error) { return gaps.Found{}, nil }

func (w *world) keepCheck(context.Context, Result) error { return nil }
