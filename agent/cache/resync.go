package cache

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"statewire/smx"
	"statewire/smx/policy"
)

// PolicyState is what a client knows of its policy.
type PolicyState struct {
	ETag     string
	Document []byte    // as accepted; nil = none yet
	Accepted time.Time // when it last changed
	// The greatest number and time of the resyncs carried out.
	Number uint32
	Issued time.Time

	requests []request // those carried out lately, the latest last; nil in a store of an earlier version
}

// request is what tells one request for a resync from another: a site restored from backup counts anew.
type request struct {
	number uint32
	issued time.Time
}

// requestsKept is how many requests a client remembers: an old copy of a policy at another relay is no new one.
const requestsKept = 64

// Fresh tells whether a request was not carried out yet. It need not be a later one: one lie with the greatest number,
// or from the end of time, would make the client deaf to all that follow.
func (p *PolicyState) Fresh(r *policy.Resync) bool {
	switch {
	case r == nil:
		return false
	case p.requests == nil:
		return r.Number > p.Number || r.Issued.After(p.Issued)
	}
	return !slices.Contains(p.requests, request{r.Number, r.Issued.UTC()})
}

// done remembers a request as carried out.
func (p *PolicyState) done(r *policy.Resync) {
	if p.requests == nil && p.Number > 0 {
		p.requests = []request{{p.Number, p.Issued}}
	}
	p.requests = append(p.requests, request{r.Number, r.Issued.UTC()})
	p.requests = p.requests[max(0, len(p.requests)-requestsKept):]
	p.Number = max(p.Number, r.Number)
	if r.Issued.After(p.Issued) {
		p.Issued = r.Issued
	}
}

// Policy implements agent.Store.
func (c store) Policy() (p PolicyState, err error) {
	err = c.view(func(s records) (err error) {
		p, err = keptPolicy(s)
		return err
	})
	return p, err
}

// keptPolicy is what a client knows of its policy.
func keptPolicy(s records) (PolicyState, error) {
	p, err := readPolicy(s.get([]byte{keyPolicy}))
	if err != nil {
		return p, err
	}
	p.requests, err = readRequests(s.get([]byte{keyRequests}))
	return p, err
}

// Adopt implements agent.Store: keeps a policy and, when it asks for a resync that was not carried out, begins the
// answer, at once or not at all.
func (c store) Adopt(p PolicyState, request *policy.Resync) (begun bool, err error) {
	err = c.change(func(s records, m *meta) error {
		begun = false
		known, err := keptPolicy(s)
		if err != nil {
			return err
		}
		p.Number, p.Issued, p.requests = known.Number, known.Issued, known.requests
		if known.Fresh(request) {
			if begun, err = answer(s, m, request, p.Accepted); err != nil {
				return err
			}
			p.done(request)
			if err := s.put([]byte{keyRequests}, requestsRecord(p.requests)); err != nil {
				return err
			}
		}
		return s.put([]byte{keyPolicy}, policyRecord(&p))
	})
	return begun, err
}

// answer begins the answer to a request, unless the client has no serials left for one. A serial to continue from that
// jumps, and that no person accepted, is declined: the answer then begins behind the client's own serials, so that what
// was lost is repaired all the same.
func answer(s records, m *meta, request *policy.Resync, at time.Time) (begun bool, err error) {
	declined := Declined{}
	if request.NextSerial > smx.MaxSerial || jumps(request.NextSerial, m.serial) && !request.Accepted {
		declined = Declined{NextSerial: request.NextSerial, Number: request.Number, Time: at}
	} else {
		m.serial = max(m.serial, request.NextSerial-1)
	}
	err = errors.Join(keepDeclined(s, declined), beginAnswer(s, m))
	if errors.Is(err, ErrUsedUp) {
		return false, nil
	}
	return err == nil, err
}

// Resend begins an answer that nobody's policy asked for.
func (c store) Resend() error {
	return c.change(func(s records, m *meta) error { return beginAnswer(s, m) })
}

// beginAnswer puts the whole cache into line for the answer: what was sent already, and what still waits. The answer
// begins behind the client's own serials; an answer that is not yet through begins anew.
func beginAnswer(s records, m *meta) error {
	if m.serial >= smx.MaxSerial {
		return ErrUsedUp
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

// packAnswer makes the answer's next report: as much of the cache as one report holds, and behind the last of it the
// completion.
func packAnswer(s records, m *meta, p Packing) (*Report, error) {
	var states []State
	var places [][]byte
	var room load
	left := smx.MaxSerial - min(m.serial, smx.MaxSerial)
	if left == 0 {
		return nil, ErrUsedUp
	}
	whole := true // nothing is left for a further report
	err := s.ascend([]byte{keyAnswer}, func(place, key []byte) (bool, error) {
		record := s.get(key)
		whole = room.take(record) && uint64(len(states)) < left
		if !whole {
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
	if whole && all < maxReportStates && uint64(all) < left {
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
	p := PolicyState{ETag: r.text(), Document: append([]byte(nil), r.bytes()...), Accepted: r.time(),
		Number: uint32(r.number()), Issued: r.time()}
	return p, r.done()
}

func requestsRecord(all []request) []byte {
	w := &writer{}
	w.number(uint64(len(all)))
	for _, r := range all {
		w.number(uint64(r.number))
		w.time(r.issued)
	}
	return w.sealed()
}

func readRequests(record []byte) ([]request, error) {
	if record == nil {
		return nil, nil
	}
	r := openRecord(record)
	all := make([]request, r.count())
	for i := range all {
		all[i] = request{uint32(r.number()), r.time()}
	}
	return all, r.done()
}
