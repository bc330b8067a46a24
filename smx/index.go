package smx

import (
	"errors"
	"io"
)

// Index is the first element of a relay-written file.
type Index struct {
	// Known is false when the document is no relay-written file (a bare
	// report, or damaged): it may concern any client.
	Known    bool
	Clients  []ClientID // each once
	Reports  int
	Messages int
}

const (
	// indexStart is read at first; it holds the index of 500 clients.
	indexStart = 32 << 10
	// indexSlack is how near to the end of what was read a fault must be for
	// the cut to be its cause.
	indexSlack = 4 << 10
)

var rootWords = elements("Reports")

// ReadIndex reads as much of a file as its index needs: a few kilobytes,
// however large the file. It doesn't look at the reports behind it. The error
// is a reading error of r only.
func ReadIndex(r io.Reader) (Index, error) {
	var d Decoder
	buf := make([]byte, 0, indexStart)
	for {
		n, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return Index{}, err
		}
		index, more := d.readIndex(buf)
		if !more || end || len(buf) > MaxFileBytes {
			return index, nil
		}
		buf = append(make([]byte, 0, 2*cap(buf)), buf...)
	}
}

// readIndex reads the index from the beginning of a file. More tells that what
// comes behind may make it readable.
func (d *Decoder) readIndex(data []byte) (index Index, more bool) {
	d.begin(nil)
	f, bom, code, _ := sniff(data)
	if code != "" || f != formUTF8 {
		return Index{}, false
	}
	d.text, d.form, d.bom = data[bom:], f, bom
	p := d.prologue()
	if p == stop {
		return Index{}, d.cut()
	}
	number, _, to := d.child(p, rootWords)
	if number == other {
		return Index{}, false
	}
	if number != failed {
		p, _ = d.attributes(to, fileAttributes)
	}
	if number == failed || p == stop {
		return Index{}, d.cut()
	}
	if string(d.bytes(d.given(0))) != fileFormat {
		return Index{}, false
	}
	number, from, to := d.child(p, fileWords)
	if number == wordClients {
		p = d.index(from, to)
	}
	switch {
	case number == failed || p == stop:
		return Index{}, d.cut()
	case number != wordClients:
		return Index{}, false
	}
	e := &d.entry
	return Index{Known: true, Clients: e.clients, Reports: e.reports, Messages: e.messages}, false
}

// cut tells whether the fault may come from the text's being cut off.
func (d *Decoder) cut() bool {
	return d.refusal.at+indexSlack >= len(d.text)
}
