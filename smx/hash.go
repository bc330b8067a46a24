package smx

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// payload is what a message says, apart from who says it and under which
// serial.
type payload struct {
	time        int64 // the instant as sent, µs since 1970, not clamped
	topicType   uint32
	topicIDType uint16
	stateID     uint32
	criticality uint32
	detailsType int32
	texts       [4][]byte // topic id, user, user SID, details
}

// payloadFixed is the length of the numbers: five of four bytes, the instant
// and the number of parameters.
const payloadFixed = 8 + 5*4 + 4

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
	buf []byte // of the whole layout's length
	at  int
}

// begin writes everything but the parameters and returns the texts as strings
// that share buf's memory.
func (w *payloadWriter) begin(p *payload, params int) (texts [4]string) {
	b := w.buf[:payloadFixed]
	binary.LittleEndian.PutUint64(b, uint64(p.time))
	binary.LittleEndian.PutUint32(b[8:], p.topicType)
	binary.LittleEndian.PutUint32(b[12:], uint32(p.topicIDType))
	binary.LittleEndian.PutUint32(b[16:], p.stateID)
	binary.LittleEndian.PutUint32(b[20:], p.criticality)
	binary.LittleEndian.PutUint32(b[24:], uint32(p.detailsType))
	binary.LittleEndian.PutUint32(b[28:], uint32(params))
	w.at = payloadFixed
	for i := range p.texts {
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

func (w *payloadWriter) sum() uint64 { return xxhash.Sum64(w.buf[:w.at]) }

// PayloadHash identifies what a message says: two copies of a message have
// the same hash whatever file, spelling or encoding brought them. Its serial
// is no part of it. The byte layout is fixed for ever, see docs/smx-format.md.
//
// The hash in a Batch is of the time as sent; a row whose time was clamped
// gives another one here.
func PayloadHash(m *Message) uint64 {
	p := payload{
		time: m.Time.UnixMicro(), topicType: m.TopicType, topicIDType: m.TopicIDType, stateID: m.StateID,
		criticality: m.Criticality, detailsType: m.DetailsType,
		texts: [4][]byte{[]byte(m.TopicID), []byte(m.User), []byte(m.UserSID), []byte(m.Details)},
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
