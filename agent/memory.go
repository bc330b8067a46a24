package agent

import (
	"cmp"
	"errors"
	"slices"
	"sync"

	"statewire/smx"
)

const (
	// maxReportStates bounds a report's messages, below what a relay takes.
	maxReportStates = smx.MaxMessages / 2
	// maxReportBytes bounds a report's XML, below what a relay takes.
	maxReportBytes = smx.MaxReportBytes / 2
	// maxDeadLetters bounds the refused reports that are kept to be looked at.
	maxDeadLetters = 16
)

// DeadLetter is a report the relay refused for good.
type DeadLetter struct {
	Report *Report
	End    Settlement
}

// held is the latest state of one topic.
type held struct {
	State
	order   uint64 // of raising
	waiting bool   // not yet in a report
}

// Memory keeps a client's state in memory, for simulated clients and tests: a restart forgets it. It is safe for concurrent use.
type Memory struct {
	// Guarded by mu.
	mu      sync.Mutex
	latest  []*held // sorted by topic
	raised  uint64
	serial  uint64 // the last one given
	pending *Report
	dead    []DeadLetter
}

// NewMemory returns an empty store whose first serial is last+1.
func NewMemory(last uint64) *Memory { return &Memory{serial: last} }

// LastSerial is the last serial given to a message.
func (m *Memory) LastSerial() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.serial
}

// DeadLetters returns the refused reports, oldest first; only the latest few are kept.
func (m *Memory) DeadLetters() []DeadLetter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.dead)
}

// Waiting counts the states that wait for a report.
func (m *Memory) Waiting() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.latest {
		if h.waiting {
			n++
		}
	}
	return n
}

// Put implements store.
func (m *Memory) Put(s State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Serial = 0
	m.raised++
	h := &held{State: s, order: m.raised, waiting: true}
	at, found := m.find(s.topic())
	if found {
		m.latest[at] = h
	} else {
		m.latest = slices.Insert(m.latest, at, h)
	}
	return nil
}

func (m *Memory) find(t topic) (int, bool) {
	return slices.BinarySearchFunc(m.latest, t, func(h *held, t topic) int { return h.topic().compare(t) })
}

// Pending implements store.
func (m *Memory) Pending() (*Report, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pending, nil
}

// Pack implements store: the most urgent waiting states of one priority, in the order they were raised.
func (m *Memory) Pack(build func([]State) []byte) (*Report, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pending != nil {
		return nil, errors.New("a report is under way already")
	}
	waiting := m.urgent()
	if len(waiting) == 0 {
		return nil, nil
	}
	report := m.number(waiting)
	for report.Body = build(report.States); len(report.Body) > maxReportBytes && len(waiting) > 1; report.Body = build(report.States) {
		waiting = waiting[:(len(waiting)+1)/2]
		report = m.number(waiting)
	}
	for i, h := range waiting {
		h.State, h.waiting = report.States[i], false
	}
	m.serial = max(m.serial, report.Last)
	m.pending = report
	return report, nil
}

// urgent is what goes into the next report.
func (m *Memory) urgent() []*held {
	var waiting []*held
	for _, h := range m.latest {
		if h.waiting {
			waiting = append(waiting, h)
		}
	}
	slices.SortFunc(waiting, func(a, b *held) int {
		return cmp.Or(cmp.Compare(urgency(a.Priority), urgency(b.Priority)), cmp.Compare(a.order, b.order))
	})
	for i, h := range waiting {
		if i == maxReportStates || h.Priority != waiting[0].Priority {
			return waiting[:i]
		}
	}
	return waiting
}

// urgency orders priorities: none counts as 5, between whose neighbours it stands.
func urgency(priority int8) int {
	if priority == smx.NoPriority {
		return 11
	}
	return 2 * int(priority)
}

// number gives the states their serials, without taking these from the store.
func (m *Memory) number(waiting []*held) *Report {
	report := &Report{States: make([]State, len(waiting))}
	serial := m.serial
	for i, h := range waiting {
		report.States[i] = h.State
		if h.Instant {
			continue
		}
		serial++
		report.States[i].Serial = serial
		if report.First == 0 {
			report.First = serial
		}
		report.Last = serial
	}
	return report
}

// Settle implements store.
func (m *Memory) Settle(end Settlement) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pending == nil {
		return errors.New("no report is under way")
	}
	if end.Outcome == Refused {
		m.dead = append(m.dead, DeadLetter{Report: m.pending, End: end})
		m.dead = m.dead[max(0, len(m.dead)-maxDeadLetters):]
	}
	m.forgetInstant()
	m.pending = nil
	return nil
}

// forgetInstant drops the instant states of the report under way, unless they were raised anew.
func (m *Memory) forgetInstant() {
	for i := range m.pending.States {
		s := &m.pending.States[i]
		if !s.Instant {
			continue
		}
		if at, found := m.find(s.topic()); found && !m.latest[at].waiting {
			m.latest = slices.Delete(m.latest, at, at+1)
		}
	}
}
