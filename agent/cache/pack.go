package cache

import (
	"errors"
	"time"

	"statewire/smx"
)

// Packing says how a report is made.
type Packing struct {
	Build func(*Report) []byte        // the XML of a report's numbered states
	Allow func(topicType uint32) bool // false holds a topic's states back; nil allows all
	// Completion is "resync complete" without serial and parameters, for the end of an answer.
	Completion State
	Time       time.Time
}

// Pack implements agent.Store: the most urgent waiting states of one priority in the order they were raised; and when
// none of those waits, the answer to a resync.
func (c store) Pack(p Packing) (report *Report, err error) {
	if ready, err := c.ready(p.Allow); err != nil || !ready {
		return nil, err
	}
	err = c.change(func(s records, m *meta) error {
		report = nil
		if under, err := firstPending(s); err != nil || under != nil {
			return errors.Join(err, errors.New("a report is under way already"))
		}
		states, places, held, err := urgent(s, p.Allow, smx.MaxSerial-min(m.serial, smx.MaxSerial))
		switch {
		case err != nil:
			return err
		case len(states) == 0 && m.answering:
			report, err = packAnswer(s, m, p)
			return err
		case len(states) == 0 && held:
			return ErrUsedUp
		case len(states) == 0:
			return nil
		}
		report, err = pack(s, m, p, states, places)
		return err
	})
	return report, err
}

// ready tells, without writing, whether there is something to pack.
func (c store) ready(allow func(uint32) bool) (ready bool, err error) {
	err = c.look(func(s records, m meta) error {
		ready = m.answering
		return s.ascend([]byte{keyWaiting}, func(_, key []byte) (bool, error) {
			ready = ready || allow == nil || allow(keyTopicType(key))
			return !ready, nil
		})
	})
	return ready, err
}

// urgent is what goes into the next report, and where in the waiting line it stands. serials are left; held says that
// states stay behind because there are no more.
func urgent(s records, allow func(uint32) bool, serials uint64) (
	states []State, places [][]byte, held bool, err error,
) {
	var room load
	err = s.ascend([]byte{keyWaiting}, func(place, key []byte) (bool, error) {
		if allow != nil && !allow(keyTopicType(key)) {
			return true, nil
		}
		record := s.get(key)
		if key[0] == keyState && serials == 0 {
			held = true
			return true, nil
		}
		if !room.take(record) {
			return false, nil
		}
		state, err := readState(key, record)
		if err != nil || len(states) > 0 && state.Priority != states[0].Priority {
			return false, err
		}
		if !state.Instant {
			serials--
		}
		states, places = append(states, state), append(places, append([]byte(nil), place...))
		return true, nil
	})
	return states, places, held, err
}

// load is what was taken in for one report. A state takes no less room in XML than in its record: what goes beyond the
// bounds here has no place in the report, and a cache of hundreds of megabytes is never in memory whole.
type load struct{ states, bytes int }

// take says whether the state with this record may still be in the report; the first one always may.
func (l *load) take(record []byte) bool {
	if l.states > 0 && (l.states == maxReportStates || l.bytes+len(record) > maxReportBytes) {
		return false
	}
	l.states, l.bytes = l.states+1, l.bytes+len(record)
	return true
}

// pack numbers states, as many as one report holds, and makes the report the one under way.
func pack(s records, m *meta, p Packing, states []State, places [][]byte) (*Report, error) {
	report := &Report{Packed: p.Time, States: states}
	if err := build(report, m.serial, p.Build); err != nil {
		return nil, err
	}
	for i := range report.States {
		if err := leaveLine(s, m, &report.States[i], places[i]); err != nil {
			return nil, err
		}
	}
	m.serial = max(m.serial, report.Last)
	return report, s.put(pendingKey(0), reportRecord(report))
}

// leaveLine takes a state that is now in a report out of those that wait. An instant one is forgotten here: the report
// has it.
func leaveLine(s records, m *meta, state *State, place []byte) error {
	if err := s.delete(place); err != nil {
		return err
	}
	key := stateKey(state)
	if !state.Instant {
		old := len(s.get(key))
		record := stateRecord(state)
		m.bytes += uint64(len(record)) - uint64(old)
		return s.put(key, record)
	}
	return forget(s, m, key)
}

// build numbers the report's states after a serial and encodes them, leaving off from the end what is too much for one
// report.
func build(report *Report, last uint64, encode func(*Report) []byte) error {
	for {
		serial := last
		report.First, report.Last = 0, 0
		for i := range report.States {
			state := &report.States[i]
			if state.Instant {
				continue
			}
			serial++
			state.Serial = serial
			if report.First == 0 {
				report.First = serial
			}
			report.Last = serial
		}
		if serial > smx.MaxSerial {
			return ErrUsedUp
		}
		report.Body = encode(report)
		if len(report.Body) <= maxReportBytes || len(report.States) == 1 {
			return nil
		}
		report.States = report.States[:(len(report.States)+1)/2]
	}
}

// Halve implements agent.Store.
func (c store) Halve(encode func(*Report) []byte) error {
	return c.update(func(s records) error {
		report, err := firstPending(s)
		if err != nil || report == nil || len(report.States) < 2 {
			return errors.Join(err, errors.New("no report of several states is under way"))
		}
		middle := (len(report.States) + 1) / 2
		for _, half := range []*Report{
			{States: report.States[:middle], at: report.at},
			{States: report.States[middle:], at: report.at + uint32(middle)},
		} {
			half.Packed, half.Answer = report.Packed, report.Answer
			half.Body = encode(half)
			for i := range half.States {
				serial := half.States[i].Serial
				if half.First == 0 {
					half.First = serial
				}
				half.Last = max(half.Last, serial)
			}
			if err := s.put(pendingKey(half.at), reportRecord(half)); err != nil {
				return err
			}
		}
		return nil
	})
}
