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
	news, err := os.ReadFile(filepath.Join("testdata", "million", "latest.sql"))
	if err != nil {
		b.Fatal(err)
	}
	clients := clickhouse.Named("clients", strconv.Itoa(millionClients(b)))
	if err := s.Conn().Exec(s.InsertContext(b.Context()), string(news), clients, clickhouse.Named("n", "7")); err != nil {
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
		{"updates", nil}, {"updates", map[string]string{"search": "Update_7"}}, {"deployments", nil}, {"subject", update},
		{"subject", deployment}, {"not-known", update}, {"subject-machines", update},
		{"subject-machines", with(update, "class", "bad")}, {"subject-machines", with(update, "class", "not_known")},
		{"subject-machines", with(update, "class", "outside")}, {"subject-machines", with(deployment, "class", "failed")},
		{"machines", nil}, {"machines", map[string]string{"problem": "failed"}}, {"machines-summary", nil},
		{"restart-pending", nil}, {"groups", nil}, {"collections-compliance", nil}, {"names", nil}, {"name-conflicts", nil},
		{"topics", nil}, {"compliance", map[string]string{"topic_type": "500"}},
		{"compliance", map[string]string{"topic_type": "500", "topic_id": "ScopeId_8A4D7C11/Update_7"}},
		{"compliance", map[string]string{"topic_type": "301"}}, {"deployment-enforcement", nil},
		{"deployment-enforcement", map[string]string{"deployment": "{DEPLOY1-7D1C-4B5A-8F21}"}}, {"scan-states", nil},
		{"clients-in-state", map[string]string{"topic_type": "301", "state_id": "8"}},
		{"clients-in-state", map[string]string{"topic_type": "500", "state_id": "2",
			"topic_id": "ScopeId_8A4D7C11/Update_7"}},
		{"unknown-clients", map[string]string{"topic_type": "500", "topic_id": "ScopeId_8A4D7C11/Update_7"}},
		{"unknown-clients", map[string]string{"topic_type": "300"}},
		{"clients", nil}, {"clients", map[string]string{"name": "pc-00123"}}, {"stale-states", nil}, {"report-age", nil},
		{"client-states", map[string]string{"client": "PC-0001234"}}, {"failures", nil},
		{"failing-clients", map[string]string{"topic_type": "301", "state_id": "6", "code": "0x80240012"}},
		{"silent-clients", nil}, {"volume", nil}, {"throughput", nil}, {"resyncs", nil}, {"resync-steps", nil},
		{"client-completeness", nil},
		{"completeness", nil}, {"missing-ranges", nil}, {"open-ranges", nil}, {"outstanding-resyncs", nil},
		{"unconfirmed-states", nil},
		{"messages", map[string]string{"client": "PC-0001234"}}, {"bad-files", nil}, {"bad-records", nil}, {"set-aside", nil},
		{"state-names", nil},
		{"gap-checks", nil}, {"differing-clients", nil}, {"conflicts", nil}, {"serial-jumps", nil}, {"freshness", nil},
		{"presence", nil}, {"presence", map[string]string{"is": "offline", "reason": "server_lost"}},
		{"presence", map[string]string{"client": "PC-0001234"}},
		{"presence-history", map[string]string{"client": "PC-0001234"}}, {"offline-clients", nil}, {"http-reasons", nil},
		{"never-connected", nil},
		{"notification-servers", nil}, {"component-messages", nil},
	}
}

type question struct {
	report string
	params map[string]string
}

func (q question) String() string {
	text := q.report
	for _, name := range []string{"subject", "class", "problem", "search", "topic_type", "topic_id", "state_id", "client", "name", "deployment", "code", "reason"} {
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
	for _, q := range questions() {
		b.Run(q.String(), func(b *testing.B) {
			for b.Loop() {
				p50, p95, err := timeQuestion(b.Context(), r, q)
				if err != nil {
					b.Error(err)
					return
				}
				b.ReportMetric(float64(p50.Microseconds())/1000, "p50_ms")
				b.ReportMetric(float64(p95.Microseconds())/1000, "p95_ms")
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
