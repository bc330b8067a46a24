package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"statewire/inbox"
	"statewire/smx"
	"statewire/store/storetest"
)

// model is what a site must know after everything has loaded: sets, nothing more.
type model struct {
	arrived, setAside int
	stored            map[string]map[string]bool // by client and serial, the different payloads
	topics            map[string]bool
}

// modelRecord is a record as a client sends it.
type modelRecord struct {
	client, serial, version int
	bad                     bool
}

func (r modelRecord) message() smx.Message {
	m := message(uint64(r.serial))
	m.StateID = uint32(r.version)
	return m
}

func (m *model) add(records []modelRecord) {
	for _, r := range records {
		m.arrived++
		if r.bad {
			m.setAside++
			continue
		}
		key, payload := fmt.Sprint(r.client, " ", r.serial), fmt.Sprint(r.version)
		if m.stored[key] == nil {
			m.stored[key] = map[string]bool{}
		}
		m.stored[key][payload] = true
		m.topics[fmt.Sprint(r.client, " ", r.message().TopicID)] = true
	}
}

func (m *model) distinct() (messages, conflicts int) {
	for key, payloads := range m.stored {
		messages += len(payloads)
		if !strings.HasSuffix(key, " 0") {
			conflicts += len(payloads) - 1
		}
	}
	return messages, conflicts
}

// doc is a report of one client.
func doc(base int, records []modelRecord) []byte {
	var all []smx.Message
	for _, r := range records {
		m := r.message()
		if r.bad {
			m.TopicType = 4242
		}
		all = append(all, m)
	}
	return []byte(strings.ReplaceAll(string(bare(client(base+records[0].client), all...)), `Type="4242"`, `Type="-1"`))
}

// TestWhatArrivedIsStoredOrACopyOrSetAside lets clients send what they like, in any order and as often as they like,
// and restarts the loader in between: arrived = stored + duplicate + set aside, from what the store holds and from the
// counters.
func TestWhatArrivedIsStoredOrACopyOrSetAside(t *testing.T) {
	storetest.Checks(t, 30)
	s := newSite(t)
	base := 0
	rapid.Check(t, func(t *rapid.T) {
		base += 100
		m := &model{stored: map[string]map[string]bool{}, topics: map[string]bool{}}
		var sum Totals
		var sent [][]byte
		l := s.loader()
		for range rapid.IntRange(1, 4).Draw(t, "drains") {
			for range rapid.IntRange(1, 5).Draw(t, "files") {
				drawFile(t, s, m, base, &sent)
			}
			if rapid.Bool().Draw(t, "restart") {
				sum = plus(sum, l.Totals())
				s.restart()
				l = s.loader()
			}
			if _, err := l.Drain(s.t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		sum = plus(sum, l.Totals())
		m.compare(t, s, base, sum)
	})
}

// drawFile drops or puts a file of one report or many, with new records and copies of what was sent.
func drawFile(t *rapid.T, s *site, m *model, base int, sent *[][]byte) {
	draw := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) modelRecord {
		return modelRecord{
			serial:  rapid.IntRange(0, 12).Draw(t, "serial"),
			version: rapid.IntRange(1, 2).Draw(t, "version"),
			bad:     rapid.IntRange(0, 9).Draw(t, "bad") == 0,
		}
	}), 1, 8)
	var docs [][]byte
	for range rapid.IntRange(1, 3).Draw(t, "reports") {
		records := draw.Draw(t, "records")
		client := rapid.IntRange(0, 2).Draw(t, "client")
		for i := range records {
			records[i].client = client
		}
		m.add(records)
		docs = append(docs, doc(base, records))
		if rapid.Bool().Draw(t, "twice") {
			m.add(records)
			docs = append(docs, docs[len(docs)-1])
		}
	}
	if rapid.Bool().Draw(t, "bare") {
		for i, d := range docs {
			s.drop(fmt.Sprintf("%d-%d.SMX", len(*sent), i), d)
		}
	} else {
		// One second apart from any other, so that no two arrivals are one.
		s.put(inbox.Lane(rapid.IntRange(0, 2).Draw(t, "lane")),
			relayed(s.t, epoch.Add(time.Duration(base*1000+len(*sent)*10)*time.Second), docs...))
	}
	*sent = append(*sent, docs...)
}

func (m *model) compare(t *rapid.T, s *site, base int, sum Totals) {
	t.Helper()
	var ids []string
	for n := range 3 {
		ids = append(ids, "'"+client(base+n).UUID()+"'")
	}
	where := " WHERE client_id IN (" + strings.Join(ids, ", ") + ")"
	messages, conflicts := m.distinct()
	for sql, want := range map[string]string{
		"SELECT count() FROM state_messages FINAL" + where:                           fmt.Sprint(messages),
		"SELECT uniqExact(client_id, serial) FROM state_messages" + where:            fmt.Sprint(len(m.stored)),
		"SELECT count(), uniqExact(client_id, topic_id) FROM current_states" + where: fmt.Sprintf("%d,%[1]d", len(m.topics)),
		"SELECT sum(messages), sum(set_aside) FROM client_reports FINAL" + where: fmt.Sprintf("%d,%d", m.arrived,
			m.setAside),
	} {
		if have := queryRows(s.t, s.store, sql); len(have) != 1 || have[0] != want {
			t.Errorf("%s\nhave %q\nwant %q", sql, have, want)
		}
	}
	if sum.Messages != m.arrived || sum.InvalidRecords != m.setAside || sum.Duplicates != m.arrived-m.setAside-messages ||
		sum.Conflicts != conflicts {
		t.Errorf("counted %+v; the model has %d arrived, %d set aside, %d stored, %d conflicts", sum, m.arrived, m.setAside,
			messages, conflicts)
	}
}

func plus(a, b Totals) Totals {
	return Totals{
		Files: a.Files + b.Files, Messages: a.Messages + b.Messages, Duplicates: a.Duplicates + b.Duplicates,
		InvalidRecords: a.InvalidRecords + b.InvalidRecords, BadFiles: a.BadFiles + b.BadFiles, BadReports: a.BadReports +
			b.BadReports, Conflicts: a.Conflicts + b.Conflicts,
		Batches: a.Batches + b.Batches,
	}
}
