package smx

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// payload is what makes two messages of one serial the same: time, topic, state,
// parameters and details, and nothing else that a message may carry.
type payload struct {
	time      int64 // the instant as sent, µs since 1970, not clamped
	topicType uint32
	stateID   uint32
	texts     [4][]byte // user, user SID: kept, not hashed; topic id, details
}

// Of a payload's texts the first keptTexts are no part of the hash.
const keptTexts = 2

// payloadFixed is the length of the numbers: the instant, topic type, state id
// and the number of parameters.
const payloadFixed = 8 + 3*4

// size is the length of the layout without parameters.
func (p *payload) size() int {
	n := payloadFixed + 4*len(p.texts)
	for _, t := range p.texts {
		n += len(t)
	}
	return n
}

// payloadWriter lays a payload out in bytes: numbers little-endian, each text
// behind its length. The layout is fixed for ever: stored hashes depend on it.
type payloadWriter struct {
	buf  []byte // of the whole layout's length
	from int    // where what is hashed begins
	at   int
}

// begin writes everything but the parameters and returns the texts as strings
// that share buf's memory.
func (w *payloadWriter) begin(p *payload, params int) (texts [4]string) {
	for i := range keptTexts {
		texts[i] = w.text(p.texts[i])
	}
	w.from = w.at
	b := w.buf[w.from : w.from+payloadFixed]
	binary.LittleEndian.PutUint64(b, uint64(p.time))
	binary.LittleEndian.PutUint32(b[8:], p.topicType)
	binary.LittleEndian.PutUint32(b[12:], p.stateID)
	binary.LittleEndian.PutUint32(b[16:], uint32(params))
	w.at += payloadFixed
	for i := keptTexts; i < len(p.texts); i++ {
		texts[i] = w.text(p.texts[i])
	}
	return texts
}

// text writes a text and returns it as a string that shares buf's memory.
func (w *payloadWriter) text(t []byte) string {
	binary.LittleEndian.PutUint32(w.buf[w.at:], uint32(len(t)))
	from := w.at + 4
	w.at = from + copy(w.buf[from:], t)
	return text(w.buf[from:w.at])
}

func (w *payloadWriter) sum() uint64 { return xxhash.Sum64(w.buf[w.from:w.at]) }

// PayloadHash identifies what a message says: two copies of a message have
// the same hash whatever file, spelling or encoding brought them. Its serial
// is no part of it. The byte layout is fixed for ever, see docs/smx-format.md.
//
// The hash in a Batch is of the time as sent; a row whose time was clamped
// gives another one here.
func PayloadHash(m *Message) uint64 {
	p := payload{
		time: m.Time.UnixMicro(), topicType: m.TopicType, stateID: m.StateID,
		texts: [4][]byte{[]byte(m.User), []byte(m.UserSID), []byte(m.TopicID), []byte(m.Details)},
	}
	size := p.size()
	for _, param := range m.Params {
		size += 4 + len(param)
	}
	w := payloadWriter{buf: make([]byte, size)}
	w.begin(&p, len(m.Params))
	for _, param := range m.Params {
		w.text([]byte(param))
	}
	return w.sum()
}
