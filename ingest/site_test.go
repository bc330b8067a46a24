package ingest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"statewire/inbox"
	"statewire/smx"
	"statewire/store"
	"statewire/store/storetest"
)

func TestMain(m *testing.M) {
	if child := os.Getenv(childEnv); child != "" {
		os.Exit(runChild(child))
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/ClickHouse/clickhouse-go/v2.(*connPool).runDrainPool"))
}

// site is an inbox and a database of a test's own.
type site struct {
	t     testing.TB
	root  string
	dir   *inbox.Dir
	box   *inbox.Loader
	store database
	db    *store.Store // behind store
	log   *slog.Logger
	cfg   Config
	deps  Deps
}

// newSite opens an empty site whose loader waits for nobody.
func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, root: filepath.Join(t.TempDir(), "statesys.box"), cfg: DefaultConfig(),
		log: slog.New(slog.DiscardHandler)}
	s.db = storetest.New(t)
	s.store = s.db
	s.openInbox()
	t.Cleanup(s.closeInbox)
	return s
}

func (s *site) openInbox() {
	s.t.Helper()
	config := inbox.DefaultConfig()
	config.Settle = 0
	config.RetryMin, config.RetryMax = 20*time.Millisecond, 100*time.Millisecond
	var err error
	if s.dir, err = config.Open(s.root, s.log); err != nil {
		s.t.Fatal(err)
	}
	if s.box, err = s.dir.Loader(s.cfg.LoaderChunkFiles, s.cfg.MaxChunksFetched); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) closeInbox() {
	if s.box == nil {
		return
	}
	if err := s.box.Close(); err != nil {
		s.t.Error(err)
	}
	if err := s.dir.Close(); err != nil {
		s.t.Error(err)
	}
	s.box, s.dir = nil, nil
}

// restart gives the inbox back and opens it anew.
func (s *site) restart() {
	s.t.Helper()
	s.closeInbox()
	s.openInbox()
}

func (s *site) loader() *Loader {
	s.t.Helper()
	deps := s.deps
	deps.Inbox, deps.Store, deps.Log = s.box, s.store, s.log
	l, err := New(s.cfg, deps)
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// drain loads what waits with a new loader.
func (s *site) drain() Totals {
	s.t.Helper()
	totals, err := s.loader().Drain(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return totals
}

// expectTotals loads what waits and compares what was done.
func (s *site) expectTotals(want Totals) {
	s.t.Helper()
	if have := s.drain(); have != want {
		s.t.Errorf("have %+v, want %+v", have, want)
	}
}

// watchLog calls f for every record that loaders made from now on log.
func (s *site) watchLog(f func(text string, attr map[string]string)) {
	s.log = slog.New(&logWatch{f: f})
}

// logWatch is a log that calls a function.
type logWatch struct {
	slog.Handler
	mu sync.Mutex
	f  func(text string, attr map[string]string)
}

func (w *logWatch) Enabled(context.Context, slog.Level) bool { return true }

func (w *logWatch) Handle(_ context.Context, r slog.Record) error {
	attr := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		attr[a.Key] = a.Value.String()
		return true
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.f(r.Message, attr)
	return nil
}

func counter(t testing.TB, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

// drop puts a file into incoming as somebody copying it would.
func (s *site) drop(name string, data []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.root, "incoming", name), data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// put puts a file into a lane as the relay does.
func (s *site) put(lane inbox.Lane, data []byte) string {
	s.t.Helper()
	name, err := s.dir.Put(lane, data, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return name
}

// rows answers a query as lines of text.
func (s *site) rows(sql string) []string {
	s.t.Helper()
	return queryRows(s.t, s.store, sql)
}

func queryRows(t testing.TB, db database, sql string) []string {
	t.Helper()
	lines, err := query(db, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return lines
}

func query(db database, sql string) (lines []string, err error) {
	rows, err := db.Conn().Query(context.Background(), "SELECT toString(tuple(*)) FROM ("+sql+")")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		lines = append(lines, strings.TrimSuffix(strings.TrimPrefix(line, "("), ")"))
	}
	return lines, rows.Err()
}

// expect compares a query's rows, in the order of their text.
func (s *site) expect(sql string, want ...string) {
	s.t.Helper()
	have := s.rows(sql)
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		s.t.Errorf("%s\nhave %q\nwant %q", sql, have, want)
	}
}

// left is what lies in a folder of the inbox.
func (s *site) left(folder string) (names []string) {
	s.t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.root, folder))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// expectEmpty says that nothing waits and nothing is claimed.
func (s *site) expectEmpty() {
	s.t.Helper()
	for _, folder := range []string{"incoming/high", "incoming", "incoming/low", "process"} {
		if names := s.left(folder); len(names) > 0 {
			s.t.Errorf("%s holds %q, want nothing", folder, names)
		}
	}
}

func (s *site) reason(name string) (r inbox.Reason) {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.root, "corrupt", name+".reason.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

// client is the n-th client of a test.
func client(n int) (id smx.ClientID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)*0x9E3779B97F4A7C15)
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

var epoch = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// message is a message of a few topics, every serial with its own time and state.
func message(serial uint64) smx.Message {
	return smx.Message{
		Time: epoch.Add(time.Duration(serial%1_000_000) * time.Second), Serial: serial,
		TopicType: 500, TopicID: fmt.Sprintf("{topic-%d}", serial%3), TopicIDType: 3,
		StateID: uint32(serial % 5), Params: []string{"102", "", "x"}[:serial%4%3+1],
	}
}

func header(id smx.ClientID) smx.Header {
	return smx.Header{Client: id, ClientInstalled: 1, ClientType: 1, Priority: smx.NoPriority, LCID: 1033,
		ClientVersion: "5.00.9000",
		NetBIOSName:   "PC-" + id.UUID()[:8], CodePage: "437", Date: epoch}
}

// bare is a report as a client sends it.
func bare(id smx.ClientID, messages ...smx.Message) []byte {
	return smx.AppendReport(nil, &smx.Report{Header: header(id), Messages: messages})
}

// span of serials as messages.
func messages(first, last uint64) (all []smx.Message) {
	for n := first; n <= last; n++ {
		all = append(all, message(n))
	}
	return all
}

// relayed is a file as the relay writes it; the reports were received a second apart from at on.
func relayed(t testing.TB, at time.Time, reports ...[]byte) []byte {
	t.Helper()
	var accepted []smx.Accepted
	for i, doc := range reports {
		accepted = append(accepted, acceptedReport(t, at.Add(time.Duration(i)*time.Second), fmt.Sprintf("r-%d", i), doc))
	}
	return smx.AppendFile(nil, accepted)
}

func acceptedReport(t testing.TB, at time.Time, receipt string, doc []byte) smx.Accepted {
	t.Helper()
	checked, err := smx.NewDecoder().Check(doc)
	if err != nil {
		t.Fatal(err)
	}
	return smx.Accepted{Client: checked.Client, Received: at, Receipt: receipt, Messages: checked.Messages,
		Body: slices.Clone(checked.Body)}
}
