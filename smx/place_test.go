package smx_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"statewire/fixtures"
	"statewire/smx"
)

// Lines and columns count characters of the text as sent, offsets its bytes.
func TestPlaces(t *testing.T) {
	t.Parallel()
	const text = "<Report>\r\n<é>\r日本\U0001F600\n\n <b></c></é></Report>"
	for _, c := range []struct {
		name   string
		doc    []byte
		offset int64
	}{
		{"UTF-8", []byte(text), 31},
		{"UTF-8 with mark", []byte("\xEF\xBB\xBF" + text), 34},
		{"UTF-16", fixtures.UTF16([]byte(text), binary.LittleEndian, true), 50},
	} {
		_, err := agree(t, c.doc)
		if e := err.(*smx.Error); e.Line != 5 || e.Column != 5 || e.Offset != c.offset {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
}

// What a client sends is never quoted whole.
func TestErrorsQuoteLittle(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 5000)
	for _, doc := range [][]byte{
		fixtures.Report(message("1431", long)), fixtures.Report(message(`"500"`, `"`+long+`"`)),
		[]byte("<Report><a></b" + long[:600] + "></Report>"),
		bytes.Replace(fixtures.Report(), []byte(fixtures.Client), []byte(long), 1), []byte("<" + long[:600] + "/>"),
	} {
		var b smx.Batch
		detail := ""
		if err := smx.NewDecoder().Decode(doc, &b); err != nil {
			detail = err.(*smx.Error).Detail
		} else {
			detail = b.Bad[0].Err.Detail
		}
		if detail == "" || len(detail) > 240 {
			t.Errorf("%d bytes: %s", len(detail), detail)
		}
	}
}
