package ingest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"statewire/inbox"
	"statewire/smx"
)

func TestBadFilesAreSetAsideWithTheirReason(t *testing.T) {
	good := bare(client(1), message(1))
	for _, tt := range []struct {
		name string
		data []byte
		code string
	}{
		{"empty", nil, smx.CodeNotXML},
		{"truncated", good[:len(good)-10], smx.CodeSyntax},
		{"trailing bytes", append(slices.Clone(good), "<x/>"...), smx.CodeTrailing},
		{"another document", []byte("<Other/>"), smx.CodeNotReport},
		{"no client", []byte(strings.Replace(string(good), "GUID:", "", 1)), smx.CodeClientID},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.drop("bad.SMX", tt.data)
			s.drop("good.SMX", good)
			s.expectTotals(Totals{Files: 2, Messages: 1, BadFiles: 1, Batches: 1})
			if r := s.reason("bad.SMX"); r.Code != tt.code || r.Reason == "" || r.Time.IsZero() {
				t.Errorf("reason is %+v, want code %s", r, tt.code)
			}
			kept, err := os.ReadFile(filepath.Join(s.root, "corrupt", "bad.SMX"))
			if err != nil || !slices.Equal(kept, tt.data) {
				t.Errorf("corrupt holds %d bytes (%v), want the file's %d", len(kept), err, len(tt.data))
			}
			r := s.reason("bad.SMX")
			s.expect("SELECT name, code, line, column, bytes FROM bad_files", fmt.Sprintf("'bad.SMX','%s',%d,%d,%d", tt.code,
				r.Line, r.Column, len(tt.data)))
			s.expect("SELECT count() FROM state_messages", "1")
			s.expectEmpty()
		})
	}
}

func TestFileWithAnotherHashThanItsNameIsBad(t *testing.T) {
	s := newSite(t)
	name := s.put(inbox.Normal, relayed(t, epoch, bare(client(1), message(1))))
	path := filepath.Join(s.root, "incoming", name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s.expectTotals(Totals{Files: 1, BadFiles: 1})
	if r := s.reason(name); r.Code != "hash_mismatch" {
		t.Errorf("reason is %+v", r)
	}
}

func TestFileTooLargeIsBad(t *testing.T) {
	s := newSite(t)
	s.drop("huge.SMX", nil)
	if err := os.Truncate(filepath.Join(s.root, "incoming", "huge.SMX"), 65<<20); err != nil {
		t.Fatal(err)
	}
	s.drop("good.SMX", bare(client(1), message(1)))
	s.expectTotals(Totals{Files: 2, BadFiles: 1, Messages: 1, Batches: 1})
	if r := s.reason("huge.SMX"); r.Code != smx.CodeTooLarge {
		t.Errorf("reason is %+v", r)
	}
}

// badSerial makes the serial of a message one that no record may have.
func badSerial(doc []byte, serial uint64, spelling string) []byte {
	was := fmt.Sprintf(`SerialNumber="%d"`, serial)
	return []byte(strings.Replace(string(doc), was, `SerialNumber="`+spelling+`"`, 1))
}

func TestBadRecordIsSetAsideAndItsNeighboursLoad(t *testing.T) {
	s := newSite(t)
	doc := bare(client(1), messages(1, 5)...)
	doc = []byte(strings.Replace(string(doc), `<State ID="`+fmt.Sprint(message(3).StateID)+`"`, `<State ID="x"`, 1))
	s.drop("a.SMX", doc)
	s.expectTotals(Totals{Files: 1, Messages: 5, InvalidRecords: 1, Batches: 1})
	s.expect("SELECT serial FROM state_messages", "1", "2", "4", "5")
	s.expect("SELECT first_serial, last_serial FROM serial_ranges", "1,5")
	s.expect("SELECT first_serial, last_serial, fingerprint = sipHash64(toUInt64(6)) - sipHash64(toUInt64(1)) FROM "+
		"arrivals", "1,5,1")
	s.expect("SELECT messages, set_aside FROM client_reports", "5,1")
	r := s.reason("a.SMX.1.SMX")
	s.expect("SELECT client_id, source_file, report_index, record_index, serial, code, reason, line, column FROM "+
		"set_aside_records",
		fmt.Sprintf("'%s','a.SMX',0,3,3,'%s','%s',%d,%d", client(1).UUID(), r.Code, strings.ReplaceAll(r.Reason, `'`, `\'`),
			r.Line, r.Column))
	if r.Code != smx.CodeNumber {
		t.Errorf("reason is %+v", r)
	}
	s.expectEmpty()

	repaired, err := os.ReadFile(filepath.Join(s.root, "corrupt", "a.SMX.1.SMX"))
	if err != nil {
		t.Fatal(err)
	}
	s.drop("repaired.SMX", []byte(strings.Replace(string(repaired), `<State ID="x"`, `<State ID="3"`, 1)))
	s.expectTotals(Totals{Files: 1, Messages: 1, Batches: 1})
	s.expect("SELECT serial, state_id FROM state_messages WHERE serial = 3", "3,3")
}

func TestBadSerialDoesNotCountAsReceived(t *testing.T) {
	s := newSite(t)
	doc := badSerial(bare(client(1), messages(1, 4)...), 2, "007")
	s.drop("a.SMX", badSerial(doc, 4, fmt.Sprint(uint64(1)<<62+1)))
	s.expectTotals(Totals{Files: 1, Messages: 4, InvalidRecords: 2, Batches: 1})
	s.expect("SELECT first_serial, last_serial FROM serial_ranges", "1,1", "3,3")
	s.expect("SELECT LastSerialNumber FROM SR_ClientMessageStats", "3")
	s.expect("SELECT serial, code FROM set_aside_records", "NULL,'"+smx.CodeSerial+"'", "NULL,'"+smx.CodeSerialOverflow+
		"'")
}

func TestBadReportInARelayFileIsSetAsideAndItsNeighboursLoad(t *testing.T) {
	s := newSite(t)
	data := relayed(t, epoch, bare(client(1), message(1)), bare(client(2), message(1)), bare(client(3), messages(1, 2)...))
	damaged := strings.Replace(string(data), client(2).String()+"</ClientID>", "nobody</ClientID>", 1)
	if damaged == string(data) {
		t.Fatal("nothing was damaged")
	}
	last := strings.LastIndex(damaged, `<State ID="`)
	s.drop("many.SMX", []byte(damaged[:last]+strings.Replace(damaged[last:], `<State ID="`, `<State ID="x`, 1)))
	s.drop("torn.SMX", []byte("<Report>"))
	var lines []string
	s.watchLog(func(text string, attr map[string]string) {
		if text == "processed batch" {
			lines = append(lines, strings.Join([]string{attr["files"], attr["bad_files"], attr["bad_reports"], attr["records"],
				attr["invalid"]}, " "))
		}
	})
	l := s.loader()
	totals, err := l.Drain(t.Context())
	if !slices.Equal(lines, []string{"2 1 1 2 1"}) {
		t.Errorf("the log has %q, want a line with 2 files, 1 of them bad, 1 bad report, 2 records and 1 invalid one", lines)
	}
	if want := (Totals{Files: 2, Messages: 3, InvalidRecords: 1, BadFiles: 1, BadReports: 1, Batches: 1}); err != nil ||
		totals != want || counter(t, l.metrics.badReports) != 1 {
		t.Errorf("have %+v, %v, the metric says %v; want %+v", totals, err, counter(t, l.metrics.badReports), want)
	}
	s.expect("SELECT report_index, record_index FROM set_aside_records", "2,4") // the record's place in the file
	s.expect("SELECT client_id FROM state_messages", "'"+client(1).UUID()+"'", "'"+client(3).UUID()+"'")
	s.expect("SELECT name, code FROM bad_files WHERE name != 'torn.SMX'", "'many.SMX.2.SMX','"+smx.CodeClientID+"'")
	if r := s.reason("many.SMX.2.SMX"); r.Code != smx.CodeClientID || r.Report != 2 || r.Receipt != "r-1" ||
		!r.Received.Equal(epoch.Add(time.Second)) {
		t.Errorf("reason is %+v", r)
	}
}

func TestNeighboursOfBadFilesLoadInTheSameScan(t *testing.T) {
	for _, bad := range []int{1, 128, 255} {
		t.Run(fmt.Sprint(bad, " of 256"), func(t *testing.T) {
			s := newSite(t)
			for n := range 256 {
				doc := bare(client(n), message(1))
				if n%256*bad/256 != (n+1)*bad/256 {
					doc = doc[:len(doc)/2]
				}
				s.drop(fmt.Sprintf("%03d.SMX", n), doc)
			}
			s.expectTotals(Totals{Files: 256, Messages: 256 - bad, BadFiles: bad, Batches: 1})
			s.expect("SELECT count() FROM state_messages", fmt.Sprint(256-bad))
			s.expect("SELECT count() FROM bad_files", fmt.Sprint(bad))
			if have := len(s.left("corrupt")); have != 2*bad {
				t.Errorf("corrupt holds %d files, want %d and their reasons", have, bad)
			}
			s.expectEmpty()
		})
	}
}

// A file that may not be read is set aside; one that the disk fails to give is tried again.
func TestWhatCanNeverBeReadIsToldFromWhatMayBeLater(t *testing.T) {
	wrap := func(err error) error { return &fs.PathError{Op: "read", Path: "a.SMX", Err: err} }
	for _, tt := range []struct {
		err  error
		code string
	}{
		{wrap(syscall.EACCES), "unreadable"}, {wrap(syscall.EPERM), "unreadable"}, {wrap(inbox.ErrTooLarge),
			smx.CodeTooLarge},
		{wrap(inbox.ErrHashMismatch), "hash_mismatch"}, {wrap(syscall.EIO), ""}, {wrap(syscall.EMFILE), ""},
	} {
		bad := neverReadable(tt.err)
		if (bad == nil) != (tt.code == "") || bad != nil && (bad.Code != tt.code || bad.Detail != tt.err.Error()) {
			t.Errorf("%v: %v, want %q", tt.err, bad, tt.code)
		}
	}
}
