// Package reportstest fills a database for the tests of reports, explanations and pages, the way the loader fills one.
package reportstest

import (
	"fmt"
	"hash/fnv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/configs"
	"statewire/internal/tabular"
	"statewire/reports"
	"statewire/store"
	"statewire/store/storetest"
)

// Seed fills a test database the way the loader does, with one call per message or report.
type Seed struct {
	T     testing.TB
	Store *store.Store
	Now   time.Time

	held *held // not nil: what is told is kept until all of it goes into the store together
}

// NewSeed opens a fresh database with the shipped state catalog and classes.
func NewSeed(t testing.TB) *Seed {
	t.Helper()
	classes, err := configs.Default().StateClasses()
	if err != nil {
		t.Fatal(err)
	}
	s := storetest.NewWith(t, store.DefaultConfig(), store.Options{Catalog: configs.StateCatalog, Classes: classes})
	return &Seed{T: t, Store: s, Now: time.Now().UTC().Truncate(time.Millisecond)}
}

// Clock stands still at the seed's own time.
func (s *Seed) Clock() time.Time { return s.Now }

// Runner is a runner over the seeded database.
func (s *Seed) Runner(change ...func(*reports.Config, *reports.Deps)) *reports.Runner {
	s.T.Helper()
	cfg, deps, dir := reports.DefaultConfig(), reports.Deps{Conn: s.Store.ReadOnly()}, ""
	for _, c := range change {
		c(&cfg, &deps)
		dir = cfg.Dir
	}
	catalog, err := reports.LoadCatalog(dir)
	if err != nil {
		s.T.Fatal(err)
	}
	r, err := reports.NewRunner(cfg, catalog, deps)
	if err != nil {
		s.T.Fatal(err)
	}
	return r
}

// ID is the client id of number n.
func ID(n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
}

// Message is one state message; zero fields take plain defaults.
type Message struct {
	Client   int
	Serial   uint64
	Ago      time.Duration // message time
	Received time.Duration // arrival; 0 means ago
	Topic    uint32
	ID       string
	State    uint32
	Params   []string
	File     string
	Now      bool // loaded at this moment, whenever it arrived
}

func (s *Seed) Messages(list ...Message) {
	s.T.Helper()
	if s.held != nil {
		s.held.messages = append(s.held.messages, list...)
		return
	}
	b, err := s.Store.Conn().PrepareBatch(s.Store.InsertContext(s.T.Context()),
		`INSERT INTO state_messages (client_id, serial, message_us, received_time, topic_type, topic_id, topic_id_type,
			state_id, criticality, params, details, source_file, payload_hash, loaded_time)`)
	if err != nil {
		s.T.Fatal(err)
	}
	for _, m := range list {
		at := s.Now.Add(-m.Ago)
		arrived := at
		if m.Received != 0 {
			arrived = s.Now.Add(-m.Received)
		}
		hash := fnv.New64a()
		fmt.Fprintf(hash, "%d %d %s %d %q", at.UnixMicro(), m.Topic, m.ID, m.State, m.Params)
		if m.Params == nil {
			m.Params = []string{}
		}
		loaded := arrived.Add(2 * time.Second)
		if m.Now {
			loaded = time.Now()
		}
		err := b.Append(ID(m.Client), m.Serial, at.UnixMicro(), arrived, m.Topic, m.ID, uint16(0),
			m.State, uint32(0), m.Params, "", m.File, hash.Sum64(), loaded)
		if err != nil {
			s.T.Fatal(err)
		}
	}
	if err := b.Send(); err != nil {
		s.T.Fatal(err)
	}
}

// Report is one report's arrival.
type Report struct {
	Client   int
	Name     string
	Received time.Duration
	Lag      time.Duration // from arrival to store
	File     string
	Messages uint32
	SetAside uint32
}

func (s *Seed) Reports(list ...Report) {
	s.T.Helper()
	if s.held != nil {
		s.held.reports = append(s.held.reports, list...)
		return
	}
	b, err := s.Store.Conn().PrepareBatch(s.Store.InsertContext(s.T.Context()),
		`INSERT INTO client_reports (client_id, received_time, loaded_time, source_file, report_index, netbios_name,
			client_version, client_type, report_time, messages, set_aside)`)
	if err != nil {
		s.T.Fatal(err)
	}
	for _, r := range list {
		at := s.Now.Add(-r.Received)
		if err := b.Append(ID(r.Client), at, at.Add(r.Lag), r.File, uint32(0), r.Name,
			"5.00.9141.1000", uint8(1), at, r.Messages, r.SetAside); err != nil {
			s.T.Fatal(err)
		}
	}
	if err := b.Send(); err != nil {
		s.T.Fatal(err)
	}
}

func (s *Seed) Exec(statement string, args ...any) {
	s.T.Helper()
	if s.held != nil && len(args) == 0 && s.held.insert(statement) {
		return
	}
	if err := s.Store.Conn().Exec(s.Store.InsertContext(s.T.Context()), statement, args...); err != nil {
		s.T.Fatalf("%s: %v", statement, err)
	}
}

// All runs a report and returns its shown rows as text, column by column.
func (s *Seed) All(r *reports.Runner, name string, params map[string]string) []map[string]string {
	s.T.Helper()
	rows, err := r.Run(s.T.Context(), name, params, reports.Page{})
	if err != nil {
		s.T.Fatalf("report %s: %v", name, err)
	}
	return ReadRows(s.T, rows)
}

func ReadRows(t testing.TB, rows *reports.Rows) []map[string]string {
	t.Helper()
	defer rows.Close()
	var out []map[string]string
	for row := rows.Next(); row != nil; row = rows.Next() {
		line := map[string]string{}
		for i, c := range rows.Columns {
			line[c.Name] = tabular.Text(row[i])
		}
		out = append(out, line)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return out
}

// RequiredParams gives every required parameter a value its type accepts.
func RequiredParams(r *reports.Report) map[string]string {
	params := map[string]string{}
	for _, p := range r.Params {
		if p.Required {
			params[p.Name] = "1"
		}
	}
	return params
}

// Subject makes what required parameters name: a deployment called 1 that is meant for nobody.
func (s *Seed) Subject() *Seed {
	s.T.Helper()
	s.Exec("INSERT INTO topic_titles (topic_id, source, kind, target, version) VALUES ('1', 'file', 'deployment', 'none', 1)")
	return s
}

// Lines joins some columns of each row, for comparison at a glance.
func Lines(rows []map[string]string, columns ...string) string {
	var out []string
	for _, row := range rows {
		var cells []string
		for _, c := range columns {
			cells = append(cells, row[c])
		}
		out = append(out, strings.Join(cells, " | "))
	}
	return strings.Join(out, "\n")
}

func Expect(t *testing.T, got, want string) {
	t.Helper()
	if got, want = strings.TrimSpace(got), strings.TrimSpace(want); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

const Hour, Day = time.Hour, 24 * time.Hour

// At is a time of the seed as text, the way the answers write it.
func (s *Seed) At(ago time.Duration) string { return tabular.TimeText(s.Now.Add(-ago)) }
