package inbox

import (
	"errors"
	"iter"
	"time"
)

// Reason says why a file or record was set aside; it lies beside it as NAME.reason.json.
type Reason struct {
	Time   time.Time `json:"time"`
	Code   string    `json:"code"`
	Reason string    `json:"reason"`
	Line   int       `json:"line"`
	Column int       `json:"column"`
}

// BadFile is one file in corrupt.
type BadFile struct {
	Name   string
	Size   int64
	Record bool   // a record set aside from a file that loaded, not a whole file
	Reason Reason // zero when none lies beside it
}

// BadFiles goes over what lies in corrupt, in no order, without holding it all in memory.
func (d *Dir) BadFiles() iter.Seq2[BadFile, error] { return nil }

// ReadBad returns the bytes of a file in corrupt.
func (d *Dir) ReadBad(name string) ([]byte, error) { return nil, errors.ErrUnsupported }

// Replay moves a file from corrupt back to incoming, under its own name or one close to it, and drops its reason.
func (d *Dir) Replay(name string) (newName string, err error) { return "", errors.ErrUnsupported }
