package smx_test

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"

	"statewire/smx"
	"statewire/smx/reference"
)

// testNow is the clock of every decoder in tests that look at suspect times.
var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rows is a batch without what the reference can't know: places and raw bytes.
type rows struct {
	Reports    []smx.ReportRow
	Messages   []smx.Message
	Owner      []int32
	Hash       []uint64
	Flags      []uint8
	Bad        []smx.BadRecord
	BadReports []smx.BadReport
}

func rowsOf(b *smx.Batch) rows {
	r := rows{
		Reports: append([]smx.ReportRow(nil), b.Reports...), Owner: append([]int32(nil), b.Report...),
		Hash: append([]uint64(nil), b.Hash...), Flags: append([]uint8(nil), b.Flags...),
		Bad: append([]smx.BadRecord(nil), b.Bad...), BadReports: append([]smx.BadReport(nil), b.BadReports...),
	}
	for i := range b.Serial {
		m := b.Message(i)
		m.Params = append([]string(nil), m.Params...)
		r.Messages = append(r.Messages, m)
	}
	for i := range r.Bad {
		bad := r.Bad[i]
		r.Bad[i] = smx.BadRecord{Report: bad.Report, Index: bad.Index, Number: bad.Number, Serial: bad.Serial,
			HasSerial: bad.HasSerial, Err: smx.Error{Code: bad.Err.Code}}
	}
	for i := range r.BadReports {
		r.BadReports[i].Err, r.BadReports[i].Raw = smx.Error{}, nil
	}
	return r
}

// agree decodes doc by the decoder and by the reference and fails when they
// differ. It returns the decoder's answer.
func agree(t *testing.T, doc []byte) (*smx.Batch, error) {
	t.Helper()
	var hot, slow smx.Batch
	d := smx.NewDecoder()
	before := bytes.Clone(doc)
	err := d.Decode(doc, &hot)
	relayWritten := smx.Framed(d)
	if !bytes.Equal(before, doc) {
		t.Fatalf("Decode changed its input\n%q", before)
	}
	referenceErr := reference.Decode(doc, &slow)
	if (err == nil) != (referenceErr == nil) {
		t.Fatalf("decoder: %v\nreference: %v\n%q", err, referenceErr, doc)
	}
	if got, want := rowsOf(&hot), rowsOf(&slow); !reflect.DeepEqual(got, want) {
		t.Fatalf("decoder:   %+v\nreference: %+v\n%q", got, want, doc)
	}
	if err != nil {
		if e := err.(*smx.Error); e.Line < 1 || e.Column < 1 || e.Offset < 0 || e.Offset > int64(len(doc)) ||
			e.Code == "" {
			t.Fatalf("error without a place: %+v\n%q", e, doc)
		}
		if hot.Len() != 0 || len(hot.Reports)+len(hot.Params)+len(hot.Bad)+len(hot.BadReports) != 0 {
			t.Fatalf("a refused document left rows\n%q", doc)
		}
	}
	checkAgrees(t, d, doc, &hot, err, relayWritten)
	setAsideLoads(t, d, &hot)
	return &hot, err
}

// checkAgrees holds Check against what Decode did.
func checkAgrees(t *testing.T, d *smx.Decoder, doc []byte, hot *smx.Batch, err error, relayWritten bool) {
	t.Helper()
	checked, checkErr := d.Check(doc)
	if err == nil && relayWritten {
		if checkErr == nil {
			t.Fatalf("Check takes a relay-written file\n%q", doc)
		}
		return
	}
	if err != nil {
		if checkErr == nil {
			t.Fatalf("Check takes what Decode refuses: %v\n%q", err, doc)
		}
		return
	}
	r := hot.Reports[0]
	if checkErr != nil || checked.Client != r.Client || checked.Priority != r.Priority || checked.Bad != r.BadRecords ||
		checked.Messages != r.Messages+r.BadRecords || checked.EncodingMismatch != r.EncodingMismatch {
		t.Fatalf("Check: %+v, %v\nDecode: %+v\n%q", checked, checkErr, r, doc)
	}
	file := smx.AppendFile(nil, []smx.Accepted{{Client: r.Client, Received: testNow, Receipt: "r",
		Messages: checked.Messages, Body: checked.Body}})
	var framed smx.Batch
	if err := d.Decode(file, &framed); err != nil {
		t.Fatalf("the report's relay-written file is refused: %v\n%q", err, file)
	}
	if !slices.Equal(framed.Hash, hot.Hash) || !slices.Equal(framed.Serial, hot.Serial) ||
		framed.Reports[0].Client != r.Client {
		t.Fatalf("the report differs in a relay-written file\n%q", file)
	}
}

// setAsideLoads checks that what is set aside loads by itself, and meets the
// same refusal there.
func setAsideLoads(t *testing.T, d *smx.Decoder, hot *smx.Batch) {
	t.Helper()
	for i := range hot.Bad {
		var alone smx.Batch
		bad := &hot.Bad[i]
		if err := d.Decode(bad.Raw(), &alone); err != nil {
			t.Fatalf("set-aside record: %v\n%q", err, bad.Raw())
		}
		if len(alone.Bad) != 1 || alone.Len() != 0 || alone.Bad[0].Err.Code != bad.Err.Code ||
			alone.Bad[0].Serial != bad.Serial ||
			alone.Reports[0].Client != hot.Reports[bad.Report].Client {
			t.Fatalf("set-aside record differs by itself: %+v, was %+v\n%q", alone.Bad, bad.Err, bad.Raw())
		}
	}
	for i := range hot.BadReports {
		bad := &hot.BadReports[i]
		if err, ok := d.Decode(bad.Raw, &smx.Batch{}).(*smx.Error); !ok || err.Code != bad.Err.Code {
			t.Fatalf("set-aside report: %v, was %v\n%q", err, &bad.Err, bad.Raw)
		}
	}
}
