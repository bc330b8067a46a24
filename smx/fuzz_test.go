package smx_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"statewire/smx"
	"statewire/smx/reference"
)

// seeds are documents that fuzzing starts from.
func seeds() [][]byte {
	two := benchReport(2)
	details := smx.AppendReport(nil, &smx.Report{Header: smx.Header{Priority: 5}, Messages: []smx.Message{{
		Time: benchTime, Serial: 7, TopicType: 9003, TopicID: " a&b ", Title: "a & \"b\"", User: "D\\u", UserSID: "S-1",
		DetailsType: 1, Details: "x]]>y\r\n", Params: []string{" 1", ""},
	}}})
	body := two[len(smx.DeclarationUTF8):]
	file := smx.AppendFile(nil, []smx.Accepted{
		{Client: smx.ClientID{0xF1, 0xB0, 0x30, 0x89, 14: 1}, Received: benchTime, Receipt: "one", Messages: 2,
			Body: body},
		{Client: smx.ClientID{0xF1, 0xB0, 0x30, 0x89, 14: 1}, Received: benchTime, Receipt: "two", Messages: 2,
			Body: body},
	})
	all := [][]byte{
		two, details, file,
		smx.EncodeUTF16(nil, two, false), smx.EncodeUTF16(nil, two, true), smx.EncodeUTF16(nil, two, false)[2:],
		smx.EncodeUTF16(nil, file, true),
		append([]byte("\xEF\xBB\xBF"), two...),
		bytes.ReplaceAll(two, []byte("><"), []byte(">\r\n<!-- c --><?p i?><")),
		bytes.Replace(two, []byte(`"1432"`), []byte(`"007"`), 1),
		bytes.Replace(file, []byte("GUID:F1B03089-0000-0000-0000-000000000100</"), []byte("nobody</"), 1),
		bytes.Replace(two, []byte("102"), []byte("<![CDATA[1]]>&#48;<x a='1'/>2"), 1),
		[]byte(`<Report><ReportHeader><Identification><Machine>` +
			`<ClientID>GUID:F1B03089-9EA1-4A64-83DC-5F8E77BDDEB4</ClientID></Machine></Identification>` +
			`<ReportDetails><ReportContent>State Message Data</ReportContent></ReportDetails></ReportHeader></Report>`),
	}
	return all
}

// FuzzDecode: for any bytes the decoder and the reference both accept and
// agree, or both refuse.
func FuzzDecode(f *testing.F) {
	for _, doc := range seeds() {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc []byte) { agree(t, doc) })
}

// pieces are what FuzzPieces builds documents from: much of it well-formed in
// many places, all of it relevant somewhere.
var pieces = strings.Split(`<Report>|</Report>|<ReportHeader>|</ReportHeader>|<Identification>|</Identification>|`+
	`<Machine>|</Machine>|`+
	`<ClientID>GUID:F1B03089-9EA1-4A64-83DC-5F8E77BDDEB4</ClientID>|<ClientID>|</ClientID>|<ReportDetails>|`+
	`</ReportDetails>|`+
	`<ReportContent>State Message Data</ReportContent>|<ReportType> full</ReportType>|`+
	`<ReportType>Delta</ReportType>|<Format>1.0</Format>|`+
	`<Date>20110107184030.662000+000</Date>|<Date>|</Date>|<Date/>|<Priority>4</Priority>|`+
	`<Priority>-2147483648</Priority>|<Priority>+1</Priority>|`+
	`<SystemDefaultLCID>4294967296</SystemDefaultLCID>|<ClientType>0001</ClientType>|<NetBIOSName>|</NetBIOSName>|`+
	`<ReportBody>|</ReportBody>|<ReportBody/>|`+
	`<StateMessage|</StateMessage>|<Topic|</Topic>|<State|</State>|<StateDetails|</StateDetails>|<UserParameters|`+
	`</UserParameters>|<Param>|</Param>|<Param/>|`+
	` MessageTime="20110107183046.153000+000"| MessageTime='20240229235959.000001-840'|`+
	` MessageTime="99991231000000.000000+000"| SerialNumber="1431"|`+
	` SerialNumber="007"| SerialNumber="4611686018427387905"| SerialNumber="4611686018427387904"|`+
	` SerialNumber = ' 7 '| q:SerialNumber="1"| ID="|"|'|`+
	` ID="21e49ac6-a273-4a61-9794-eb675bc743e5"| Type="500"| Type="-1"| IDType="3"| IDType="65536"| User=""|`+
	` UserSID="S&#45;1"| Title="a title"| Title=" "| Title="&#x202E;a"| Title='é&#9;'| Criticality="0"| Flags="0"|`+
	` Count="1"| Count="01"| Type="4294967296"|/>|>|x|102|&amp;|&#13;|&#x0A;|&#xD800;|&#0;|&nope;|&|;|<![CDATA[|]]>|`+
	`]]|>|<!--|-->|--|<?pi |?>|<?xml version="1.0"?>|`+
	"\r\n|\n|\t| |\r|<q:u>|</q:u>|<u a='1' a=\"2\">|</u>|"+
	"<é é='é'/>|<a:b:c/>|<-/>|\x00|\x01|\xff|\uFFFE|é|\U0001F600|<!DOCTYPE x>|<|"+
	`<Reports Format="1.0">|</Reports>|<Clients Reports="1" Messages="1">|`+
	`<Client ID="guid:f1b03089-9ea1-4a64-83dc-5f8e77bddeb4"/>|</Clients>|`+
	`<Received Time="20110107183046.153000+000" Receipt="r">|</Received>`, "|")

// openings are the beginnings that FuzzPieces puts its pieces into.
var openings = [][2]string{
	{"", ""},
	{"<Report>", "</Report>"},
	{headPiece + "<ReportBody>", "</ReportBody></Report>"},
	{headPiece + `<ReportBody><StateMessage MessageTime="20110107183046.153000+000" SerialNumber="9">`,
		"</StateMessage></ReportBody></Report>"},
	{headPiece + `<ReportBody><StateMessage MessageTime="20110107183046.153000+000"><Topic ID="a" Type="1"/>` +
		`<State ID="2"/><UserParameters><Param>`,
		"</Param></UserParameters></StateMessage></ReportBody></Report>"},
	{headPiece + `<ReportBody><StateMessage MessageTime="20110107183046.153000+000"><Topic ID="a" Type="1"/>` +
		`<State ID="2"/><StateDetails Type="1">`,
		"</StateDetails></StateMessage></ReportBody></Report>"},
	{`<Reports Format="1.0"><Clients Reports="1" Messages="1">` +
		`<Client ID="GUID:F1B03089-9EA1-4A64-83DC-5F8E77BDDEB4"/></Clients>` +
		`<Received Time="20110107183046.153000+000">` + headPiece + "<ReportBody><StateMessage/>",
		"</ReportBody></Report></Received></Reports>"},
	{`<Reports Format="1.0"><Clients Reports="1" Messages="0">` +
		`<Client ID="GUID:F1B03089-9EA1-4A64-83DC-5F8E77BDDEB4"/></Clients>`, "</Reports>"},
}

const headPiece = `<Report><ReportHeader><Identification><Machine>` +
	`<ClientID>GUID:F1B03089-9EA1-4A64-83DC-5F8E77BDDEB4</ClientID></Machine></Identification>` +
	`<ReportDetails><ReportContent>State Message Data</ReportContent></ReportDetails></ReportHeader>`

// FuzzPieces is FuzzDecode on documents made of XML pieces, which get deeper
// than bytes do.
func FuzzPieces(f *testing.F) {
	f.Add([]byte{2, 30, 44, 48, 74})
	f.Add([]byte{3, 32, 54, 55, 73, 34, 54, 73})
	f.Add([]byte{4, 80, 88, 76, 89})
	f.Add([]byte{6, 30, 44, 73})
	f.Add([]byte{7, 1, 2, 3})
	f.Fuzz(func(t *testing.T, choice []byte) {
		if len(choice) == 0 {
			return
		}
		around := openings[int(choice[0])%len(openings)]
		var doc bytes.Buffer
		doc.WriteString(around[0])
		for _, c := range choice[1:] {
			doc.WriteString(pieces[int(c)%len(pieces)])
		}
		doc.WriteString(around[1])
		agree(t, doc.Bytes())
	})
}

// FuzzRoundTrip: what the encoder writes is read back as it was, in every
// encoding, but for the characters that XML hasn't.
func FuzzRoundTrip(f *testing.F) {
	f.Add("21e49ac6-a273-4a61-9794-eb675bc743e5", "DOM\\user", "]]>\r\n\t<&\"'", " 102", uint64(1431), uint32(500),
		int64(1294425046153000), int32(1), uint8(1))
	f.Add("", "\x00\xff", "", "\U0001F600é", uint64(0), uint32(0), int64(-62135596800000000), int32(-5), uint8(2))
	f.Fuzz(func(t *testing.T, id, user, details, param string, serial uint64, number uint32, us int64, kind int32,
		form uint8) {
		// As many years as a datetime can name, and no text beyond its limit.
		const span = 250_000_000_000_000_000
		m := smx.Message{
			Time: time.UnixMicro(us % span).UTC(), Serial: serial % (smx.MaxSerial + 1), TopicType: number,
			TopicID: short(id), TopicIDType: uint16(number),
			Title: short(details), User: short(user), UserSID: short(param), StateID: ^number, Criticality: number / 2,
			DetailsType: kind, Details: details, Params: []string{param, details},
		}
		if m.Time.Year() < 0 || m.Time.Year() > 9999 || len(details) > smx.MaxTextBytes/3 ||
			len(param) > smx.MaxTextBytes/3 {
			return
		}
		in := smx.Report{Header: smx.Header{Client: smx.ClientID{1, 15: byte(number)}, Priority: int8(form % 128),
			NetBIOSName: user, CodePage: param, LCID: number, ClientType: form}, Messages: []smx.Message{m}}
		if len(user) > smx.MaxTextBytes/3 {
			return
		}
		doc := smx.AppendReport(nil, &in)
		switch form % 3 {
		case 1:
			doc = smx.EncodeUTF16(nil, doc, false)
		case 2:
			doc = smx.EncodeUTF16(nil, doc, true)
		}
		b, err := agree(t, doc)
		if err != nil || b.Len() != 1 || len(b.Reports) != 1 {
			t.Fatalf("%v\n%q", err, doc)
		}
		for _, s := range []*string{&m.TopicID, &m.User, &m.UserSID, &m.Details, &m.Params[0], &m.Params[1]} {
			*s = smx.Carried(*s)
		}
		if m.Title = smx.Carried(m.Title); smx.CheckTitle(m.Title) != nil {
			m.Title = ""
		}
		if got := b.Message(0); b.Hash[0] != smx.PayloadHash(&m) || got.Title != m.Title || got.Details != m.Details ||
			got.TopicID != m.TopicID || got.Serial != m.Serial || got.Params[0] != m.Params[0] {
			t.Fatalf("got  %+v\nwant %+v\n%q", got, m, doc)
		}
		if r := b.Reports[0]; r.NetBIOSName != smx.Carried(user) || r.Client != in.Header.Client ||
			r.ClientType != form || r.EncodingMismatch {
			t.Fatalf("%+v", r)
		}
	})
}

// short keeps an attribute's value within its limit.
func short(s string) string { return s[:min(len(s), smx.MaxAttributeBytes/3)] }

// FuzzTime: a datetime is read as package time reads it, and what is written
// is read back.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"20110107183046.153000+000", "20240229000000.000000-840", "20230229000000.000000+000",
		"00000000000000.000000+000", "20110107183046.153000+***", "99991231235959.999999+999"} {
		f.Add(s, int64(1294425046153000))
	}
	f.Fuzz(func(t *testing.T, s string, us int64) {
		got, err := smx.ParseTime(s)
		want, ok := reference.Time(s)
		if (err == nil) != ok || ok && got.UnixMicro() != want {
			t.Fatalf("%q: %v, %v; want %v, %v", s, got, err, time.UnixMicro(want).UTC(), ok)
		}
		at := time.UnixMicro(us % 250_000_000_000_000_000)
		if year := at.UTC().Year(); year < 0 || year > 9999 {
			return
		}
		if back, err := smx.ParseTime(string(smx.AppendTime(nil, at))); err != nil || !back.Equal(at) {
			t.Fatalf("%v became %v, %v", at, back, err)
		}
	})
}

// FuzzFile: relay-written files of any reports are read back report by report,
// their index names their clients, and the index of any bytes is harmless.
func FuzzFile(f *testing.F) {
	f.Add([]byte("<Reports Format='1.0'><Clients"), uint8(3), "receipt", int64(1294425046153000))
	f.Add(smx.AppendFile(nil, nil), uint8(0), "\x00\"<", int64(-1))
	f.Fuzz(func(t *testing.T, junk []byte, n uint8, receipt string, us int64) {
		if _, err := smx.ReadIndex(bytes.NewReader(junk)); err != nil {
			t.Fatal(err)
		}
		received := time.UnixMicro(us % 60_000_000_000_000_000)
		var accepted []smx.Accepted
		for i := range int(n % 8) {
			r := smx.Report{Header: smx.Header{Client: smx.ClientID{byte(i % 3)}}, Messages: make([]smx.Message, i%4)}
			checked, err := smx.NewDecoder().Check(smx.AppendReport(nil, &r))
			if err != nil {
				t.Fatal(err)
			}
			accepted = append(accepted, smx.Accepted{Client: checked.Client, Received: received,
				Receipt: short(receipt), Messages: checked.Messages, Body: checked.Body})
		}
		doc := smx.AppendFile(nil, accepted)
		b, err := agree(t, doc)
		if err != nil || len(b.Reports) != len(accepted) {
			t.Fatalf("%v, %d reports\n%q", err, len(b.Reports), doc)
		}
		index, err := smx.ReadIndex(bytes.NewReader(doc))
		if err != nil || !index.Known || index.Reports != len(accepted) || index.Messages != b.Len() ||
			len(index.Clients) != min(3, len(accepted)) {
			t.Fatalf("%+v, %v\n%q", index, err, doc)
		}
		for i, r := range b.Reports {
			if r.Client != accepted[i].Client || r.Received != received.UnixMicro() ||
				r.Receipt != smx.Carried(short(receipt)) || r.Index != i || r.Messages != accepted[i].Messages {
				t.Fatalf("report %d: %+v\n%q", i, r, doc)
			}
		}
	})
}

// FuzzPrefix: no document is accepted cut short.
func FuzzPrefix(f *testing.F) {
	for _, doc := range seeds() {
		f.Add(doc, uint16(100))
	}
	f.Fuzz(func(t *testing.T, doc []byte, cut uint16) {
		d := smx.NewDecoder()
		if d.Decode(doc, &smx.Batch{}) != nil {
			return
		}
		rest := bytes.TrimRight(doc, " \t\r\n\x00")
		if i := bytes.LastIndexByte(rest, '>'); i < 0 || len(rest) < len(doc)-4 ||
			bytes.HasSuffix(rest, []byte("-->")) || bytes.HasSuffix(rest, []byte("?>")) {
			return
		}
		at := len(rest) - 1 - int(cut)%len(rest)
		if bytes.Contains(doc[at:], []byte("--")) || bytes.Contains(doc[at:], []byte("?")) {
			return // what is lost may be a comment
		}
		if err := d.Decode(doc[:at], &smx.Batch{}); err == nil {
			t.Fatalf("accepted without its last %d bytes\n%q", len(doc)-at, doc)
		}
	})
}
