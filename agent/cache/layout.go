package cache

import (
	"encoding/binary"
	"time"

	"statewire/smx"
)

// A client's records by the first byte of their keys. The layout is version 1 of the store; docs/agent.md lists it.
const (
	keyMeta     = 'm' // meta
	keyState    = 's' // topic → the latest state: the cache
	keyInstant  = 'i' // topic → the latest instant state that waits
	keyWaiting  = 'w' // urgency and order → key of a state that waits for a report
	keyAnswer   = 'a' // order → key of a state that waits for the answer to a resync
	keyPending  = 'p' // place → a report under way
	keyPolicy   = 'y' // PolicyState
	keyDead     = 'd' // number → DeadLetter
	keySent     = 'l' // number → Sent
	keyRequests = 'q' // the requests for a resync carried out lately
	keyDeclined = 'n' // Declined: a serial to continue from that was not taken
	keySession  = 'c' // the last sign-in to the fast channel
	keyTask     = 't' // id of a task → Task
	keyTaskTime = 'v' // TaskTime
	keyPack     = 'k' // id of a pack → the version that was in force last
)

// keyKinds is all of them.
const keyKinds = "msiwapydlnqctvk"

// meta is what a client's store knows beside its messages.
type meta struct {
	serial   uint64 // the last one given
	raised   uint64 // states raised so far
	topics   uint64 // states in the cache and instant states that wait
	bytes    uint64 // of their records
	dead     ring
	sent     ring
	lastSent time.Time
	// The answer to a resync, until its completion is in a report.
	answering bool
	first     uint64 // the answer's first serial
}

// ring is the numbers of a bounded list's records.
type ring struct {
	next  uint64 // number of the next record
	count uint64
	bytes uint64
}

func (w *writer) ring(r ring) { w.number(r.next); w.number(r.count); w.number(r.bytes) }

func (r *reader) ring() ring { return ring{r.number(), r.number(), r.number()} }

func (m *meta) record() []byte {
	w := &writer{}
	w.number(m.serial)
	w.number(m.raised)
	w.number(m.topics)
	w.number(m.bytes)
	w.ring(m.dead)
	w.ring(m.sent)
	w.time(m.lastSent)
	w.flag(m.answering)
	w.number(m.first)
	return w.sealed()
}

func readMeta(record []byte) (meta, error) {
	if record == nil {
		return meta{}, nil
	}
	r := openRecord(record)
	m := meta{serial: r.number(), raised: r.number(), topics: r.number(), bytes: r.number(), dead: r.ring(),
		sent: r.ring(), lastSent: r.time(), answering: r.flag(), first: r.number()}
	return m, r.done()
}

// stateKey is where the latest state of a topic lies.
func stateKey(s *State) []byte {
	kind := byte(keyState)
	if s.Instant {
		kind = keyInstant
	}
	key := binary.BigEndian.AppendUint32([]byte{kind}, s.TopicType)
	return append(key, s.TopicID...)
}

func numberKey(kind byte, n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{kind}, n) }

func pendingKey(at uint32) []byte { return binary.BigEndian.AppendUint32([]byte{keyPending}, at) }

func waitingKey(s *State) []byte {
	return binary.BigEndian.AppendUint64([]byte{keyWaiting, byte(urgency(s.Priority))}, s.order)
}

// keyTopicType is the topic type in a state's key.
func keyTopicType(key []byte) uint32 { return binary.BigEndian.Uint32(key[1:]) }

// urgency orders priorities: none counts as 5, between whose neighbours it stands.
func urgency(priority int8) int {
	if priority < 0 {
		return 11
	}
	return 2 * int(priority)
}

// state writes a state without its topic.
func (w *writer) state(s *State) {
	w.time(s.Time)
	w.number(s.Serial)
	w.number(uint64(s.TopicIDType))
	w.text(s.User)
	w.text(s.UserSID)
	w.number(uint64(s.StateID))
	w.number(uint64(s.Criticality))
	w.signed(int64(s.DetailsType))
	w.text(s.Details)
	w.number(uint64(len(s.Params)))
	for _, p := range s.Params {
		w.text(p)
	}
	w.signed(int64(s.Priority))
	w.marks(s)
	w.time(s.Raised)
	w.number(s.order)
	if s.Title != "" {
		w.text(s.Title)
	}
}

// Marks of a state.
const (
	markInstant = 1 << iota
	markTitle   // a title stands at the end; states of before have none
)

func (w *writer) marks(s *State) {
	marks := uint64(0)
	if s.Instant {
		marks |= markInstant
	}
	if s.Title != "" {
		marks |= markTitle
	}
	w.number(marks)
}

func (r *reader) state(s *State) {
	s.Time, s.Serial, s.TopicIDType = r.time(), r.number(), uint16(r.number())
	s.User, s.UserSID = r.text(), r.text()
	s.StateID, s.Criticality = uint32(r.number()), uint32(r.number())
	s.DetailsType, s.Details = int32(r.signed()), r.text()
	if n := r.count(); n > 0 {
		s.Params = make([]string, n)
		for i := range s.Params {
			s.Params[i] = r.text()
		}
	}
	s.Priority = int8(r.signed())
	marks := r.number()
	s.Instant, s.Raised, s.order = marks&markInstant != 0, r.time(), r.number()
	if marks&markTitle != 0 {
		s.Title = r.text()
	}
}

func (w *writer) wholeState(s *State) { w.number(uint64(s.TopicType)); w.text(s.TopicID); w.state(s) }

func (r *reader) wholeState() (s State) {
	s.TopicType, s.TopicID = uint32(r.number()), r.text()
	r.state(&s)
	return s
}

func stateRecord(s *State) []byte {
	w := &writer{}
	w.state(s)
	return w.sealed()
}

func readState(key, record []byte) (State, error) {
	if len(key) < 5 {
		return State{}, errDamaged
	}
	s := State{Message: smx.Message{TopicType: keyTopicType(key), TopicID: string(key[5:])}}
	r := openRecord(record)
	r.state(&s)
	return s, r.done()
}

func reportRecord(p *Report) []byte {
	w := &writer{b: make([]byte, 0, len(p.Body)+len(p.States)*96+64)}
	w.number(p.First)
	w.number(p.Last)
	w.time(p.Packed)
	w.flag(p.Answer)
	w.number(uint64(len(p.States)))
	for i := range p.States {
		w.wholeState(&p.States[i])
	}
	w.bytes(p.Body)
	return w.sealed()
}

func readReport(key, record []byte) (*Report, error) {
	if len(key) != 5 {
		return nil, errDamaged
	}
	r := openRecord(record)
	p := &Report{First: r.number(), Last: r.number(), Packed: r.time(), Answer: r.flag(),
		at: binary.BigEndian.Uint32(key[1:])}
	p.States = make([]State, r.count())
	for i := range p.States {
		p.States[i] = r.wholeState()
	}
	p.Body = append([]byte(nil), r.bytes()...)
	return p, r.done()
}
