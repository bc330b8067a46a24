package cache

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"time"
)

// errDamaged is what reading a record ends with that is not as it was written.
var errDamaged = errors.New("a record of the store is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// writer lays a record out in bytes: numbers as varints, texts behind their length, a checksum at the end.
type writer struct{ b []byte }

func (w *writer) number(n uint64) { w.b = binary.AppendUvarint(w.b, n) }
func (w *writer) signed(n int64)  { w.b = binary.AppendVarint(w.b, n) }
func (w *writer) text(s string)   { w.number(uint64(len(s))); w.b = append(w.b, s...) }
func (w *writer) bytes(b []byte)  { w.number(uint64(len(b))); w.b = append(w.b, b...) }

func (w *writer) flag(on bool) {
	if on {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

// time keeps the microsecond; a zero time stays one.
func (w *writer) time(t time.Time) {
	if t.IsZero() {
		w.signed(math.MinInt64)
		return
	}
	w.signed(t.UnixMicro())
}

func (w *writer) sealed() []byte {
	return binary.LittleEndian.AppendUint32(w.b, crc32.Checksum(w.b, castagnoli))
}

// reader reads what a writer wrote. After the first fault it reads zeros; done tells.
type reader struct {
	b   []byte
	bad bool
}

func openRecord(record []byte) *reader {
	n := len(record) - 4
	if n < 0 || crc32.Checksum(record[:n], castagnoli) != binary.LittleEndian.Uint32(record[n:]) {
		return &reader{bad: true}
	}
	return &reader{b: record[:n]}
}

func (r *reader) done() error {
	if r.bad || len(r.b) > 0 {
		return errDamaged
	}
	return nil
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) signed() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

// bytes shares the record's memory.
func (r *reader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) text() string { return string(r.bytes()) }

func (r *reader) flag() bool { return r.number() != 0 }

func (r *reader) time() time.Time {
	us := r.signed()
	if us == math.MinInt64 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// count reads how many items follow, each of at least one byte.
func (r *reader) count() int {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return 0
	}
	return int(n)
}
