package smx_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"statewire/fixtures"
	"statewire/smx"
)

// A warm decoder allocates nothing for a report, whatever it holds: the
// promise is at most one allocation per message.
func TestAllocations(t *testing.T) {
	pretty := bytes.ReplaceAll(benchReport(10), []byte("><"), []byte(">\n  <!-- c --><"))
	details := fixtures.Report(strings.Repeat(message("<UserParameters",
		`<StateDetails Type="1"><![CDATA[`+strings.Repeat("x", 500)+`]]></StateDetails><UserParameters`, "102",
		"a&amp;b"), 10))
	for _, c := range []struct {
		name string
		doc  []byte
	}{
		{"ordinary", benchReport(10)},
		{"pretty", pretty},
		{"details and references", details},
		{"UTF-16", smx.EncodeUTF16(nil, benchReport(10), false)},
	} {
		d, b := smx.NewDecoder(), &smx.Batch{}
		decode := func() {
			b.Reset()
			if err := d.Decode(c.doc, b); err != nil || b.Len() != 10 {
				t.Fatal(err)
			}
		}
		decode()
		if got := testing.AllocsPerRun(50, decode); got > 0 {
			t.Errorf("%s: Decode makes %v allocations for ten messages", c.name, got)
		}
		check := func() {
			if _, err := d.Check(c.doc); err != nil {
				t.Fatal(err)
			}
		}
		if got := testing.AllocsPerRun(50, check); got > 0 {
			t.Errorf("%s: Check makes %v allocations", c.name, got)
		}
	}
	file := smx.AppendFile(nil, []smx.Accepted{accepted(t, clientN(1), 100), accepted(t, clientN(2), 100)})
	d, b := smx.NewDecoder(), &smx.Batch{}
	if got := testing.AllocsPerRun(20, func() {
		b.Reset()
		if err := d.Decode(file, b); err != nil || b.Len() != 200 {
			t.Fatal(err)
		}
	}); got > 1 {
		t.Errorf("a relay-written file of 200 messages makes %v allocations", got)
	}
}

// Even a cold start stays below one allocation per message.
func TestAllocationsOfAColdStart(t *testing.T) {
	doc := fixtures.Report(strings.Repeat(fixtures.Message, 1000))
	if got := testing.AllocsPerRun(5, func() {
		if err := smx.NewDecoder().Decode(doc, &smx.Batch{}); err != nil {
			t.Fatal(err)
		}
	}); got > 1000 {
		t.Errorf("%v allocations for 1000 messages", got)
	}
}

// Rows outlive the bytes they came from, and a refused document leaves none.
func TestBatchKeepsItsOwnStrings(t *testing.T) {
	t.Parallel()
	first := fixtures.Report(message("102", "first"))
	second := bytes.Replace(fixtures.Report(message("102", strings.Repeat("z", 60_000)), message("1431", "x")),
		[]byte("LAB-01"), []byte("LAB-02"), 1)
	d, b := smx.NewDecoder(), &smx.Batch{}
	for _, doc := range [][]byte{first, second, smx.EncodeUTF16(nil, first, true)} {
		if err := d.Decode(doc, b); err != nil {
			t.Fatal(err)
		}
		kept := rowsOf(b)
		raw := make([][]byte, 0, len(b.Bad))
		for i := range b.Bad {
			raw = append(raw, b.Bad[i].Raw())
		}
		clear(doc)
		if err := d.Decode([]byte("<Report><ReportBody>"+message("102", "junk")), b); err == nil {
			t.Fatal("accepted")
		}
		if _, err := d.Check(smx.EncodeUTF16(nil, fixtures.Report(message("102", "more")), false)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(rowsOf(b), kept) {
			t.Fatalf("rows changed: %+v", rowsOf(b))
		}
		for i := range b.Bad {
			if !bytes.Equal(b.Bad[i].Raw(), raw[i]) {
				t.Errorf("a record set aside changed to %q", b.Bad[i].Raw())
			}
		}
	}
	if b.Len() != 3 || b.Message(0).Params[0] != "first" || len(b.Message(1).Params[0]) != 60_000 ||
		b.Message(2).Params[0] != "first" || b.Report[2] != 2 {
		t.Errorf("%+v", rowsOf(b))
	}
	b.Reset()
	if !reflect.DeepEqual(rowsOf(b), rowsOf(&smx.Batch{})) || b.Len() != 0 {
		t.Errorf("not empty after Reset: %+v", rowsOf(b))
	}
}

// A record set aside repeats its report's header, but not one out of all
// proportion.
func TestRecordSetAsideIsSmall(t *testing.T) {
	t.Parallel()
	doc := fixtures.Report(fixtures.Message, message("1431", "x"), message("1431", "y"))
	b := decodeOne(t, doc)
	want := fixtures.Declaration + "<Report>" + fixtures.Header() + "<ReportBody>" + message("1431",
		"x") + "</ReportBody></Report>"
	if got := string(b.Bad[0].Raw()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	large := bytes.Replace(doc, []byte("</Machine>"), []byte("<Junk>"+strings.Repeat("j", 60_000)+"</Junk></Machine>"),
		1)
	b = decodeOne(t, large)
	if len(b.Bad) != 2 || len(b.Bad[1].Raw()) > 4<<10 {
		t.Errorf("%d bytes for a record of %d", len(b.Bad[1].Raw()), len(message("1431", "y")))
	}
	repaired := bytes.Replace(b.Bad[1].Raw(), []byte(`"y"`), []byte(`"1432"`), 1)
	var again smx.Batch
	if err := smx.NewDecoder().Decode(repaired, &again); err != nil || again.Len() != 1 || again.Serial[0] != 1432 ||
		again.Reports[0].NetBIOSName != "LAB-01" {
		t.Errorf("repaired: %v, %+v", err, again.Reports)
	}
}

func TestCheckGivesTheReportAlone(t *testing.T) {
	t.Parallel()
	const root = `<Report><ReportHeader>`
	for name, doc := range map[string][]byte{
		"UTF-8":  fixtures.Report(fixtures.Message),
		"mark":   append([]byte("\xEF\xBB\xBF"), fixtures.Report(fixtures.Message)...),
		"UTF-16": smx.EncodeUTF16(nil, fixtures.Report(fixtures.Message), true),
		"around": append(append([]byte("<!-- a --><?b?>\n"),
			fixtures.Report(fixtures.Message)[len(fixtures.Declaration):]...), " <!-- c -->"...),
		"a label": bytes.Replace(fixtures.Report(fixtures.Message), []byte("UTF-8"), []byte("UTF-16"), 1),
	} {
		c, err := smx.NewDecoder().Check(doc)
		if err != nil || !bytes.HasPrefix(c.Body, []byte(root)) ||
			!bytes.HasSuffix(c.Body, []byte("</ReportBody></Report>")) ||
			c.Priority != 5 || c.Messages != 1 || c.Bad != 0 || c.Client.String() != fixtures.Client ||
			c.EncodingMismatch != (name == "a label") {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	c, err := smx.NewDecoder().Check(fixtures.Report(fixtures.Message, message("1431", "x"), message(`"500"`, `"x"`)))
	if err != nil || c.Messages != 3 || c.Bad != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}
