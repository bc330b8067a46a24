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

func TestMixedFilesLoad(t *testing.T) {
	s := newSite(t)
	s.drop("utf8.SMX", bare(client(1), messages(1, 3)...))
	s.drop("utf16le.smx", smx.EncodeUTF16(nil, bare(client(2), messages(1, 2)...), false))
	s.drop("utf16be.SMX", smx.EncodeUTF16(nil, bare(client(3), messages(1, 1)...), true))
	s.put(inbox.Normal, relayed(t, epoch, bare(client(4), messages(1, 2)...), bare(client(5), messages(7, 9)...)))
	s.expectTotals(Totals{Files: 4, Messages: 11, Batches: 1})
	s.expect("SELECT client_id, count(), min(serial), max(serial) FROM state_messages GROUP BY client_id",
		"'"+client(1).UUID()+"',3,1,3", "'"+client(2).UUID()+"',2,1,2", "'"+client(3).UUID()+"',1,1,1",
		"'"+client(4).UUID()+"',2,1,2", "'"+client(5).UUID()+"',3,7,9")
	s.expectEmpty()
}

func TestEveryColumnIsStored(t *testing.T) {
	s := newSite(t)
	m := smx.Message{
		Time: epoch.Add(123456 * time.Microsecond), Serial: 1431, TopicType: 500, TopicID: " {leading space}", TopicIDType: 3,
		User: `CONTOSO\steve`, UserSID: "S-1-5-21", StateID: 2, Criticality: 4, DetailsType: -1, Details: "<a>&\"'\n",
		Params: []string{"102", "", "=cmd|'/C calc'!A0"},
	}
	other := message(1432)
	other.Params = nil
	doc := bare(client(1), m, other)
	name := s.put(inbox.Normal, relayed(t, epoch.Add(time.Hour), doc))
	s.drain()
	s.expect(`SELECT toUnixTimestamp64Micro(received_time), toUnixTimestamp64Milli(message_time), topic_type, topic_id, topic_id_type, state_id,
		criticality, params, details, source_file, user, user_sid, details_type, flags, receipt, message_us FROM state_messages WHERE serial = 1431`,
		fmt.Sprintf(`%d,%d,500,' {leading space}',3,2,4,['102','','=cmd|\'/C calc\'!A0'],'<a>&"\'\n','%s','CONTOSO\\steve','S-1-5-21',-1,0,'r-0',%d`,
			epoch.Add(time.Hour).UnixMicro(), m.Time.UnixMilli(), name, m.Time.UnixMicro()))
	s.expect("SELECT payload_hash FROM state_messages ORDER BY serial", fmt.Sprint(smx.PayloadHash(&m)),
		fmt.Sprint(smx.PayloadHash(&other)))
	s.expect("SELECT params FROM state_messages WHERE serial = 1432", "[]")
	s.expect(`SELECT client_id, source_file, report_index, receipt, netbios_name, client_version, client_type, toUnixTimestamp64Milli(report_time),
		messages, set_aside, first_serial, last_serial FROM client_reports`,
		fmt.Sprintf("'%s','%s',0,'r-0','PC-%s','5.00.9000',1,%d,2,0,1431,1432", client(1).UUID(), name, client(1).UUID()[:8],
			epoch.UnixMilli()))
	s.expect("SELECT first_serial, last_serial FROM serial_ranges", "1431,1432")
}

func TestLoadingTwiceChangesNothing(t *testing.T) {
	s := newSite(t)
	files := map[string][]byte{
		"a.SMX": bare(client(1), messages(1, 9)...),
		"b.SMX": smx.EncodeUTF16(nil, bare(client(2), messages(3, 5)...), false),
		"c.SMX": bare(client(1), append(messages(5, 12), message(0), message(0))...),
	}
	var before [][]string
	for round := range 3 {
		for name, data := range files {
			s.drop(name, data)
		}
		s.drain()
		after := [][]string{
			s.rows("SELECT uniqExact(client_id, serial) FROM state_messages"),
			s.rows("SELECT * FROM current_states ORDER BY ALL"),
			s.rows("SELECT * EXCEPT LastResyncIssuedTime FROM SR_ClientMessageStats ORDER BY ALL"),
			s.rows("SELECT client_id, first_report_time FROM clients ORDER BY ALL"),
			s.rows("SELECT client_id, first_serial, last_serial FROM serial_ranges FINAL ORDER BY ALL"),
		}
		if round > 0 && !slices.EqualFunc(before, after, slices.Equal) {
			t.Errorf("round %d changed\n%q\ninto\n%q", round, before, after)
		}
		before = after
		s.expectEmpty()
	}
}

func TestMessagesAreCountedByWhatTheyAre(t *testing.T) {
	other := func(serial uint64) smx.Message {
		m := message(serial)
		m.StateID = 77
		return m
	}
	for _, tt := range []struct {
		name   string
		drains [][]smx.Message
		want   Totals // of the last drain
	}{
		{"new ones", [][]smx.Message{messages(1, 5)}, Totals{Messages: 5}},
		{"copies of stored ones", [][]smx.Message{messages(1, 5), messages(4, 6)}, Totals{Messages: 3, Duplicates: 2}},
		{"copies in one batch", [][]smx.Message{append(messages(1, 3), messages(2, 4)...)},
			Totals{Messages: 6, Duplicates: 2}},
		{"late ones that fill a gap", [][]smx.Message{append(messages(1, 2), messages(8, 9)...), messages(4, 6)},
			Totals{Messages: 3}},
		{"late ones, twice in one batch", [][]smx.Message{messages(8, 9), append(messages(4, 6), messages(6, 6)...)},
			Totals{Messages: 4, Duplicates: 1}},
		{"another message under a stored serial", [][]smx.Message{messages(1, 5), {other(3)}},
			Totals{Messages: 1, Conflicts: 1}},
		{"a copy of one of two conflicting ones", [][]smx.Message{{message(3), other(3)}, {other(3)}},
			Totals{Messages: 1, Duplicates: 1}},
		{"two messages under a serial in one batch", [][]smx.Message{{message(3), other(3)}},
			Totals{Messages: 2, Conflicts: 1}},
		{"messages without a serial are no conflict", [][]smx.Message{{message(0)}, {other(0), other(0), message(0)}},
			Totals{Messages: 3, Duplicates: 2}},
	} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarted %v", tt.name, restarted), func(t *testing.T) {
				s := newSite(t)
				l := s.loader()
				var before Totals
				for i, m := range tt.drains {
					s.drop(fmt.Sprintf("%d.SMX", i), bare(client(1), m...))
					if restarted {
						l = s.loader()
					}
					before = l.Totals()
					if _, err := l.Drain(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				have := l.Totals()
				have.Messages -= before.Messages
				have.Duplicates -= before.Duplicates
				have.Conflicts -= before.Conflicts
				have.Files, have.Batches = 0, 0
				if have != tt.want {
					t.Errorf("have %+v, want %+v", have, tt.want)
				}
			})
		}
	}
}

func TestConflictingMessagesAreBothKept(t *testing.T) {
	one, other := message(7), message(7)
	other.StateID, other.Time = 9, one.Time.Add(-time.Hour)
	for _, order := range [][]smx.Message{{one, other}, {other, one}} {
		s := newSite(t)
		for i, m := range order {
			s.drop(fmt.Sprintf("%d.SMX", i), bare(client(1), m))
			s.drain()
		}
		s.expect("SELECT uniqExact(payload_hash) FROM state_messages", "2")
		s.expect("SELECT serial, state_id FROM current_states", fmt.Sprintf("7,%d", one.StateID))
	}
}

func TestReceivedTimeOfADroppedFileIsItsFirstClaim(t *testing.T) {
	s := newSite(t)
	s.drop("a.SMX", bare(client(1), message(1)))
	chunk, err := s.box.Claim()
	if err != nil || chunk == nil {
		t.Fatal(chunk, err)
	}
	claimed := chunk.Files[0].Claimed
	s.restart()
	s.drain()
	s.expect("SELECT toUnixTimestamp64Micro(received_time) FROM state_messages", fmt.Sprint(claimed.UnixMicro()))
	s.expect("SELECT toUnixTimestamp64Micro(received_time) FROM client_reports", fmt.Sprint(claimed.UnixMicro()))
}

func TestFirstArrivalCountsWhicheverIsLoadedFirst(t *testing.T) {
	for _, first := range []int{0, 1} {
		s := newSite(t)
		for _, n := range []int{first, 1 - first} {
			s.put(inbox.Normal, relayed(t, epoch.Add(time.Duration(n)*time.Hour), bare(client(1), message(1))))
			s.drain()
		}
		s.expect("SELECT toUnixTimestamp64Micro(received_time) FROM current_states", fmt.Sprint(epoch.UnixMicro()))
		s.expect("SELECT toUnixTimestamp64Micro(received_time) FROM state_messages FINAL", fmt.Sprint(epoch.UnixMicro()))
	}
}

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

func TestSerialThatJumpsIsFlaggedAndACopyKeepsTheFlag(t *testing.T) {
	s := newSite(t)
	far := messages(2_000_000, 2_000_001)
	for round := range 3 {
		// The same arrivals again, as after a crash: which of two equal rows stays is the engine's choice.
		s.put(inbox.Normal, relayed(t, epoch, bare(client(1), append(messages(1, 1), far...)...),
			bare(client(2), messages(1_000_000, 1_000_000)...), bare(client(3), messages(1_000_001, 1_000_001)...)))
		s.restart()
		s.drain()
		s.expect("SELECT serial, bitAnd(flags, 128) != 0 FROM state_messages FINAL", "1,0", "2000000,1", "2000001,0",
			"1000000,0", "1000001,1")
		s.expect("SELECT serial, bitAnd(flags, 128) != 0 FROM current_states WHERE serial = 2000000", "2000000,1")
		if t.Failed() {
			t.Fatal("in round ", round)
		}
	}
}

func TestHighLaneIsLoadedFirst(t *testing.T) {
	s := newSite(t)
	s.cfg.LoaderThreads, s.cfg.LoaderChunkFiles = 1, 1
	s.restart()
	for n, lane := range []inbox.Lane{inbox.Low, inbox.Normal, inbox.High, inbox.Low, inbox.Normal, inbox.High} {
		s.put(lane, bare(client(n), message(1)))
	}
	var order []int
	s.watchLog(func(text string, attr map[string]string) {
		if text == "claimed chunk" {
			order = append(order, slices.Index([]string{"high", "normal", "low"}, attr["lane"]))
		}
	})
	s.expectTotals(Totals{Files: 6, Messages: 6, Batches: 1})
	if !slices.IsSorted(order) || len(order) != 6 {
		t.Errorf("loaded in the order %v", order)
	}
}

func TestReceivedTimesOfManyMonthsDoNotPoisonAChunk(t *testing.T) {
	s := newSite(t)
	var accepted []smx.Accepted
	for month := range 150 {
		doc := bare(client(month), message(1))
		at := epoch.AddDate(0, -month, 0)
		accepted = append(accepted, acceptedReport(t, at, "r", doc))
	}
	s.drop("hostile.SMX", smx.AppendFile(nil, accepted))
	s.drop("good.SMX", bare(client(999), message(1)))
	s.expectTotals(Totals{Files: 2, Messages: 151, Batches: 1})
	s.expect("SELECT count() FROM current_states", "151")
	s.expectEmpty()
}

func TestFilesThatAreNoReportsAreLeftAlone(t *testing.T) {
	s := newSite(t)
	s.drop("a.txt", []byte("hello"))
	s.drop("b.SMX.tmp", []byte("hello"))
	if err := os.Mkdir(filepath.Join(s.root, "incoming", "folder.SMX"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(s.root, "incoming", "link.SMX")); err != nil {
		t.Fatal(err)
	}
	s.expectTotals(Totals{})
	if have := s.left("incoming"); !slices.Equal(have, []string{"a.txt", "b.SMX.tmp", "link.SMX"}) {
		t.Errorf("incoming holds %q", have)
	}
}

func TestVanishedFileIsCountedAndNoError(t *testing.T) {
	s := newSite(t)
	s.cfg.LoaderThreads = 1
	s.drop("a.SMX", bare(client(1), message(1)))
	s.drop("b.SMX", bare(client(2), message(1)))
	s.watchLog(func(text string, _ map[string]string) {
		if text == "claimed chunk" {
			os.Remove(filepath.Join(s.root, "incoming", "a.SMX"))
		}
	})
	l := s.loader()
	if have, err := l.Drain(t.Context()); err != nil || have.Files != 1 || have.Messages != 1 {
		t.Errorf("have %+v, %v", have, err)
	}
	if n := counter(t, l.metrics.files.WithLabelValues("vanished")); n != 1 {
		t.Errorf("%v files vanished, want 1", n)
	}
	s.expectEmpty()
}

func TestRunsOfABatchAreAddedUpAsTheyAreStored(t *testing.T) {
	s := newSite(t)
	for n := range uint64(5) {
		s.drop(fmt.Sprintf("%d.SMX", n), bare(client(1), message(n+1)))
	}
	s.expectTotals(Totals{Files: 5, Messages: 5, Batches: 1})
	s.expect("SELECT count() FROM serial_ranges", "5")
	s.expect("SELECT first_serial, last_serial, fingerprint = sipHash64(toUInt64(6)) - sipHash64(toUInt64(1)) FROM "+
		"arrivals", "1,5,1")
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
