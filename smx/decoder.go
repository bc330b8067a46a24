package smx

import (
	"encoding/binary"
	"time"
)

// Decoder reads reports. It keeps its buffers between calls, so that a warm
// one allocates nothing per message. It must not be used by two goroutines at
// once.
//
// It scans the text itself, once, by position and without building tokens:
// legality of characters follows in a second sweep of wide steps over what is
// still in the cache.
type Decoder struct {
	// Now tells the time for the TimeSuspect flag of bare reports (a message
	// of a relay-written file is held against its received time). Default
	// time.Now.
	Now func() time.Time

	// The document at hand.
	text     []byte // as UTF-8, without byte order mark
	form     form   // how it was spelled
	bom      int
	mismatch bool   // its declaration names another encoding
	checking bool   // Check: no rows
	framed   bool   // a relay-written file
	into     *Batch // nil when checking
	refusal  fault  // why it is refused, once a step returned stop
	legal    int    // the text's characters are checked up to here
	counted  place

	// The element at hand.
	values         [8]value // of its known attributes
	have           uint     // which of them it has
	strange        []value  // names of its other attributes
	attributeCount int

	// Larger things at hand.
	entry   entry
	report  report
	record  record
	params  [MaxParams]value
	numbers int // handed out to records and reports of the file

	// Kept between documents.
	converted []byte // UTF-16 documents as UTF-8
	scratch   []byte // values that had to be decoded
	days      dayCache
	lastNow   int64 // the latest answer of Now, µs
}

// NewDecoder returns a Decoder; its buffers grow with use.
func NewDecoder() *Decoder { return &Decoder{Now: time.Now} }

// Decode appends the messages of one document, a bare report or a
// relay-written file in any accepted encoding, to into. The error is an
// *Error: the document is unusable and into is exactly as before.
func (d *Decoder) Decode(data []byte, into *Batch) error {
	before := into.mark()
	d.begin(into)
	defer d.release()
	if err := d.document(data); err != nil {
		into.rollback(before)
		return err
	}
	return nil
}

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
	// NetBIOSName is that of a refused report.
	NetBIOSName string
}

// Check applies the rules of Decode to one bare report without building rows.
// The error is an *Error. With it come Client and NetBIOSName alone, as far as
// the report named them before its fault.
func (d *Decoder) Check(data []byte) (Checked, error) {
	d.begin(nil)
	defer d.release()
	r := &d.report
	if err := d.document(data); err != nil {
		return Checked{Client: r.row.Client, NetBIOSName: string(d.short(r.netbios))}, err
	}
	return Checked{
		Client:           r.row.Client,
		Priority:         r.row.Priority,
		Messages:         r.messages,
		Bad:              r.row.BadRecords,
		EncodingMismatch: d.mismatch,
		Body:             d.text[r.from:r.to:r.to],
	}, nil
}

func (d *Decoder) begin(into *Batch) {
	d.into, d.checking = into, into == nil
	d.mismatch, d.framed = false, false
	d.legal, d.numbers = 0, 0
	d.report = report{}
	d.counted, d.refusal, d.entry = place{}, fault{}, entry{clients: d.entry.clients[:0]}
}

// maxKept bounds the buffers that a decoder holds on to between documents.
const maxKept = 1 << 20

// release lets go of what belongs to the caller and of extraordinary buffers.
// A Check of UTF-16 still needs the converted text for its Body.
func (d *Decoder) release() {
	d.into, d.text = nil, nil
	if cap(d.scratch) > maxKept {
		d.scratch = nil
	}
	if cap(d.converted) > 4*maxKept {
		d.converted = nil
	}
}

// document reads a whole document; the error is an *Error.
func (d *Decoder) document(data []byte) error {
	if err := d.open(data); err != nil {
		return err
	}
	p := d.root()
	if p != stop {
		p = d.epilogue(p)
	}
	if p == stop {
		return d.refused()
	}
	if !d.characters(len(d.text)) {
		return d.refused()
	}
	return nil
}

// refused is the error for d.refusal, unless the text has an illegal character
// before it: the first fault counts.
func (d *Decoder) refused() error {
	f := d.refusal
	upTo := min(f.at, len(d.text))
	if f.code != CodeTrailing && f.code != CodeNotXML {
		upTo = min(upTo+4, len(d.text)) // the character there, whole
	}
	if i := badCharacter(d.text[min(d.legal, upTo):upTo]); f.code != CodeCharacter && i >= 0 && d.legal+i <= f.at {
		d.legal += i
		d.badCharacterHere()
	}
	e := d.locate(d.refusal, "")
	return &e
}

// characters checks the legality of the text's characters up to a position
// that is no character's middle.
func (d *Decoder) characters(upTo int) bool {
	if i := badCharacter(d.text[d.legal:upTo]); i >= 0 {
		d.legal += i
		d.badCharacterHere()
		return false
	}
	d.legal = upTo
	return true
}

func (d *Decoder) badCharacterHere() {
	d.fail(d.legal, CodeCharacter, "the character that begins with byte 0x%02X (in UTF-8) is none that XML allows",
		d.text[d.legal])
}

// open finds out the document's form and brings it into UTF-8.
func (d *Decoder) open(data []byte) error {
	d.text, d.form, d.bom = nil, formUTF8, 0
	f, bom, code, detail := sniff(data)
	if code != "" {
		return &Error{Code: code, Detail: "line 1, column 1: " + detail, Line: 1, Column: 1}
	}
	d.form, d.bom, d.text = f, bom, data[bom:]
	if f == formUTF8 {
		return d.bounded(len(d.text), MaxFileBytes, MaxReportBytes)
	}
	if err := d.bounded(len(data), 2*MaxFileBytes+2, MaxRawBytes); err != nil {
		return err
	}
	var order binary.ByteOrder = binary.LittleEndian
	if f == formUTF16BE {
		order = binary.BigEndian
	}
	var bad int
	d.converted, bad = appendUTF8(d.converted[:0], data[bom:], order)
	d.text = d.converted
	if bad >= 0 {
		d.fail(len(d.text), CodeUTF16, "the UTF-16 text has an odd length or an unpaired surrogate here")
		e := d.locate(d.refusal, "")
		e.Offset = int64(bom + bad)
		return &e
	}
	return d.bounded(len(d.text), MaxFileBytes, MaxReportBytes)
}

// bounded refuses what is too large before anything looks at it.
func (d *Decoder) bounded(n, ofFile, ofReport int) error {
	limit := ofFile
	if d.checking {
		limit = ofReport
	}
	if n <= limit {
		return nil
	}
	d.fail(0, CodeTooLarge, "%d bytes are more than the %d allowed", n, limit)
	e := d.locate(d.refusal, "")
	return &e
}
