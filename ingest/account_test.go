package ingest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// accountSQL is what the report of that name asks, within some clients.
func accountSQL(clients string) string {
	const report = "../reports/sql/account.sql"
	text, err := os.ReadFile(report)
	if err != nil {
		return err.Error()
	}
	sql := string(text)
	for _, table := range []string{"client_reports FINAL", "set_aside_ends FINAL",
		"state_messages FINAL WHERE source_file"} {
		with := strings.TrimSuffix(table, " WHERE source_file") + " WHERE client_id IN (" + clients + ")"
		if strings.HasSuffix(table, "source_file") {
			with += " AND source_file"
		}
		sql = within(sql, table, with)
	}
	sql = within(sql, "FROM set_aside_records FINAL WHERE", "FROM set_aside_records FINAL WHERE client_id IN ("+clients+") AND")
	return sql[strings.Index(sql, "WITH"):]
}

// within replaces the first place of old, whatever white space is between its words. Without such a place the query is none.
func within(sql, old, with string) string {
	words := strings.Fields(old)
	for i := range words {
		words[i] = regexp.QuoteMeta(words[i])
	}
	at := regexp.MustCompile(strings.Join(words, `\s+`)).FindStringIndex(sql)
	if at == nil {
		return "the report account asks nothing of " + old + "; WITH"
	}
	return sql[:at[0]] + with + sql[at[1]:]
}

// account is loaded, stored, duplicate, set aside and dropped of some clients.
func (s *site) account(clients ...int) string {
	s.t.Helper()
	var ids []string
	for _, n := range clients {
		ids = append(ids, "'"+client(n).UUID()+"'")
	}
	rows := s.rows("SELECT loaded, stored, duplicate, set_aside, dropped FROM (" + accountSQL(strings.Join(ids, ", ")) +
		")")
	return strings.Join(rows, ";")
}

// badly is a report of a client whose messages under some serials cannot be understood.
func badly(n int, first, last uint64, bad ...uint64) []byte {
	doc := string(bare(client(n), messages(first, last)...))
	for _, serial := range bad {
		at := strings.Index(doc, fmt.Sprintf(`SerialNumber="%d"`, serial))
		doc = doc[:at] + strings.Replace(doc[at:], ` Type="500"`, ` Type="x"`, 1)
	}
	return []byte(doc)
}

// mend makes a report of a client good again.
func mend(doc []byte) []byte {
	return []byte(strings.ReplaceAll(string(doc), ` Type="x"`, ` Type="500"`))
}

func (s *site) bad(name string) []byte {
	s.t.Helper()
	data, err := s.dir.ReadBad(name)
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

func (s *site) replay(name string, mended []byte) {
	s.t.Helper()
	if _, err := Replay(s.dir, name, mended); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) expectAccount(want string, clients ...int) {
	s.t.Helper()
	if have := s.account(clients...); have != want {
		s.t.Errorf("the account is %s, want %s", have, want)
	}
}

func TestTheBadRecordsOfAReportAreOneFileThatIsMendedAndReplayed(t *testing.T) {
	s := newSite(t)
	s.drop("a.SMX", badly(1, 1, 6, 2, 4, 5))
	s.expectTotals(Totals{Files: 1, Messages: 6, InvalidRecords: 3, Batches: 1})
	if have := fmt.Sprint(s.left("corrupt")); have != "[a.SMX.1.SMX a.SMX.1.SMX.reason.json]" {
		t.Errorf("corrupt holds %s", have)
	}
	r := s.reason("a.SMX.1.SMX")
	if len(r.Records) != 3 || r.Client != client(1).String() || r.File != "a.SMX" || r.Report != 1 || r.Received.IsZero() {
		t.Errorf("the reason is %+v", r)
	}
	for i, want := range []uint64{2, 4, 5} {
		one := r.Records[i]
		if one.Serial == nil || *one.Serial != want || one.Record != int(want) || one.Code != "bad_number" || one.Line == 0 ||
			one.Column == 0 {
			t.Errorf("record %d is %+v", i, one)
		}
	}
	if one := r.Records[0]; r.Code != one.Code || r.Reason != one.Reason || r.Line != one.Line || r.Column != one.Column {
		t.Errorf("the reason %+v does not begin as its first record", r)
	}
	s.expectAccount("6,3,0,3,0", 1)

	s.replay("a.SMX.1.SMX", nil) // nothing is mended: it lands there again and counts once
	s.drain()
	s.expectAccount("6,3,0,3,0", 1)
	half := []byte(strings.Replace(string(s.bad("a.SMX.1.SMX")), ` Type="x"`, ` Type="500"`, 1))
	s.replay("a.SMX.1.SMX", half)
	s.drain()
	s.expectAccount("6,4,0,2,0", 1)
	if r := s.reason("a.SMX.1.SMX"); len(r.Records) != 2 || *r.Records[0].Serial != 4 {
		t.Errorf("after one of three was mended the reason is %+v", r)
	}
	s.replay("a.SMX.1.SMX", mend(s.bad("a.SMX.1.SMX")))
	s.drain()
	s.expectAccount("6,6,0,0,0", 1)
	if have := s.left("corrupt"); len(have) > 0 {
		t.Errorf("corrupt still holds %q", have)
	}
	// a mended record arrived when its report did
	s.expect("SELECT uniqExact(received_time), count() FROM state_messages FINAL", "1,6")
	s.expect("SELECT how, records, replayed, dropped FROM set_aside_ends FINAL", "'replayed',3,3,0", "'replayed',3,3,0",
		"'replayed',2,2,0")
}

func TestARecordThatIsTakenOutOfAMendedFileIsDropped(t *testing.T) {
	s := newSite(t)
	s.drop("a.SMX", badly(1, 1, 4, 2, 3))
	s.drain()
	doc := string(mend(s.bad("a.SMX.1.SMX")))
	from, to := strings.Index(doc, "<StateMessage"), strings.Index(doc, "</StateMessage>")+len("</StateMessage>")
	s.replay("a.SMX.1.SMX", []byte(doc[:from]+doc[to:]))
	s.drain()
	s.expectAccount("4,3,0,0,1", 1)
}

func TestWhatIsDroppedIsCountedAndListed(t *testing.T) {
	s := newSite(t)
	s.drop("a.SMX", badly(1, 1, 4, 2, 3))
	s.drop("bad.SMX", []byte("<Report>"))
	s.drain()
	s.drop("a.SMX", badly(1, 1, 4, 2, 3))
	if _, err := Drop(t.Context(), s.dir, s.db, []string{"a.SMX.1.SMX"}, "ann", "why"); err == nil ||
		!strings.Contains(err.Error(), "a.SMX still waits") {
		t.Errorf("dropped what waits to come back: %v", err)
	}
	s.drain()
	s.expectAccount("8,2,4,2,0", 1) // the repeat is a copy, and took the other's place
	if _, err := Drop(t.Context(), s.dir, s.db, []string{"a.SMX.1.SMX", "nothing"}, "ann", "why"); err == nil ||
		len(s.left("corrupt")) != 4 {
		t.Errorf("%v, corrupt holds %q", err, s.left("corrupt"))
	}
	done, err := Drop(t.Context(), s.dir, s.db, []string{"a.SMX.1.SMX", "bad.SMX"}, "ann", "why")
	if err != nil || done.Files != 2 || done.Records != 2 || done.Bytes != 4*4096 || len(s.left("corrupt")) > 0 {
		t.Errorf("dropped %+v, %v; corrupt holds %q", done, err, s.left("corrupt"))
	}
	s.expectAccount("8,2,4,0,2", 1)
	s.expect("SELECT name, how, by, reason, records, dropped FROM set_aside_ends FINAL",
		"'a.SMX.1.SMX','dropped','ann','why',2,2", "'bad.SMX','dropped','ann','why',0,0")
	s.drop("a.SMX", badly(1, 1, 4, 2, 3)) // what comes again is set aside again
	s.drain()
	s.expectAccount("12,2,6,2,2", 1)
}

func TestABadFileHidesNoOtherOfItsName(t *testing.T) {
	s := newSite(t)
	for i, doc := range []string{"<Report>", "<Report><", "<Report>"} {
		s.drop("bad.SMX", []byte(doc))
		s.expectTotals(Totals{Files: 1, BadFiles: 1})
		s.expect("SELECT name, bytes FROM bad_files FINAL", []string{"'bad.SMX',8", "'bad~2.SMX',9"}[:min(i+1, 2)]...)
	}
	s.drop("a.SMX.1.SMX", []byte("<Report>")) // the name that the records of a.SMX would get
	s.drain()
	s.drop("a.SMX", badly(1, 1, 3, 2))
	s.drain()
	if have := s.left("corrupt"); len(have) != 8 || string(s.bad("a.SMX.1.SMX")) != "<Report>" ||
		!strings.Contains(string(s.bad("a.SMX.1~2.SMX")), "StateMessage") {
		t.Errorf("corrupt holds %q", have)
	}
	s.expect("SELECT kept_as FROM set_aside_records", "'a.SMX.1~2.SMX'")
	for _, b := range s.left("corrupt") {
		if _, whole := strings.CutSuffix(b, ".reason.json"); !whole && b != "a.SMX.1~2.SMX" {
			s.expect("SELECT count() FROM bad_files FINAL WHERE name = '"+b+"'", "1")
		}
	}
}

func TestAFileThatIsMendedAndReplayedLeavesTheList(t *testing.T) {
	s := newSite(t)
	good := bare(client(1), messages(1, 3)...)
	s.drop("bad.SMX", good[:len(good)-9])
	s.drain()
	if _, err := Replay(s.dir, "bad.SMX", nil); err == nil || !strings.Contains(err.Error(), "xml_syntax") {
		t.Errorf("tried again what cannot load: %v", err)
	}
	claimed := s.reason("bad.SMX").Received
	s.replay("bad.SMX", good)
	s.drain()
	s.expectAccount("3,3,0,0,0", 1)
	if have := s.left("corrupt"); len(have) > 0 {
		t.Errorf("corrupt still holds %q", have)
	}
	s.expect("SELECT DISTINCT toUnixTimestamp64Micro(received_time) FROM state_messages", fmt.Sprint(claimed.UnixMicro()))
	s.expect("SELECT name, how FROM set_aside_ends", "'bad.SMX','replayed'")
}

// The steps of a replay and of a drop fail one after the other, and the loader starts anew: nothing is lost, nothing
// counts twice.
func TestAReplayThatFailsAnywhereIsRepeated(t *testing.T) {
	all := append(steps(), "send set_aside_ends", "sent set_aside_ends")
	for n, at := range all {
		if strings.HasSuffix(at, "bad_files") {
			continue
		}
		t.Run(at, func(t *testing.T) {
			s := newSite(t)
			s.drop("a.SMX", badly(1, 1, 6, 2, 4))
			s.drain()
			// one of two, or both
			mended := []byte(strings.Replace(string(s.bad("a.SMX.1.SMX")), ` Type="x"`, ` Type="500"`, 1+n%2))
			s.replay("a.SMX.1.SMX", mended)
			healthy, failed := s.store, false
			ctx, cancel := context.WithCancel(t.Context())
			s.faulty(func(step string, _ []string) error {
				if step != at || failed {
					return nil
				}
				failed = true
				cancel() // the process ends here
				return syscall.ECONNRESET
			})
			_, _ = s.quick().Drain(ctx)
			if !failed && at != "send set_aside_records" && at != "sent set_aside_records" {
				t.Errorf("%s did not come to pass", at)
			}
			s.store = healthy
			s.restart()
			s.drain()
			s.expectEmpty()
			want := []string{"6,5,0,1,0", "6,6,0,0,0"}[n%2]
			s.expectAccount(want, 1)
			if have := len(s.left("corrupt")); have != []int{2, 0}[n%2] {
				t.Errorf("corrupt holds %q", s.left("corrupt"))
			}
		})
	}
}

func TestADropThatFailsAnywhereIsRepeated(t *testing.T) {
	for _, at := range []string{"send set_aside_ends", "sent set_aside_ends", "delete"} {
		t.Run(at, func(t *testing.T) {
			s := newSite(t)
			s.drop("a.SMX", badly(1, 1, 6, 2, 4))
			s.drain()
			s.faulty(func(step string, _ []string) error {
				if step == at {
					return syscall.ECONNRESET
				}
				return nil
			})
			corrupt := filepath.Join(s.root, "corrupt")
			if at == "delete" {
				before := s.bad("a.SMX.1.SMX")
				reason, _ := os.ReadFile(filepath.Join(corrupt, "a.SMX.1.SMX.reason.json"))
				if _, err := Drop(t.Context(), s.dir, s.store, []string{"a.SMX.1.SMX"}, "ann", "why"); err != nil {
					t.Fatal(err)
				}
				// A power cut brings both back.
				for name, data := range map[string][]byte{"a.SMX.1.SMX": before, "a.SMX.1.SMX.reason.json": reason} {
					if err := os.WriteFile(filepath.Join(corrupt, name), data, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			} else if _, err := Drop(t.Context(), s.dir, s.store, []string{"a.SMX.1.SMX"}, "ann", "why"); err == nil ||
				len(s.left("corrupt")) != 2 {
				t.Errorf("%v; corrupt holds %q", err, s.left("corrupt"))
			}
			if _, err := Drop(t.Context(), s.dir, s.db, []string{"a.SMX.1.SMX"}, "ann", "why"); err != nil {
				t.Fatal(err)
			}
			s.expectAccount("6,4,0,0,2", 1)
		})
	}
}
