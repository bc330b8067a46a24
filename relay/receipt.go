package relay

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"time"
)

// newID names one request: its receipt when the report is taken, its request id when it is refused. It begins with the
// time in milliseconds, so that ids sort by it, and is in the form of a UUID of version 7.
func newID() string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(time.Now().UnixMilli())<<16|rand.Uint64()&0xffff)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[:8], id[:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:], id[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// appendReceipt appends the body of a 202. Receipt and file hold nothing that JSON would escape.
func appendReceipt(dst []byte, receipt, file string, messages int) []byte {
	dst = append(dst, `{"receipt":"`...)
	dst = append(dst, receipt...)
	dst = append(dst, `","file":"`...)
	dst = append(dst, file...)
	dst = append(dst, `","messages":`...)
	dst = strconv.AppendInt(dst, int64(messages), 10)
	return append(dst, "}\n"...)
}
