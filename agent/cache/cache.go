// Package cache is what a client keeps: the latest state of every topic, the serials, the report under way and what
// became of those before it. Every call is one transaction: all of it is kept, or nothing. A serial is never given
// twice.
package cache

import (
	"errors"
	"fmt"

	"statewire/smx"
)

const (
	// maxReportStates bounds a report's messages: what a relay takes.
	maxReportStates = smx.MaxMessages
	// maxReportBytes bounds a report's XML, a little below what a relay takes.
	maxReportBytes = smx.MaxReportBytes - 64<<10
	// maxTopics and maxCacheBytes bound what a client holds.
	maxTopics     = 100_000
	maxCacheBytes = 128 << 20
	// maxDeadLetters and maxDeadBytes bound the refused states that are kept to be looked at.
	maxDeadLetters = 100
	maxDeadBytes   = 16 << 20
)

// ErrFull is what raising a state of a new topic ends with when the store has reached its bound.
var ErrFull = errors.New("the store is full")

// records is one client's records within one transaction, by key. A value is valid until the transaction ends; nobody
// changes it.
type records interface {
	get(key []byte) []byte // nil when there is none
	put(key, value []byte) error
	delete(key []byte) error
	// ascend calls fn for the keys with a prefix, in order, until fn returns false or an error. fn changes nothing.
	ascend(prefix []byte, fn func(key, value []byte) (bool, error)) error
}

// engine runs transactions on one client's records: all of an update is kept, or nothing. It may call an update more
// than once.
type engine interface {
	view(fn func(records) error) error
	update(fn func(records) error) error
}

// store is what a client keeps, on any engine: the cache of the latest state per topic, the serials, the report under
// way, the policy, dead letters and what was sent. It is safe for concurrent use.
type store struct {
	engine
	sentKept uint64 // bounds the list of what was sent
}

// change runs fn with the client's meta in one transaction, and keeps the meta that fn leaves.
func (c store) change(fn func(s records, m *meta) error) error {
	return c.update(func(s records) error {
		m, err := readMeta(s.get([]byte{keyMeta}))
		if err != nil {
			return err
		}
		was := m
		if err := fn(s, &m); err != nil || m == was {
			return err
		}
		return s.put([]byte{keyMeta}, m.record())
	})
}

func (c store) look(fn func(s records, m meta) error) error {
	return c.view(func(s records) error {
		m, err := readMeta(s.get([]byte{keyMeta}))
		if err != nil {
			return err
		}
		return fn(s, m)
	})
}

// Put implements agent.Store.
func (c store) Put(states ...State) error {
	return c.change(func(s records, m *meta) error {
		for i := range states {
			if err := putState(s, m, states[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// putState makes a state the latest of its topic. One that waits for the answer to a resync is replaced in its place.
func putState(s records, m *meta, state State) error {
	key, before := stateKey(&state), m.bytes
	m.raised++
	state.Serial, state.order = 0, m.raised
	at := waitingKey(&state)
	held := s.get(key)
	if held == nil {
		m.topics++
		if m.topics > maxTopics {
			return fmt.Errorf("%w: it holds %d topics, its bound; states of known topics are still taken",
				ErrFull, maxTopics)
		}
	} else {
		old, err := readState(key, held)
		if err != nil {
			return err
		}
		if s.get(numberKey(keyAnswer, old.order)) != nil {
			at = numberKey(keyAnswer, state.order)
		}
		if err := errors.Join(s.delete(waitingKey(&old)), s.delete(numberKey(keyAnswer, old.order))); err != nil {
			return err
		}
		m.bytes -= uint64(len(key) + len(held))
	}
	record := stateRecord(&state)
	m.bytes += uint64(len(key) + len(record))
	if m.bytes > max(maxCacheBytes, before) {
		return fmt.Errorf("%w: its states take %d MiB, its bound; raise states with less details", ErrFull, maxCacheBytes>>20)
	}
	return errors.Join(s.put(key, record), s.put(at, key))
}

// Pending implements agent.Store.
func (c store) Pending() (report *Report, err error) {
	err = c.view(func(s records) (err error) {
		report, err = firstPending(s)
		return err
	})
	return report, err
}

func firstPending(s records) (report *Report, err error) {
	err = s.ascend([]byte{keyPending}, func(key, value []byte) (more bool, err error) {
		report, err = readReport(key, value)
		return false, err
	})
	return report, err
}

func forget(s records, m *meta, key []byte) error {
	m.topics--
	m.bytes -= uint64(len(key) + len(s.get(key)))
	return s.delete(key)
}

// Continue makes the next serial at least last+1: what the site has seen of this client. The place for it is the answer
// to the client's own enrolment, which is asked of a site whose certificate was checked before anything is sent: there,
// and only there, any distance is believed, for a machine that was set up anew knows no serial of its own. Whatever
// comes later, in a policy, is measured by what the client gave out (jumps).
func (c store) Continue(last uint64) error {
	return c.change(func(_ records, m *meta) error {
		m.serial = max(m.serial, last)
		return nil
	})
}
