package smx_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"statewire/fixtures"
	"statewire/smx"
)

// clientN is a client id of its own.
func clientN(n int) smx.ClientID { return smx.ClientID{0xC1, 14: byte(n >> 8), 15: byte(n)} }

// accepted is a report of that client with n messages, as the relay keeps it.
func accepted(t testing.TB, client smx.ClientID, n int) smx.Accepted {
	t.Helper()
	doc := bytes.Replace(fixtures.Report(strings.Repeat(fixtures.Message, n)), []byte(fixtures.Client),
		[]byte(client.String()), 1)
	checked, err := smx.NewDecoder().Check(doc)
	if err != nil {
		t.Fatal(err)
	}
	return smx.Accepted{Client: checked.Client, Received: testNow, Receipt: client.UUID(), Messages: checked.Messages,
		Body: bytes.Clone(checked.Body)}
}

func TestFileNamesItsClientsFirst(t *testing.T) {
	t.Parallel()
	file := smx.AppendFile(nil, []smx.Accepted{accepted(t, clientN(1), 2), accepted(t, clientN(2), 1),
		accepted(t, clientN(1), 3)})
	want := smx.DeclarationUTF8 + `<Reports Format="1.0">
<Clients Reports="3" Messages="6">
<Client ID="` + clientN(1).String() + `"/>
<Client ID="` + clientN(2).String() + `"/>
</Clients>
<Received Time="20260301120000.000000+000" Receipt="` + clientN(1).UUID() + `"><Report>`
	if !bytes.HasPrefix(file, []byte(want)) {
		t.Errorf("%s", file[:len(want)])
	}
	b := decodeOne(t, file)
	if len(b.Reports) != 3 || b.Len() != 6 {
		t.Fatalf("%+v", b.Reports)
	}
	for i, want := range []smx.ReportRow{{Client: clientN(1), FirstMessage: 0, Messages: 2},
		{Client: clientN(2), FirstMessage: 2, Messages: 1}, {Client: clientN(1), FirstMessage: 3, Messages: 3}} {
		r := b.Reports[i]
		if r.Client != want.Client || r.FirstMessage != want.FirstMessage || r.Messages != want.Messages ||
			r.Index != i || r.Received != testNow.UnixMicro() || r.Receipt != r.Client.UUID() {
			t.Errorf("report %d: %+v", i, r)
		}
	}
}

func TestReadIndex(t *testing.T) {
	t.Parallel()
	var many []smx.Accepted
	one := accepted(t, clientN(0), 1)
	for i := range 3000 {
		one.Client = clientN(i)
		many = append(many, one)
	}
	large := smx.AppendFile(nil, many)
	for _, c := range []struct {
		name    string
		doc     []byte
		clients int // -1: not known
	}{
		{"a relay-written file", smx.AppendFile(nil, []smx.Accepted{accepted(t, clientN(1), 2)}), 1},
		{"one without reports", smx.AppendFile(nil, nil), 0},
		{"one with a long list", large, 3000},
		{"one whose reports are cut off", large[:300_000], 3000},
		{"one whose list is cut off", large[:100_000], -1},
		{"one of another format", bytes.Replace(large, []byte(`Format="1.0"`), []byte(`Format="2.0"`), 1), -1},
		{"a bare report", fixtures.Report(fixtures.Message), -1},
		{"a bare report in UTF-16", fixtures.Sample(fixtures.InstantDetails), -1},
		{"another root", []byte("<Reportsx><Clients Reports='0' Messages='0'/></Reportsx>"), -1},
		{"another first element", []byte("<Reports Format='1.0'><x/><Clients Reports='0' Messages='0'/></Reports>"),
			-1},
		{"no XML", bytes.Repeat([]byte("x"), 100_000), -1},
		{"nothing", nil, -1},
	} {
		index, err := smx.ReadIndex(iotest.HalfReader(bytes.NewReader(c.doc)))
		if err != nil || index.Known != (c.clients >= 0) || index.Known && len(index.Clients) != c.clients {
			t.Errorf("%s: %v, %d clients, %v", c.name, index.Known, len(index.Clients), err)
		}
	}
	if _, err := smx.ReadIndex(iotest.ErrReader(errors.New("disk"))); err == nil {
		t.Error("a reading error is not returned")
	}
}

// ReadIndex reads no more of a file than its index.
func TestReadIndexReadsLittle(t *testing.T) {
	t.Parallel()
	r := bytes.NewReader(smx.AppendFile(nil, []smx.Accepted{accepted(t, clientN(1), 5000)}))
	whole := r.Len()
	if index, err := smx.ReadIndex(r); err != nil || !index.Known || index.Messages != 5000 ||
		whole-r.Len() > smx.IndexStart {
		t.Errorf("read %d of %d bytes: %+v, %v", whole-r.Len(), whole, index, err)
	}
}

// In a file of many reports the report is the unit.
func TestBadReportsInAFile(t *testing.T) {
	t.Parallel()
	good := accepted(t, clientN(1), 2)
	damage := func(from, to string) smx.Accepted {
		a := accepted(t, clientN(2), 2)
		a.Body = bytes.Replace(a.Body, []byte(from), []byte(to), 1)
		return a
	}
	many := accepted(t, clientN(2), 1)
	many.Body = bytes.Replace(many.Body, []byte(fixtures.Message),
		bytes.Repeat([]byte("<StateMessage/>"), smx.MaxMessages+1), 1)
	many.Messages = smx.MaxMessages + 1
	for _, c := range []struct {
		name string
		bad  smx.Accepted
		code string
	}{
		{"client id", damage(clientN(2).String(), "GUID:x"), smx.CodeClientID},
		{"two client ids", damage("<ClientVersion>", "<ClientID>"+clientN(2).String()+"</ClientID><ClientVersion>"),
			smx.CodeDuplicate},
		{"content", damage("State Message Data", "Other"), smx.CodeContent},
		{"date", damage("20110107184030", "20111307184030"), smx.CodeDate},
		{"too many messages", many, smx.CodeMessages},
	} {
		file := smx.AppendFile(nil, []smx.Accepted{good, c.bad, good})
		b, err := agree(t, file)
		if err != nil || len(b.Reports) != 2 || b.Len() != 4 || len(b.BadReports) != 1 || len(b.Bad) != 0 {
			t.Errorf("%s: %v, %d reports, %d messages, %d reports set aside", c.name, err, len(b.Reports), b.Len(),
				len(b.BadReports))
			continue
		}
		bad := b.BadReports[0]
		if bad.Err.Code != c.code || bad.Index != 1 || bad.Number != 3 || bad.Received != testNow.UnixMicro() ||
			b.Reports[1].Index != 2 ||
			!strings.HasPrefix(bad.Err.Detail, "report 2 (line ") || bad.Err.Line != 8 {
			t.Errorf("%s: %+v", c.name, bad.Err)
		}
		if want := append([]byte(smx.DeclarationUTF8), c.bad.Body...); !bytes.Equal(bad.Raw, want) {
			t.Errorf("%s: kept %q", c.name, bad.Raw)
		}
	}
}

// Numbers of what is set aside are unique in a file and the same each time.
func TestNumbersInAFile(t *testing.T) {
	t.Parallel()
	bad := accepted(t, clientN(1), 3)
	bad.Body = bytes.ReplaceAll(bad.Body, []byte(`"500"`), []byte(`"x"`))
	refused := accepted(t, clientN(2), 0)
	refused.Body = bytes.Replace(refused.Body, []byte("Full"), []byte("Delta"), 1)
	b := decodeOne(t, smx.AppendFile(nil, []smx.Accepted{bad, refused, refused, bad}))
	var numbers []int
	for _, r := range b.Bad {
		numbers = append(numbers, r.Number)
	}
	for _, r := range b.BadReports {
		numbers = append(numbers, r.Number)
	}
	if got := fmt.Sprint(numbers); got != "[1 2 3 6 7 8 4 5]" {
		t.Error(got)
	}
	if b.Bad[3].Report != 1 || b.Bad[3].Index != 1 || b.Reports[1].BadRecords != 3 || b.Reports[1].Index != 3 {
		t.Errorf("%+v\n%+v", b.Bad[3], b.Reports[1])
	}
}

func TestBrokenFilesAreRefused(t *testing.T) {
	t.Parallel()
	file := smx.AppendFile(nil, []smx.Accepted{accepted(t, clientN(1), 2), accepted(t, clientN(2), 1)})
	list := string(file[bytes.Index(file, []byte("<Clients")) : bytes.Index(file, []byte("</Clients>"))+10])
	report := string(accepted(t, clientN(2), 1).Body)
	for _, c := range []struct{ name, from, to, code string }{
		{"another format", `Format="1.0"`, `Format="2.0"`, smx.CodeContainer},
		{"no format", ` Format="1.0"`, "", smx.CodeContainer},
		{"no list", list, "", smx.CodeContainer},
		{"an element before the list", "<Clients", "<x/><Clients", smx.CodeContainer},
		{"a second list", list, list + list, smx.CodeContainer},
		{"a client not in the list", clientN(2).String() + `"/>`, clientN(3).String() + `"/>`, smx.CodeContainer},
		{"an unreadable client in the list", clientN(2).String() + `"/>`, `x"/>`, smx.CodeContainer},
		{"another number of reports", `Reports="2"`, `Reports="3"`, smx.CodeContainer},
		{"another number of messages", `Messages="3"`, `Messages="4"`, smx.CodeContainer},
		{"an unreadable number", `Messages="3"`, `Messages="x"`, smx.CodeContainer},
		{"no time", ` Time="20260301120000.000000+000"`, "", smx.CodeContainer},
		{"an unreadable time", `Time="20260301120000`, `Time="20261301120000`, smx.CodeContainer},
		{"two reports in one place", report, report + report, smx.CodeContainer},
		{"no report in its place", report, "", smx.CodeContainer},
		{"syntax", "</UserParameters>", "</UserParams>", smx.CodeSyntax},
		{"a character", "LAB-01", "LAB-\x01", smx.CodeCharacter},
		{"a document type", "<Reports ", "<!DOCTYPE Reports><Reports ", smx.CodeDoctype},
		{"a second root", "</Reports>", "</Reports><Reports/>", smx.CodeTrailing},
		{"the end", "</Reports>", "", smx.CodeSyntax},
	} {
		broken := bytes.Replace(file, []byte(c.from), []byte(c.to), 1)
		if bytes.Equal(broken, file) {
			t.Errorf("%s: nothing replaced", c.name)
		}
		if _, err := agree(t, broken); codeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
	if _, err := smx.NewDecoder().Check(file); codeOf(err) != smx.CodeNotReport {
		t.Errorf("Check: %v", err)
	}
}

// What a newer relay may add is ignored.
func TestUnknownPartsOfAFileAreIgnored(t *testing.T) {
	t.Parallel()
	file := smx.AppendFile(nil, []smx.Accepted{accepted(t, clientN(1), 2)})
	file = bytes.ReplaceAll(file, []byte("\n<"), []byte("\n<!-- c --><"))
	file = bytes.Replace(file, []byte("</Clients>"), []byte("<x><Client/></x></Clients><x><Report/></x>"), 1)
	file = bytes.ReplaceAll(file, []byte("<Received "), []byte(`<Received Site="S01" `))
	file = bytes.Replace(file, []byte("<Report>"), []byte("<Signature>x</Signature><Report>"), 1)
	if b := decodeOne(t, file); b.Len() != 2 || b.Reports[0].Client != clientN(1) {
		t.Errorf("%+v", b.Reports)
	}
}

// The limits are a report's: a file may go beyond them.
func TestFileIsLargerThanAReport(t *testing.T) {
	t.Parallel()
	var all []smx.Accepted
	for i := range 4 {
		all = append(all, accepted(t, clientN(i), smx.MaxMessages))
	}
	file := smx.AppendFile(nil, all)
	var b smx.Batch
	if err := smx.NewDecoder().Decode(file, &b); err != nil || b.Len() != 4*smx.MaxMessages ||
		len(file) <= smx.MaxReportBytes {
		t.Errorf("%d bytes: %v, %d messages", len(file), err, b.Len())
	}
	large := accepted(t, clientN(9), 1)
	large.Body = append(bytes.TrimSuffix(large.Body, []byte("</Report>")),
		bytes.Repeat([]byte("<x>"+strings.Repeat("y", 60_000)+"</x>"), 140)...)
	large.Body = append(large.Body, "</Report>"...)
	b.Reset()
	if err := smx.NewDecoder().Decode(smx.AppendFile(nil, []smx.Accepted{large, all[0]}), &b); err != nil ||
		len(b.BadReports) != 1 || b.BadReports[0].Err.Code != smx.CodeTooLarge || b.Len() != smx.MaxMessages {
		t.Errorf("%v, %d reports set aside, %d messages", err, len(b.BadReports), b.Len())
	}
}

// Finding the places of many faults stays linear in the file's size: counting
// lines from its beginning each time would take a minute here, not a moment.
func TestManyFaultsAreNotQuadratic(t *testing.T) {
	t.Parallel()
	const n = 4000
	record := `<StateMessage x="` + strings.Repeat("y", 600) + `"/>`
	bad := accepted(t, clientN(1), 1)
	bad.Body = bytes.Replace(bad.Body, []byte(fixtures.Message), bytes.Repeat([]byte(record), n), 1)
	bad.Messages = n
	refused := bad
	refused.Body = bytes.Replace(bad.Body, []byte("Full"), []byte("Delta"), 1)
	file := smx.AppendFile(nil, []smx.Accepted{bad, refused, bad, refused})
	start := time.Now()
	var b smx.Batch
	if err := smx.NewDecoder().Decode(file, &b); err != nil || len(b.Bad) != 2*n || len(b.BadReports) != 2 {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("%d faults in %d bytes take %v", 4*n, len(file), took)
	}
}

func TestEntryBytes(t *testing.T) {
	t.Parallel()
	one := accepted(t, clientN(1), 1)
	one.Receipt = ""
	alone := len(smx.AppendFile(nil, nil))
	if got := len(smx.AppendFile(nil, []smx.Accepted{one})) - alone - len(one.Body); got > smx.EntryBytes ||
		alone > 200 {
		t.Errorf("%d bytes around a report, %d around none", got, alone)
	}
}
