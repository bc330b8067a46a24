package cache

import (
	"errors"
	"time"
)

// Outcome is how a report ended. Its numbers are on disk.
type Outcome uint8

// The outcomes of a report.
const (
	Accepted  Outcome = 1 // the relay has it
	Refused   Outcome = 2 // the relay will never take it
	Unsettled Outcome = 3 // it is under way
)

// DeadLetter is a state the relay refused for good.
type DeadLetter struct {
	State State
	End   Settlement
}

// Sent is one message that was in a report which ended.
type Sent struct {
	Serial    uint64 // 0 for an instant state
	TopicType uint32
	TopicID   string
	StateID   uint32
	Time      time.Time // the message's own
	Raised    time.Time // when the client took it in
	Packed    time.Time // when it got its serial
	Sent      time.Time // when the relay had answered; zero while it has not
	Outcome   Outcome
	Receipt   string
	File      string // at the relay
	Code      string // of a refusal
}

// Settle implements agent.Store.
func (c store) Settle(end Settlement) error {
	return c.change(func(s records, m *meta) error {
		report, err := firstPending(s)
		if err != nil || report == nil {
			return errors.Join(err, errors.New("no report is under way"))
		}
		if err := s.delete(pendingKey(report.at)); err != nil {
			return err
		}
		if end.Outcome == Accepted {
			m.lastSent = end.Time
		}
		for i := range report.States {
			if err := c.settleState(s, m, report, &report.States[i], end); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c store) settleState(s records, m *meta, report *Report, state *State, end Settlement) error {
	if end.Outcome == Refused {
		letter := deadRecord(&DeadLetter{State: *state, End: end})
		if err := m.dead.add(s, keyDead, letter, maxDeadLetters, maxDeadBytes); err != nil {
			return err
		}
		if !end.Whole {
			if err := evict(s, m, state); err != nil {
				return err
			}
		}
	}
	if c.sentKept == 0 {
		return nil
	}
	return m.sent.add(s, keySent, sentRecord(sentOf(report, state, end)), c.sentKept, 1<<62)
}

// evict takes a refused state out of the cache, unless a later one has replaced it there: the answer to a resync must
// not bring again what no relay takes.
func evict(s records, m *meta, state *State) error {
	key := stateKey(state)
	record := s.get(key)
	if record == nil {
		return nil
	}
	latest, err := readState(key, record)
	if err != nil || latest.order != state.order {
		return err
	}
	return errors.Join(s.delete(waitingKey(state)), s.delete(numberKey(keyAnswer, state.order)), forget(s, m, key))
}

// add appends a record to the list and drops the oldest ones beyond its bounds.
func (r *ring) add(s records, kind byte, record []byte, most, mostBytes uint64) error {
	if err := s.put(numberKey(kind, r.next), record); err != nil {
		return err
	}
	r.next++
	r.count++
	r.bytes += uint64(len(record))
	for r.count > 1 && (r.count > most || r.bytes > mostBytes) {
		oldest := numberKey(kind, r.next-r.count)
		r.bytes -= uint64(len(s.get(oldest)))
		r.count--
		if err := s.delete(oldest); err != nil {
			return err
		}
	}
	return nil
}

// DeadLetters returns the refused states, oldest first; only the latest are kept.
func (c store) DeadLetters() (letters []DeadLetter, err error) {
	err = c.view(func(s records) error {
		letters = nil
		return s.ascend([]byte{keyDead}, func(_, value []byte) (bool, error) {
			letter, err := readDead(value)
			letters = append(letters, letter)
			return true, err
		})
	})
	return letters, err
}

// Sent returns what was sent, oldest first, and then what is under way; only the latest messages are kept.
func (c store) Sent() (sent []Sent, err error) {
	err = c.view(func(s records) error {
		sent = nil
		if err := s.ascend([]byte{keySent}, func(_, value []byte) (bool, error) {
			one, err := readSent(value)
			sent = append(sent, one)
			return true, err
		}); err != nil {
			return err
		}
		return s.ascend([]byte{keyPending}, func(key, value []byte) (bool, error) {
			report, err := readReport(key, value)
			if err != nil {
				return false, err
			}
			for i := range report.States {
				sent = append(sent, sentOf(report, &report.States[i], Settlement{Outcome: Unsettled}))
			}
			return true, nil
		})
	})
	return sent, err
}

func sentOf(report *Report, s *State, end Settlement) Sent {
	return Sent{
		Serial: s.Serial, TopicType: s.TopicType, TopicID: s.TopicID, StateID: s.StateID, Time: s.Time, Raised: s.Raised,
		Packed: report.Packed, Sent: end.Time, Outcome: end.Outcome, Receipt: end.Receipt, File: end.File, Code: end.Code,
	}
}

func sentRecord(e Sent) []byte {
	w := &writer{}
	w.number(e.Serial)
	w.number(uint64(e.TopicType))
	w.text(e.TopicID)
	w.number(uint64(e.StateID))
	w.time(e.Time)
	w.time(e.Raised)
	w.time(e.Packed)
	w.time(e.Sent)
	w.number(uint64(e.Outcome))
	w.text(e.Receipt)
	w.text(e.File)
	w.text(e.Code)
	return w.sealed()
}

func readSent(record []byte) (Sent, error) {
	r := openRecord(record)
	e := Sent{
		Serial: r.number(), TopicType: uint32(r.number()), TopicID: r.text(), StateID: uint32(r.number()),
		Time: r.time(), Raised: r.time(), Packed: r.time(), Sent: r.time(), Outcome: Outcome(r.number()),
		Receipt: r.text(), File: r.text(), Code: r.text(),
	}
	return e, r.done()
}

func deadRecord(d *DeadLetter) []byte {
	w := &writer{}
	w.wholeState(&d.State)
	w.number(uint64(d.End.Outcome))
	w.text(d.End.Code)
	w.text(d.End.Detail)
	w.time(d.End.Time)
	return w.sealed()
}

func readDead(record []byte) (DeadLetter, error) {
	r := openRecord(record)
	d := DeadLetter{State: r.wholeState()}
	d.End = Settlement{Outcome: Outcome(r.number()), Code: r.text(), Detail: r.text(), Time: r.time()}
	return d, r.done()
}
