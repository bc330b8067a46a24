package cache

import (
	"encoding/binary"
	"time"

	"statewire/smx"
)

// Summary is what a store holds, in numbers.
type Summary struct {
	LastSerial   uint64 // the last one given
	States       uint32 // in the cache
	Digest       uint64 // smx.StateDigest over them
	Unsent       uint32 // states that wait for a report or lie in one the relay has not taken
	OldestUnsent time.Time
	LastSent     time.Time // when the relay last took a report
	DeadLetters  int
	Answering    bool // the answer to a resync is not all at the relay yet
	Declined     Declined
}

// Place is where a state stands on its way.
type Place uint8

// The places of Held.
const (
	Waits    Place = iota // for a report
	UnderWay              // in a report that the relay has not taken yet
	AtRelay               // the relay has it
)

func (p Place) String() string { return [...]string{"waiting", "under way", "sent"}[p] }

// Held is one state of the cache, or an instant one that waits.
type Held struct {
	State
	Place Place
}

// Held returns the latest state of every topic of the given types, of all types when none is given, by topic type and
// id.
func (c store) Held(topicTypes ...uint32) (held []Held, err error) {
	err = c.view(func(s records) error {
		held = nil
		under, err := underWay(s)
		if err != nil {
			return err
		}
		for _, prefix := range heldPrefixes(topicTypes) {
			err := s.ascend(prefix, func(key, value []byte) (bool, error) {
				state, err := readState(key, value)
				held = append(held, Held{State: state, Place: place(s, &state, under)})
				return true, err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return held, err
}

// heldPrefixes are what the keys of states of these topic types begin with.
func heldPrefixes(topicTypes []uint32) (prefixes [][]byte) {
	for _, kind := range []byte{keyState, keyInstant} {
		if len(topicTypes) == 0 {
			prefixes = append(prefixes, []byte{kind})
		}
		for _, t := range topicTypes {
			prefixes = append(prefixes, binary.BigEndian.AppendUint32([]byte{kind}, t))
		}
	}
	return prefixes
}

func place(s records, state *State, under map[uint64]bool) Place {
	switch {
	case s.get(waitingKey(state)) != nil, s.get(numberKey(keyAnswer, state.order)) != nil:
		return Waits
	case under[state.order]:
		return UnderWay
	}
	return AtRelay
}

// underWay is the states in reports under way, by their order.
func underWay(s records) (map[uint64]bool, error) {
	under := map[uint64]bool{}
	err := s.ascend([]byte{keyPending}, func(key, value []byte) (bool, error) {
		report, err := readReport(key, value)
		if err != nil {
			return false, err
		}
		for i := range report.States {
			under[report.States[i].order] = true
		}
		return true, nil
	})
	return under, err
}

// Summary implements agent.Store.
func (c store) Summary() (sum Summary, err error) {
	err = c.look(func(s records, m meta) error {
		sum = Summary{LastSerial: m.serial, LastSent: m.lastSent, DeadLetters: int(m.dead.count), Answering: m.answering}
		var err error
		if sum.Declined, err = readDeclined(s, m); err != nil {
			return err
		}
		if err := s.ascend([]byte{keyState}, func(key, value []byte) (bool, error) {
			state, err := readState(key, value)
			sum.States++
			sum.Digest = smx.StateDigest(sum.Digest, smx.PayloadHash(&state.Message))
			return true, err
		}); err != nil {
			return err
		}
		if m.answering {
			sum.Unsent++ // the completion
		}
		return sum.unsent(s)
	})
	return sum, err
}

// unsent adds what waits and what is under way.
func (sum *Summary) unsent(s records) error {
	for _, kind := range []byte{keyWaiting, keyAnswer} {
		err := s.ascend([]byte{kind}, func(_, key []byte) (bool, error) {
			state, err := readState(key, s.get(key))
			sum.add(&state)
			return true, err
		})
		if err != nil {
			return err
		}
	}
	return s.ascend([]byte{keyPending}, func(key, value []byte) (bool, error) {
		report, err := readReport(key, value)
		if err != nil {
			return false, err
		}
		sum.Answering = sum.Answering || report.Answer
		for i := range report.States {
			sum.add(&report.States[i])
		}
		return true, nil
	})
}

func (sum *Summary) add(state *State) {
	sum.Unsent++
	if sum.OldestUnsent.IsZero() || state.Raised.Before(sum.OldestUnsent) {
		sum.OldestUnsent = state.Raised
	}
}
