package reports

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/store"
	"statewire/store/storetest"
)

// seed fills a test database the way the loader does, with one call per message or report.
type seed struct {
	t     testing.TB
	store *store.Store
	now   time.Time
}

// newSeed opens a fresh database with the shipped state catalog.
func newSeed(t testing.TB) *seed {
	t.Helper()
	catalog, err := os.ReadFile(filepath.Join("..", "configs", "state-catalog.csv"))
	if err != nil {
		t.Fatal(err)
	}
	s := storetest.NewWith(t, store.DefaultConfig(), store.Options{Catalog: catalog})
	return &seed{t: t, store: s, now: time.Now().UTC().Truncate(time.Millisecond)}
}

// runner is a runner over the seeded database.
func (s *seed) runner(change ...func(*Config, *Deps)) *Runner {
	s.t.Helper()
	cfg, deps, dir := DefaultConfig(), Deps{Conn: s.store.ReadOnly()}, ""
	for _, c := range change {
		c(&cfg, &deps)
		dir = cfg.Dir
	}
	catalog, err := LoadCatalog(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := NewRunner(cfg, catalog, deps)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// id is the client id of number n.
func id(n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
}

// message is one state message; zero fields take plain defaults.
type message struct {
	client   int
	serial   uint64
	ago      time.Duration // message time
	received time.Duration // arrival; 0 means ago
	topic    uint32
	id       string
	state    uint32
	params   []string
	file     string
}

func (s *seed) messages(list ...message) {
	s.t.Helper()
	b, err := s.store.Conn().PrepareBatch(s.store.InsertContext(s.t.Context()),
		`INSERT INTO state_messages (client_id, serial, message_us, received_time, topic_type, topic_id, topic_id_type,
			state_id, criticality, params, details, source_file, payload_hash, loaded_time)`)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range list {
		at := s.now.Add(-m.ago)
		arrived := at
		if m.received != 0 {
			arrived = s.now.Add(-m.received)
		}
		hash := fnv.New64a()
		fmt.Fprintf(hash, "%d %d %s %d %q", at.UnixMicro(), m.topic, m.id, m.state, m.params)
		if m.params == nil {
			m.params = []string{}
		}
		err := b.Append(id(m.client), m.serial, at.UnixMicro(), arrived, m.topic, m.id, uint16(0),
			m.state, uint32(0), m.params, "", m.file, hash.Sum64(), arrived.Add(2*time.Second))
		if err != nil {
			s.t.Fatal(err)
		}
	}
	if err := b.Send(); err != nil {
		s.t.Fatal(err)
	}
}

// report is one report's arrival.
type report struct {
	client   int
	name     string
	received time.Duration
	lag      time.Duration // from arrival to store
	file     string
	messages uint32
	setAside uint32
}

func (s *seed) reports(list ...report) {
	s.t.Helper()
	b, err := s.store.Conn().PrepareBatch(s.store.InsertContext(s.t.Context()),
		`INSERT INTO client_reports (client_id, received_time, loaded_time, source_file, report_index, netbios_name,
			client_version, client_type, report_time, messages, set_aside)`)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range list {
		at := s.now.Add(-r.received)
		if err := b.Append(id(r.client), at, at.Add(r.lag), r.file, uint32(0), r.name,
			"5.00.9141.1000", uint8(1), at, r.messages, r.setAside); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := b.Send(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *seed) exec(statement string, args ...any) {
	s.t.Helper()
	if err := s.store.Conn().Exec(s.store.InsertContext(s.t.Context()), statement, args...); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

// all runs a report and returns its shown rows as text, column by column.
func (s *seed) all(r *Runner, name string, params map[string]string) []map[string]string {
	s.t.Helper()
	rows, err := r.Run(s.t.Context(), name, params, Page{})
	if err != nil {
		s.t.Fatalf("report %s: %v", name, err)
	}
	return readRows(s.t, rows)
}

func readRows(t testing.TB, rows *Rows) []map[string]string {
	t.Helper()
	defer rows.Close()
	var out []map[string]string
	for row := rows.Next(); row != nil; row = rows.Next() {
		line := map[string]string{}
		for i, c := range rows.Columns {
			line[c.Name] = textOf(row[i])
		}
		out = append(out, line)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return out
}
