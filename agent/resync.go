package agent

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"statewire/smx"
)

// answerPriority puts the answer to a resync into the low lane. Many clients answer at about the same time, after an outage of the
// site say, and every one of them sends its whole cache: what just changed must not queue behind what mostly is known.
const answerPriority = 8

// PolicyState is what a client knows of its policy.
type PolicyState struct {
	ETag     string
	Document []byte    // as accepted; nil = none yet
	Accepted time.Time // when it last changed
	// The resync carried out last. A request is new when either is greater: a site restored from backup counts anew.
	Number uint32
	Issued time.Time
}

// fresh tells whether a request was not carried out yet.
func (p *PolicyState) fresh(r *smx.ResyncRequest) bool {
	return r != nil && (r.Number > p.Number || r.Issued.After(p.Issued))
}

// done remembers a request as carried out.
func (p *PolicyState) done(r *smx.ResyncRequest) {
	p.Number = max(p.Number, r.Number)
	if r.Issued.After(p.Issued) {
		p.Issued = r.Issued
	}
}

// Policy implements store.
func (c cabinet) Policy() (p PolicyState, err error) {
	err = c.view(func(s shelf) (err error) {
		p, err = readPolicy(s.get([]byte{keyPolicy}))
		return err
	})
	return p, err
}

// Adopt implements store: keeps a policy and, when it asks for a resync that was not carried out, begins the answer, at once or
// not at all.
func (c cabinet) Adopt(p PolicyState, request *smx.ResyncRequest) (begun bool, err error) {
	err = c.change(func(s shelf, m *meta) error {
		begun = false
		known, err := readPolicy(s.get([]byte{keyPolicy}))
		if err != nil {
			return err
		}
		p.Number, p.Issued = known.Number, known.Issued
		if known.fresh(request) {
			if err := beginAnswer(s, m, request.NextSerial); err != nil {
				return err
			}
			p.done(request)
			begun = true
		}
		return s.put([]byte{keyPolicy}, policyRecord(&p))
	})
	return begun, err
}

// Resend begins an answer that nobody's policy asked for.
func (c cabinet) Resend() error {
	return c.change(func(s shelf, m *meta) error { return beginAnswer(s, m, 0) })
}

// beginAnswer puts the whole cache into line for the answer: what was sent already, and what still waits. The answer begins
// behind the client's own serials and not before next; an answer that is not yet through begins anew.
func beginAnswer(s shelf, m *meta, next uint64) error {
	if next > 0 {
		m.serial = max(m.serial, next-1)
	}
	if m.serial >= smx.MaxSerial {
		return fmt.Errorf("resync from serial %d: serials end at %d", m.serial+1, uint64(smx.MaxSerial))
	}
	m.answering, m.first = true, m.serial+1
	var keys, waiting, places [][]byte
	err := s.ascend([]byte{keyState}, func(key, value []byte) (bool, error) {
		state, err := readState(key, value)
		keys = append(keys, append([]byte(nil), key...))
		waiting, places = append(waiting, waitingKey(&state)), append(places, numberKey(keyAnswer, state.order))
		return true, err
	})
	if err != nil {
		return err
	}
	for i, key := range keys {
		if err := errors.Join(s.delete(waiting[i]), s.put(places[i], key)); err != nil {
			return err
		}
	}
	return nil
}

// packAnswer makes the answer's next report: as much of the cache as one report holds, and behind the last of it the completion.
func packAnswer(s shelf, m *meta, p Packing) (*Report, error) {
	var states []State
	var places [][]byte
	var room load
	whole := true // nothing is left for a further report
	err := s.ascend([]byte{keyAnswer}, func(place, key []byte) (bool, error) {
		record := s.get(key)
		if whole = room.take(record); !whole {
			return false, nil
		}
		state, err := readState(key, record)
		states, places = append(states, state), append(places, append([]byte(nil), place...))
		return true, err
	})
	if err != nil {
		return nil, err
	}
	all := len(states)
	report := &Report{Packed: p.Time, Answer: true, States: states}
	if whole && all < maxReportStates {
		done := p.Completion
		done.Params = []string{strconv.FormatUint(m.first, 10)}
		report.States = append(report.States, done)
	}
	if err := build(report, m.serial, p.Build); err != nil {
		return nil, err
	}
	for i := range min(len(report.States), all) {
		if err := leaveLine(s, m, &report.States[i], places[i]); err != nil {
			return nil, err
		}
	}
	m.serial, m.answering = report.Last, len(report.States) <= all
	return report, s.put(pendingKey(0), reportRecord(report))
}

func policyRecord(p *PolicyState) []byte {
	w := &writer{}
	w.text(p.ETag)
	w.bytes(p.Document)
	w.time(p.Accepted)
	w.number(uint64(p.Number))
	w.time(p.Issued)
	return w.sealed()
}

func readPolicy(record []byte) (PolicyState, error) {
	if record == nil {
		return PolicyState{}, nil
	}
	r := openRecord(record)
	p := PolicyState{ETag: r.text(), Document: append([]byte(nil), r.bytes()...), Accepted: r.time(), Number: uint32(r.number()), Issued: r.time()}
	return p, r.done()
}
