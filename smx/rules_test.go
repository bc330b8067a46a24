package smx_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/fixtures"
	"statewire/smx"
)

// decodeOne decodes a document that loads.
func decodeOne(t *testing.T, doc []byte) *smx.Batch {
	t.Helper()
	b, err := agree(t, doc)
	if err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	return b
}

// message is the ordinary message with pieces replaced.
func message(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(fixtures.Message)
}

func TestSerials(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, spelling string
		want           uint64
	}{
		{"missing is no serial", "", 0},
		{"the greatest is 2^62", `SerialNumber="4611686018427387904"`, 1 << 62},
		{"references are resolved", `SerialNumber="&#52;2"`, 42},
		{"a prefixed name is another attribute", `p:SerialNumber="7"`, 0},
		{"case matters", `serialnumber="7"`, 0},
		{"single quotes and space", "SerialNumber\n=\t'7'", 7},
	} {
		b := decodeOne(t, fixtures.Report(message(`SerialNumber="1431"`, c.spelling)))
		if b.Len() != 1 || b.Serial[0] != c.want {
			t.Errorf("%s: %v", c.name, b.Serial)
		}
	}
}

func TestSerialOfRecordSetAside(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		record   string
		serial   uint64
		readable bool
	}{
		{"readable serial counts as received", message(`"500"`, `"x"`), 1431, true},
		{"unreadable serial doesn't", message("1431", "007"), 0, false},
		{"nor one above 2^62", message("1431", "4611686018427387905"), 0, false},
		{"nor a missing one", message(` SerialNumber="1431"`, "", `"500"`, `"x"`), 0, false},
	} {
		b := decodeOne(t, fixtures.Report(fixtures.Message, c.record))
		if b.Len() != 1 || len(b.Bad) != 1 {
			t.Fatalf("%s: %d rows, %d set aside", c.name, b.Len(), len(b.Bad))
		}
		bad := b.Bad[0]
		if bad.Serial != c.serial || bad.HasSerial != c.readable || bad.Index != 2 || bad.Number != 2 ||
			bad.Report != 0 {
			t.Errorf("%s: %+v", c.name, bad)
		}
		if !strings.HasPrefix(bad.Err.Detail, fmt.Sprintf("StateMessage 2 (line 2, column %d): ", bad.Err.Column)) {
			t.Errorf("%s: %s", c.name, bad.Err.Detail)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	const at = "20110107183046.153000+000"
	instant := benchTime
	for _, c := range []struct {
		name, spelling string
		want           time.Time
		suspect        bool
	}{
		{"in UTC", at, instant, false},
		{"an hour east, same instant", "20110107193046.153000+060", instant, false},
		{"five and a half hours west, same instant", "20110107130046.153000-330", instant, false},
		{"as far east as clocks go", "20110108083046.153000+840", instant, false},
		{"as far west", "20110107043046.153000-840", instant, false},
		{"leap day of a century that has one", "20000229000000.000000+000",
			time.Date(2000, 2, 29, 0, 0, 0, 0, time.UTC), false},
		{"leap day", "20240229000000.000000+000", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), false},
		{"before 2000 is clamped and flagged", "16010101000000.000000+000", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
			true},
		{"just before 2000", "19991231235959.999999+000", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), true},
		{"just 2000", "20000101000000.000000+000", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), false},
		{"year 9999 is clamped and flagged", "99991231000000.000000+000", time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
			true},
		{"ten years ahead is flagged, not changed", "20360301000000.000000+000",
			time.Date(2036, 3, 1, 0, 0, 0, 0, time.UTC), true},
		{"a day ahead is believed", "20260302120000.000000+000", testNow.Add(24 * time.Hour), false},
		{"more than a day ahead isn't", "20260302120000.000001+000", testNow.Add(24*time.Hour + time.Microsecond),
			true},
	} {
		for _, framed := range []bool{false, true} {
			doc := fixtures.Report(message(at, c.spelling))
			d := smx.NewDecoder()
			d.Now = func() time.Time { return testNow }
			if framed {
				checked, err := d.Check(doc)
				if err != nil {
					t.Fatal(err)
				}
				doc = smx.AppendFile(nil,
					[]smx.Accepted{{Client: checked.Client, Received: testNow, Messages: 1, Body: checked.Body}})
				d.Now = func() time.Time { return testNow.AddDate(50, 0, 0) }
			}
			var b smx.Batch
			if err := d.Decode(doc, &b); err != nil {
				t.Fatal(err)
			}
			if got := b.Message(0).Time; !got.Equal(c.want) || b.Flags[0]&smx.TimeSuspect != 0 != c.suspect {
				t.Errorf("%s, in a relay-written file: %v: %v, flags %b", c.name, framed, got, b.Flags[0])
			}
		}
	}
}

func TestTimesThatAreNone(t *testing.T) {
	t.Parallel()
	for name, spelling := range map[string]string{
		"farther east than clocks go":       "20110107183046.153000+841",
		"farther west":                      "20110107183046.153000-841",
		"leap day of a year without":        "20110229000000.000000+000",
		"leap day of a century without":     "21000229000000.000000+000",
		"hour 24":                           "20110107240000.000000+000",
		"leap second":                       "20110107235960.000000+000",
		"no sign before the offset":         "20110107183046.153000 060",
		"a letter where an offset digit is": "20110107183046.153000+0a0",
	} {
		if got, err := smx.ParseTime(spelling); err == nil {
			t.Errorf("%s: %s is read as %v", name, spelling, got)
		}
	}
}

// The hash is of the instant as sent: clamping must not make two different
// messages one.
func TestHashSeesTheTimeAsSent(t *testing.T) {
	t.Parallel()
	b := decodeOne(t, fixtures.Report(message("20110107", "98000101"), message("20110107", "99000101")))
	if b.Time[0] != b.Time[1] || b.Hash[0] == b.Hash[1] {
		t.Errorf("times %v, hashes %x", b.Time, b.Hash)
	}
}

func TestHashIsOfThePayloadAlone(t *testing.T) {
	t.Parallel()
	base := decodeOne(t, fixtures.Report(fixtures.Message)).Hash[0]
	same := map[string][]byte{
		"another header":   bytes.Replace(fixtures.Report(fixtures.Message), []byte("LAB-01"), []byte("LAB-02"), 1),
		"another encoding": smx.EncodeUTF16(nil, fixtures.Report(fixtures.Message), true),
		"another serial":   fixtures.Report(message("1431", "1")),
		"another Count":    fixtures.Report(message(`Count="1"`, `Count="2"`)),
		"another Flags":    fixtures.Report(message(`Flags="0"`, `Flags="2"`)),
		"another zone":     fixtures.Report(message("183046.153000+000", "173046.153000-060")),
		"other spelling":   fixtures.Report(message("102", "<![CDATA[1]]>&#x30;2", `Type="500"`, "Type='5&#48;0'")),
		"another id type":  fixtures.Report(message(`IDType="3"`, `IDType="2"`)),
		"another user":     fixtures.Report(message(`IDType="3"`, `IDType="3" User="a" UserSID="b"`)),
		"criticality":      fixtures.Report(message(`Criticality="0"`, `Criticality="1"`)),
		"details type":     fixtures.Report(message("<UserParameters", "<StateDetails Type='1'/><UserParameters")),
		"empty details":    fixtures.Report(message("<UserParameters", "<StateDetails Type='0'/><UserParameters")),
	}
	for name, doc := range same {
		if got := decodeOne(t, doc).Hash[0]; got != base {
			t.Errorf("%s: %x, want %x", name, got, base)
		}
	}
	seen := map[uint64]string{base: "the message"}
	for name, record := range map[string]string{
		"time":          message("46.153000", "46.153001"),
		"topic type":    message(`"500"`, `"501"`),
		"topic id":      message("21e49", "21e40"),
		"topic id case": message("21e49", "21E49"),
		"state":         message(`State ID="2"`, `State ID="3"`),
		"parameter":     message("102", " 102"),
		"parameters":    message("102", "1</Param><Param>02"),
		"no parameters": message("<Param>102</Param>", ""),
		"details":       message("<UserParameters", "<StateDetails>102</StateDetails><UserParameters"),
	} {
		hash := decodeOne(t, fixtures.Report(record)).Hash[0]
		if other, taken := seen[hash]; taken {
			t.Errorf("another %s has the hash of %s", name, other)
		}
		seen[hash] = name
	}
}

// Values are stored verbatim, as XML means them.
func TestValuesAreVerbatim(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"leading and trailing space", "  102 ", "  102 "},
		{"references", "&lt;&gt;&amp;&quot;&apos;&#65;&#x42;", `<>&"'AB`},
		{"CDATA", "<![CDATA[<a>&amp;]]>", "<a>&amp;"},
		{"pieces", "a<![CDATA[b]]>c<!-- no -->d<?no?>e", "abcde"},
		{"unknown elements inside", "a<b>no<c/></b>d", "ad"},
		{"line ends become LF", "a\r\nb\rc\nd", "a\nb\nc\nd"},
		{"line ends in CDATA too", "<![CDATA[a\r\nb\rc]]>", "a\nb\nc"},
		{"a referenced CR stays", "a&#13;&#10;b", "a\r\nb"},
		{"a CR at the end of a piece", "a\r<![CDATA[\nb]]>", "a\n\nb"},
		{"hostile", `=cmd|'/C calc'!A0'); DROP TABLE x;--&#x9B;31m`, "=cmd|'/C calc'!A0'); DROP TABLE x;--\u009B31m"},
		{"any language", "é日本\U0001F600", "é日本\U0001F600"},
		{"brackets", "]] > ]>", "]] > ]>"},
		{"nothing", "", ""},
	} {
		b := decodeOne(t, fixtures.Report(message("102", c.text, "<UserParameters",
			"<StateDetails>"+c.text+"</StateDetails><UserParameters")))
		if m := b.Message(0); len(m.Params) != 1 || m.Params[0] != c.want || m.Details != c.want {
			t.Errorf("%s: %q and %q, want %q", c.name, m.Params, m.Details, c.want)
		}
	}
}

func TestAttributeValuesAreNormalised(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"spaces stay", "  a  b ", "  a  b "},
		{"literal white space becomes spaces", "a\tb\nc\rd\r\ne", "a b c d e"},
		{"referenced white space stays", "a&#9;b&#10;c&#13;d", "a\tb\nc\rd"},
		{"references", "&lt;&gt;&amp;&quot;&apos;", `<>&"'`},
		{"> may stand", "a>b", "a>b"},
		{"the other quote may stand", "a'b", "a'b"},
		{"empty", "", ""},
	} {
		b := decodeOne(t, fixtures.Report(message("21e49ac6-a273-4a61-9794-eb675bc743e5", c.text, `IDType="3"`,
			`IDType="3" User="`+c.text+`"`)))
		if m := b.Message(0); m.TopicID != c.want || m.User != c.want {
			t.Errorf("%s: %q, %q; want %q", c.name, m.TopicID, m.User, c.want)
		}
	}
}

func TestUnknownNamesAreIgnored(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string][]byte{
		"elements everywhere": bytes.ReplaceAll(fixtures.Report(fixtures.Message), []byte("><"),
			[]byte("><Future a='1'>text<More/></Future><")),
		"attributes": bytes.ReplaceAll(fixtures.Report(fixtures.Message), []byte(" Type="),
			[]byte(` New="1" x:Type="9" type="8" Type=`)),
		"prefixed elements": fixtures.Report(message("<State ", `<x:State ID="9"/><State `)),
		"wrong case":        fixtures.Report(message("<State ", `<state ID="9"/><State `)),
		"text between": bytes.ReplaceAll(fixtures.Report(fixtures.Message), []byte("><State"),
			[]byte(">text<![CDATA[and more]]><State")),
		"known, elsewhere": fixtures.Report(message("<State ", `<ClientID>x</ClientID><StateMessage/><State `)),
		"default namespace": bytes.Replace(fixtures.Report(fixtures.Message), []byte("<Report>"),
			[]byte(`<Report xmlns="urn:x">`), 1),
		"names of the world": fixtures.Report(message("<State ", `<état é="1"/><日本:語:x/><State `)),
	} {
		b := decodeOne(t, doc)
		if m := b.Message(0); b.Len() != 1 || m.TopicType != 500 || m.StateID != 2 || len(m.Params) != 1 ||
			len(b.Bad) != 0 {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestPriority(t *testing.T) {
	t.Parallel()
	for spelling, want := range map[string]int8{
		"<Priority>4</Priority>": 4, "<Priority> 5\n</Priority>": 5, "<Priority>0</Priority>": 0,
		"<Priority>-3</Priority>":     0,
		"<Priority>100000</Priority>": 127, "<Priority/>": smx.NoPriority, "": smx.NoPriority,
		"<x:Priority>4</x:Priority>": smx.NoPriority,
	} {
		doc := bytes.Replace(fixtures.Report(fixtures.Message), []byte("<Priority>5</Priority>"), []byte(spelling), 1)
		if got := decodeOne(t, doc).Reports[0].Priority; got != want {
			t.Errorf("%q: %d, want %d", spelling, got, want)
		}
	}
}

func TestReportWithoutMessages(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "<ReportBody/>", "<ReportBody></ReportBody>"} {
		b := decodeOne(t, []byte("<Report>"+fixtures.Header()+body+"</Report>"))
		if len(b.Reports) != 1 || b.Len() != 0 || b.Reports[0].NetBIOSName != "LAB-01" {
			t.Errorf("%q: %+v", body, b.Reports)
		}
	}
}

func TestCountMismatch(t *testing.T) {
	t.Parallel()
	for count, want := range map[string]uint8{`Count="1"`: 0, "": 0, `Count="2"`: smx.CountMismatch,
		`Count=""`: smx.CountMismatch, `Count="x"`: smx.CountMismatch} {
		b := decodeOne(t, fixtures.Report(message(`Count="1"`, count)))
		if b.Flags[0] != want || len(b.Params) != 1 {
			t.Errorf("%q: flags %b, params %q", count, b.Flags[0], b.Params)
		}
	}
}

// The type of details is the one number with a sign. What is none sets its record aside.
func TestDetailsType(t *testing.T) {
	t.Parallel()
	for spelling, want := range map[string]string{
		"0": "0", "-1": "-1", "2147483647": "2147483647", "-2147483648": "-2147483648",
		"2147483648": "bad", "-2147483649": "bad", "-0": "bad", "01": "bad", "-": "bad", "": "bad", "+1": "bad",
	} {
		b := decodeOne(t, fixtures.Report(message("<UserParameters",
			`<StateDetails Type="`+spelling+`"/><UserParameters`)))
		got := "bad"
		if b.Len() == 1 {
			got = fmt.Sprint(b.DetailsType[0])
		}
		if got != want {
			t.Errorf("%q is read as %s, want %s", spelling, got, want)
		}
	}
}

// What is written is read again as it was, whatever stands in it and whatever is left out.
func TestWhatIsWrittenIsReadAsItWas(t *testing.T) {
	t.Parallel()
	for _, m := range []smx.Message{
		{User: "EXAMPLE\\ann", TopicID: "t"}, {UserSID: "S-1-5-18", TopicID: "t"}, {TopicID: "a\tb\nc\rd"},
		{TopicID: "t", Params: []string{"a\r\nb\rc\td", ""}}, {TopicID: "t", Details: "a\rb]]>c"},
	} {
		m.Time, m.Serial, m.TopicType, m.TopicIDType, m.StateID = time.Unix(1_700_000_000, 0).UTC(), 1, 500, 3, 2
		b := decodeOne(t, smx.AppendReport(nil,
			&smx.Report{Header: smx.Header{Client: smx.ClientID{15: 1}, ClientInstalled: 1, ClientType: 1,
				Priority: smx.NoPriority, NetBIOSName: "PC", CodePage: "437", Date: m.Time},
				Messages: []smx.Message{m}}))
		if got := b.Message(0); got.User != m.User || got.UserSID != m.UserSID || got.TopicID != m.TopicID ||
			got.Details != m.Details ||
			!slices.Equal(got.Params, m.Params) {
			t.Errorf("wrote %+v, read %+v", m, got)
		}
	}
}
