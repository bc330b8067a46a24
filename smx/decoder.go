package smx

import "time"

// Decoder reads reports. It keeps its buffers between calls, so that a warm
// one allocates nothing per message. It must not be used by two goroutines at
// once.
type Decoder struct {
	// Now tells the time for the TimeSuspect flag of bare reports (a message
	// of a relay-written file is held against its received time). Default
	// time.Now.
	Now func() time.Time
}

// NewDecoder returns a Decoder; its buffers grow with use.
func NewDecoder() *Decoder { return &Decoder{Now: time.Now} }

// Decode appends the messages of one document, a bare report or a
// relay-written file in any accepted encoding, to into. The error is an
// *Error: the document is unusable and into is exactly as before.
func (d *Decoder) Decode(data []byte, into *Batch) error { return nil }

// Checked is what Check found out about a bare report.
type Checked struct {
	Client           ClientID
	Priority         int8 // NoPriority when absent
	Messages         int  // all StateMessage records, set-aside ones included
	Bad              int  // records that the loader will set aside
	EncodingMismatch bool // the declaration named another encoding
	// Body is the report's root element as UTF-8, without byte order mark and
	// declaration, as AppendFile wants it. Valid until data is changed and
	// until the decoder's next call.
	Body []byte
}

// Check applies the rules of Decode to one bare report without building rows.
// The error is an *Error.
func (d *Decoder) Check(data []byte) (Checked, error) { return Checked{}, nil }
