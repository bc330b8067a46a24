package fleet

import (
	"slices"
	"sync"
	"testing"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/internal/serials"
	"statewire/smx"
)

// Expected is what a site should hold of one client.
type Expected struct {
	Client      smx.ClientID
	Name        string            // NetBIOS name
	FirstSerial uint64            // the first one given
	LastSerial  uint64            // the last one assigned
	States      []agenttest.State // by topic type, then id: the latest of what reached the relay
	Lost        []serials.Run     // assigned, but never at the relay
	SetAside    []uint64          // arrived in a damaged record: received, not stored
	Unsettled   []serials.Run     // sent when the fleet stopped, no answer: may have arrived or not
}

// Missing is the ranges a gap check should find: what was lost, up to the greatest serial that arrived.
func (e *Expected) Missing() []serials.Run {
	greatest := uint64(0)
	for _, s := range e.States {
		greatest = max(greatest, s.Serial)
	}
	for _, s := range e.SetAside {
		greatest = max(greatest, s)
	}
	var missing []serials.Run
	for _, r := range e.Lost {
		if r.First < greatest {
			missing = append(missing, r)
		}
	}
	return missing
}

// books are the ledgers of a fleet's clients: what a site that asks for nothing ends up with.
type books struct {
	fleet   *Fleet
	mu      sync.Mutex
	clients map[smx.ClientID]*ledger // Guarded by mu.
}

// keepBooks makes the fleet's witness.
func keepBooks(f *Fleet) *books {
	b := &books{fleet: f, clients: map[smx.ClientID]*ledger{}}
	f.witness = b
	return b
}

func (b *books) of(client smx.ClientID) *ledger {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.clients[client] == nil {
		b.clients[client] = &ledger{}
	}
	return b.clients[client]
}

func (b *books) arrive(client smx.ClientID, report *cache.Report, damage damage) {
	b.of(client).arrive(report, damage)
}

func (b *books) lose(client smx.ClientID, report *cache.Report) { b.of(client).lose(report) }

// expected is what a site should end up with, per client that ever sent something. Call it after Run returned.
func (b *books) expected(t testing.TB) []Expected {
	t.Helper()
	var all []Expected
	for _, c := range b.fleet.clients {
		if e := b.expectedOf(t, c); e.LastSerial >= e.FirstSerial || len(e.States) > 0 {
			all = append(all, e)
		}
	}
	return all
}

func (b *books) expectedOf(t testing.TB, c *simulated) Expected {
	t.Helper()
	l := b.of(c.machine.id.Client)
	e := Expected{Client: c.machine.id.Client, Name: c.machine.id.NetBIOSName, FirstSerial: 1,
		LastSerial: lastSerial(t, c), States: l.states, Lost: slices.Clone(l.lost), SetAside: l.setAside}
	pending, err := c.store.Pending()
	if err != nil {
		t.Fatal(err)
	}
	if pending != nil {
		e.Unsettled = append(e.Unsettled, given(pending)...)
	}
	for _, p := range c.line.late {
		if p.tried {
			e.Unsettled = append(e.Unsettled, given(p.report)...)
		} else {
			e.Lost = append(e.Lost, given(p.report)...)
		}
	}
	e.Lost, e.Unsettled = serials.Join(e.Lost), serials.Join(e.Unsettled)
	return e
}

func lastSerial(t testing.TB, c *simulated) uint64 {
	t.Helper()
	return c.fleet.stores.(*memoryStores).get(c.machine.id.Client).LastSerial()
}

func given(r *cache.Report) []serials.Run {
	if r.Last == 0 {
		return nil
	}
	return []serials.Run{{First: r.First, Last: r.Last}}
}

// ledger is what reached the relay of one client.
type ledger struct {
	states   []agenttest.State // by topic
	lost     []serials.Run
	setAside []uint64
}

func (l *ledger) lose(report *cache.Report) { l.lost = append(l.lost, given(report)...) }

// arrive records a report at the relay, but for its damaged record.
func (l *ledger) arrive(report *cache.Report, damage damage) {
	for i := range report.States {
		s := &report.States[i]
		switch {
		case damage.kind == none || damage.index != i:
			l.keep(s)
		case damage.kind == wrongSerial:
			l.lost = append(l.lost, serials.Run{First: s.Serial, Last: s.Serial})
		default:
			l.setAside = append(l.setAside, s.Serial)
		}
	}
}

// keep makes s the topic's current state unless a later one is known. The greater serial is the later; an instant
// message gives way to every numbered one.
func (l *ledger) keep(s *cache.State) {
	at, found := slices.BinarySearchFunc(l.states, topicKey{s.TopicType, s.TopicID},
		func(e agenttest.State, t topicKey) int {
			return topicKey{e.TopicType, e.TopicID}.compare(t)
		})
	next := agenttest.State{TopicType: s.TopicType, TopicID: s.TopicID, StateID: s.StateID, Params: s.Params,
		Serial: s.Serial, Time: s.Time}
	switch {
	case !found:
		l.states = slices.Insert(l.states, at, next)
	case s.Serial >= l.states[at].Serial:
		l.states[at] = next
	}
}
