package reports_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"statewire/reports"
	"statewire/reports/reportstest"
	"statewire/reports/summary"
	"statewire/store"
	"statewire/store/storetest"
)

// millionClients is the size of the store that the benchmark asks: a tenth of a large site, or what
// STATEWIRE_TEST_BENCH_CLIENTS says; 1000000 takes some minutes and 10 GB. A client has 100 messages and 20 states.
func millionClients(b *testing.B) int {
	text, ok := os.LookupEnv("STATEWIRE_TEST_BENCH_CLIENTS")
	if !ok {
		return 100_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1000 {
		b.Fatalf("STATEWIRE_TEST_BENCH_CLIENTS is %q: want a number of clients from 1000", text)
	}
	return n
}

// million is a large site's store, kept in the folder that STATEWIRE_TEST_BENCH_STORE names when it does.
func million(b *testing.B) *store.Store {
	b.Helper()
	catalog, err := os.ReadFile(filepath.Join("..", "configs", "state-catalog.csv"))
	if err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("..", "configs", "state-classes.csv"))
	if err != nil {
		b.Fatal(err)
	}
	classes, err := store.ParseClasses(text)
	if err != nil {
		b.Fatal(err)
	}
	opt := store.Options{Catalog: catalog, Classes: classes}
	dir := os.Getenv("STATEWIRE_TEST_BENCH_STORE")
	if dir == "" {
		s := storetest.NewWith(b, store.DefaultConfig(), opt)
		fillMillion(b, s)
		return s
	}
	opt.Dir, opt.Access = dir, store.Own
	s, err := store.Open(b.Context(), store.DefaultConfig(), opt)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	var rows uint64
	if err := s.Conn().QueryRow(b.Context(), "SELECT count() FROM client_reports").Scan(&rows); err != nil {
		b.Fatal(err)
	}
	if rows == 0 {
		fillMillion(b, s)
	}
	return s
}

// fillMillion makes the store by INSERT … SELECT.
func fillMillion(b *testing.B, s *store.Store) {
	b.Helper()
	began, all := time.Now(), millionClients(b)
	epoch := strconv.FormatInt(began.AddDate(0, 0, -400).UnixMicro(), 10)
	ctx := clickhouse.Context(b.Context(), clickhouse.WithSettings(clickhouse.Settings{
		"max_insert_threads": 1, "max_partitions_per_insert_block": 0, "optimize_on_insert": 0, "max_memory_usage": 0}))
	run := func(file string, clients, from int, args ...any) {
		b.Helper()
		text, err := os.ReadFile(filepath.Join("testdata", "million", file))
		if err != nil {
			b.Fatal(err)
		}
		args = append(args, clickhouse.Named("clients", strconv.Itoa(clients)), clickhouse.Named("from", strconv.Itoa(from)))
		if err := s.Conn().Exec(ctx, string(text), args...); err != nil {
			b.Fatalf("%s: %v", file, err)
		}
	}
	// The engine holds what one statement adds to every client at once.
	sliced := func(file string, args ...any) {
		b.Helper()
		const slice = 100_000
		for from := 0; from < all; from += slice {
			run(file, min(slice, all-from), from, slices.Clone(args)...)
		}
	}
	for n := range 100 {
		number := clickhouse.Named("n", strconv.Itoa(n))
		sliced("messages.sql", number, clickhouse.Named("epoch", epoch))
		if n%8 == 0 {
			sliced("reports.sql", number, clickhouse.Named("epoch", epoch))
		}
	}
	for _, table := range []string{"serial_ranges", "arrivals"} {
		sliced("ranges.sql", clickhouse.Named("table", table))
	}
	for _, file := range []string{"claims.sql", "presence.sql", "connections.sql"} {
		sliced(file)
	}
	for _, file := range []string{"missing.sql", "resyncs.sql", "servers.sql"} {
		run(file, all, 0)
	}
	// A site that has run for long has merged what it keeps of each client and topic.
	for _, table := range []string{"current_states_data", "clients_seen", "clients_named", "client_scans", "client_stats_data",
		"client_claims", "client_presence"} {
		if err := s.Conn().Exec(ctx, "OPTIMIZE TABLE "+table+" FINAL"); err != nil {
			b.Fatalf("merge %s: %v", table, err)
		}
	}
	b.Logf("%d clients in %v", all, time.Since(began).Round(time.Second))
}

// summarize makes the summaries of a site that has run for long, and says what that took.
func summarize(b *testing.B, s *store.Store) {
	b.Helper()
	began := time.Now()
	if err := summary.New(30*time.Second, summary.Deps{Store: s}).Step(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Logf("summaries in %v", time.Since(began).Round(time.Millisecond))
	clients := clickhouse.Named("clients", strconv.Itoa(millionClients(b)))
	for _, file := range []string{"days.sql", "classes.sql", "members.sql", "latest.sql"} {
		text, err := os.ReadFile(filepath.Join("testdata", "million", file))
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Conn().Exec(s.InsertContext(b.Context()), string(text), clients, clickhouse.Named("n", "7")); err != nil {
			b.Fatalf("%s: %v", file, err)
		}
	}
	if err := s.Conn().Exec(s.InsertContext(b.Context()),
		"INSERT INTO collections (name, revision, kind) VALUES ('tenth', 1, 'list')"); err != nil {
		b.Fatal(err)
	}
}

// questions are the reports of a large site as people ask them.
func questions() (all []question) {
	update := map[string]string{"subject": "update/ScopeId_8A4D7C11/Update_7"}
	deployment := map[string]string{"subject": "deployment/{DEPLOY1-7D1C-4B5A-8F21}"}
	with := func(params map[string]string, name, value string) map[string]string {
		params = maps.Clone(params)
		params[name] = value
		return params
	}
	return []question{
		{report: "updates"}, {report: "updates", params: map[string]string{"search": "Update_7"}}, {report: "deployments"}, {report: "subject", params: update},
		{report: "subject", params: deployment}, {report: "not-known", params: update}, {report: "subject-machines", params: update},
		{report: "subject-machines", params: with(update, "class", "bad")}, {report: "subject-machines", params: with(update, "class", "not_known")},
		{report: "subject-machines", params: with(update, "class", "outside")}, {report: "subject-machines", params: with(deployment, "class", "failed")},
		{report: "machines"}, {report: "machines", params: map[string]string{"problem": "failed"}}, {report: "machines-summary"},
		{report: "restart-pending"}, {report: "groups"}, {report: "collections-compliance"}, {report: "names"}, {report: "name-conflicts"},
		{report: "topics"}, {report: "compliance", params: map[string]string{"topic_type": "500"}},
		{report: "compliance", params: map[string]string{"topic_type": "500", "topic_id": "ScopeId_8A4D7C11/Update_7"}},
		{report: "compliance", params: map[string]string{"topic_type": "301"}}, {report: "deployment-enforcement"},
		{report: "deployment-enforcement", params: map[string]string{"deployment": "{DEPLOY1-7D1C-4B5A-8F21}"}}, {report: "scan-states"},
		{report: "clients-in-state", params: map[string]string{"topic_type": "301", "state_id": "8"}},
		{report: "clients-in-state", params: map[string]string{"topic_type": "500", "state_id": "2",
			"topic_id": "ScopeId_8A4D7C11/Update_7"}},
		{report: "unknown-clients", params: map[string]string{"topic_type": "500", "topic_id": "ScopeId_8A4D7C11/Update_7"}},
		{report: "unknown-clients", params: map[string]string{"topic_type": "300"}},
		{report: "clients"}, {report: "clients", params: map[string]string{"name": "pc-00123"}}, {report: "stale-states"}, {report: "report-age"},
		{report: "client-states", params: map[string]string{"client": "PC-0001234"}}, {report: "failures"},
		{report: "failing-clients", params: map[string]string{"topic_type": "301", "state_id": "6", "code": "0x80240012"}},
		{report: "silent-clients"}, {report: "volume"}, {report: "throughput"}, {report: "resyncs"}, {report: "resync-steps"},
		{report: "client-completeness"},
		{report: "completeness"}, {report: "missing-ranges"}, {report: "open-ranges"}, {report: "outstanding-resyncs"},
		{report: "unconfirmed-states"},
		{report: "messages", params: map[string]string{"client": "PC-0001234"}}, {report: "bad-files"}, {report: "bad-records"}, {report: "set-aside"},
		{report: "state-names"},
		{report: "gap-checks"}, {report: "differing-clients"}, {report: "conflicts"}, {report: "serial-jumps"}, {report: "freshness"},
		{report: "presence"}, {report: "presence", params: map[string]string{"is": "offline", "reason": "server_lost"}},
		{report: "presence", params: map[string]string{"client": "PC-0001234"}},
		{report: "presence-history", params: map[string]string{"client": "PC-0001234"}}, {report: "offline-clients"}, {report: "http-reasons"},
		{report: "never-connected"},
		{report: "notification-servers"}, {report: "component-messages"},
	}
}

// overTime are the questions about what was, with what they may take at a million clients (p95, in ms): a moment between two
// ends of days is counted from the history, all else is kept.
func overTime(now time.Time) []question {
	update, deployment := "update/ScopeId_8A4D7C11/Update_7", "deployment/{DEPLOY1-7D1C-4B5A-8F21}"
	day, instant := now.AddDate(0, 0, -30).Format(time.DateOnly), now.AddDate(0, 0, -30).Format(time.RFC3339)
	of := func(ms int, report string, params ...string) question {
		q := question{report: report, params: map[string]string{}, bound: time.Duration(ms) * time.Millisecond}
		for i := 0; i < len(params); i += 2 {
			q.params[params[i]] = params[i+1]
		}
		return q
	}
	return []question{
		of(50, "updates", "as_of", day), of(50, "deployments", "as_of", day), of(80, "subject", "subject", update, "as_of", day),
		of(120, "subject", "subject", update, "as_of", instant), of(700, "subject", "subject", deployment, "as_of", instant),
		of(120, "subject", "subject", update, "as_of", instant, "collection", "tenth"),
		of(80, "compliance-trend"), of(80, "compliance-trend", "subject", update),
		of(300, "compliance-trend", "subject", update, "collection", "tenth"),
		of(80, "burn-down", "subject", update), of(300, "burn-down", "subject", update, "collection", "tenth"),
		of(150, "time-to-remediate", "subject", update), of(450, "time-to-remediate", "subject", deployment),
		of(100, "time-to-remediate"), of(100, "time-to-remediate", "kind", "update", "since", "released"),
		of(150, "client-timeline", "client", "PC-0001234"), of(400, "updates", "collection", "tenth"),
	}
}

type question struct {
	report string
	params map[string]string
	bound  time.Duration // 0: none is set
}

func (q question) String() string {
	text := q.report
	for _, name := range []string{"subject", "class", "problem", "search", "topic_type", "topic_id", "state_id", "client", "name", "deployment", "code", "reason", "as_of", "collection", "since"} {
		if v := q.params[name]; v != "" {
			text += "," + name + "=" + v
		}
	}
	return text
}

// BenchmarkLimitReportsOfAMillion asks every report at the size of a large site.
func BenchmarkLimitReportsOfAMillion(b *testing.B) {
	s := million(b)
	summarize(b, s)
	r := (&reportstest.Seed{T: b, Store: s, Now: time.Now()}).Runner()
	for _, q := range append(questions(), overTime(time.Now())...) {
		b.Run(q.String(), func(b *testing.B) {
			for b.Loop() {
				p50, p95, err := timeQuestion(b.Context(), r, q)
				if err != nil {
					b.Error(err)
					return
				}
				b.ReportMetric(float64(p50.Microseconds())/1000, "p50_ms")
				b.ReportMetric(float64(p95.Microseconds())/1000, "p95_ms")
				if q.bound > 0 {
					b.ReportMetric(float64(p95)/float64(q.bound), "of_bound")
				}
			}
		})
	}
}

// timeQuestion asks a page of 100 rows, with its freshness, as the API does, a few times after one to warm up.
func timeQuestion(ctx context.Context, r *reports.Runner, q question) (p50, p95 time.Duration, err error) {
	var took []time.Duration
	for range 6 {
		began := time.Now()
		r.Freshness(ctx)
		rows, err := r.Run(ctx, q.report, q.params, reports.Page{Limit: 100})
		if err != nil {
			return 0, 0, err
		}
		for rows.Next() != nil {
		}
		err = rows.Err()
		_ = rows.Close()
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", q, err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took[1:])
	return took[3], took[5], nil
}
