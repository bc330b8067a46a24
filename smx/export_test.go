package smx

import (
	"errors"
	"time"
)

// What the tests see beyond what the package exports.
const (
	DeclarationUTF8 = declarationUTF8
	IndexStart      = indexStart
)

// Framed says whether the document that was decoded last was a relay-written file.
func Framed(d *Decoder) bool { return d.framed }

// ParseTime reads a CIM datetime as the decoder does.
func ParseTime(s string) (time.Time, error) {
	var days dayCache
	us, ok := days.parse([]byte(s))
	if !ok {
		return time.Time{}, errors.New("no CIM datetime")
	}
	return time.UnixMicro(us).UTC(), nil
}
