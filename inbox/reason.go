package inbox

import (
	"encoding/json"
	"time"
)

// Reason says why a file or some records of a report were set aside; it lies beside them as NAME.reason.json. Of
// records, the place is that of the first.
type Reason struct {
	Time   time.Time `json:"time"`
	Code   string    `json:"code"`
	Reason string    `json:"reason"`
	Line   int       `json:"line"`
	Column int       `json:"column"`

	// Where it came from, as far as that is known.
	Client string `json:"client,omitempty"` // whose report it is
	// the name it had where it waited; of records the file's they arrived in
	File     string    `json:"file,omitempty"`
	Size     int64     `json:"size,omitempty"`     // bytes of the file that was found bad
	MTime    int64     `json:"mtime_ns,omitempty"` // when they were last written, in nanoseconds since 1970; 0 for records
	Report   int       `json:"report,omitempty"`   // its place in that file, from 1
	Received time.Time `json:"received,omitzero"`  // when it arrived
	Receipt  string    `json:"receipt,omitempty"`  // the relay's
	Records  []Record  `json:"records,omitempty"`  // each set-aside record; empty for what was set aside whole
}

// Record is one set-aside record.
type Record struct {
	Record int     `json:"record"`           // its place in the report, from 1
	Serial *uint64 `json:"serial,omitempty"` // where readable
	Code   string  `json:"code"`
	Reason string  `json:"reason"`
	Line   int     `json:"line"`
	Column int     `json:"column"`
}

func (r Reason) encode() []byte {
	r.Time, r.Received = r.Time.UTC(), r.Received.UTC()
	data, _ := json.MarshalIndent(r, "", "  ") // strings and numbers always encode
	return append(data, '\n')
}
