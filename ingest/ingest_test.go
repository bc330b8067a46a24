package ingest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
