package embedded

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"go.uber.org/goleak"
)

var engine *Engine // opened once: the library wants one per process

func TestMain(m *testing.M) {
	if role := os.Getenv("STATEWIRE_TEST_ROLE"); role != "" {
		os.Exit(child(role))
	}
	if flag.Parse(); testing.Short() {
		os.Exit(0) // every test needs the engine
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "statewire-embedded-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	library, err := FindLibrary("")
	if err == nil {
		engine, err = Open(Config{Library: library, Path: dir})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	err = engine.Close()
	http.DefaultClient.CloseIdleConnections()
	if err = errors.Join(err, goleak.Find()); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// drive returns the driver over the engine, with changes to its options.
func drive(t testing.TB, change func(*clickhouse.Options)) driver.Conn {
	t.Helper()
	opt := &clickhouse.Options{
		Protocol: clickhouse.HTTP,
		Addr:     []string{"embedded"},
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) {
			return engine, nil
		},
	}
	if change != nil {
		change(opt)
	}
	conn, err := clickhouse.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func mustExec(t testing.TB, conn driver.Conn, sql string, args ...any) {
	t.Helper()
	if err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func scalar[T any](t testing.TB, conn driver.Conn, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// code is ClickHouse's code of an error, 0 when it has none.
func code(err error) int32 {
	var ex *clickhouse.Exception
	if errors.As(err, &ex) {
		return ex.Code
	}
	return 0
}

func TestDriverReadsManyBlocks(t *testing.T) {
	rows, err := drive(t, nil).Query(t.Context(), "SELECT number, toString(number) FROM numbers(300000)")
	if err != nil {
		t.Fatal(err)
	}
	var n, sum uint64
	for rows.Next() {
		var i uint64
		var s string
		if err := rows.Scan(&i, &s); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(i) != s {
			t.Fatalf("row %d holds %d and %q", n, i, s)
		}
		n, sum = n+1, sum+i
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	if n != 300000 || sum != 300000*299999/2 {
		t.Errorf("read %d rows with sum %d", n, sum)
	}
}

func TestAnswerWithoutRowsHasItsColumns(t *testing.T) {
	tests := []struct{ name, sql, want string }{
		{"filtered to nothing", "SELECT number AS n, 'x' AS `a\tb` FROM numbers(3) WHERE number > 5",
			"n UInt64, a\tb String"},
		{"limit 0", "SELECT toDateTime64(0, 3, 'UTC') AS t LIMIT 0", "t DateTime64(3, 'UTC')"},
		{"with a common table", "WITH x AS (SELECT 1 AS a WHERE 0) SELECT * FROM x", "a UInt8"},
		{"with parameters", "SELECT {v:String} AS v WHERE 0", "v String"},
	}
	conn := drive(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rows, err := conn.Query(t.Context(), tt.sql, clickhouse.Named("v", "x"))
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var got []string
			for _, c := range rows.ColumnTypes() {
				got = append(got, c.Name()+" "+c.DatabaseTypeName())
			}
			if g := strings.Join(got, ", "); g != tt.want {
				t.Errorf("columns %q, want %q", g, tt.want)
			}
			if rows.Next() {
				t.Error("there is a row")
			}
		})
	}
}

// The engine plans a statement a second time to say the columns of an answer without rows.
func TestAScannedAnswerWithoutRowsComesWithoutColumns(t *testing.T) {
	ctx, conn := Scanned(t.Context()), drive(t, nil)
	rows, err := conn.Query(ctx, "SELECT number AS n FROM numbers(3) WHERE number > 5")
	if err != nil {
		t.Fatal(err)
	}
	if got := rows.Columns(); len(got) != 0 || rows.Next() || rows.Err() != nil {
		t.Errorf("columns %v, error %v; want neither, and no row", got, rows.Err())
	}
	var n, none uint64
	if err := conn.QueryRow(ctx, "SELECT number AS n FROM numbers(3) WHERE number = 2").Scan(&n); err != nil || n != 2 {
		t.Errorf("a row is %d, %v; want 2", n, err)
	}
	if err := conn.QueryRow(ctx, "SELECT 1 WHERE 0").Scan(&none); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no row is %v, want %v", err, sql.ErrNoRows)
	}
}

func TestParametersArriveAsTheyAre(t *testing.T) {
	conn := drive(t, nil)
	for _, v := range []string{"plain", "", "it's", `back\slash`, "tab\tnew\nline", "\x00\x01", "ümlaut 日本",
		"'); DROP TABLE x; --", `\N`} {
		if got := scalar[string](t, conn, "SELECT {v:String}", clickhouse.Named("v", v)); got != v {
			t.Errorf("sent %q, got %q", v, got)
		}
	}
}

func TestSettingsStayWithTheirRequest(t *testing.T) {
	conn := drive(t, func(o *clickhouse.Options) { o.MaxOpenConns = 1 })
	before := scalar[uint64](t, conn, "SELECT getSetting('max_block_size')::UInt64")
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_block_size": 77}))
	var got uint64
	if err := conn.QueryRow(ctx, "SELECT getSetting('max_block_size')::UInt64").Scan(&got); err != nil || got != 77 {
		t.Errorf("with the setting: %d, %v", got, err)
	}
	mustExec(t, conn, "SET max_block_size = 78")
	mustExec(t, conn, "USE system")
	if after := scalar[uint64](t, conn, "SELECT getSetting('max_block_size')::UInt64"); after != before {
		t.Errorf("max_block_size is %d after other requests, was %d", after, before)
	}
	if db := scalar[string](t, conn, "SELECT currentDatabase()"); db != "default" {
		t.Errorf("database is %s after another request's USE", db)
	}
	bad := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"no_such_setting": 1}))
	if err := conn.Exec(bad, "SELECT 1"); code(err) != 115 {
		t.Errorf("unknown setting: %v, want code 115", err)
	}
}

func TestErrorsAreTheDriversTypedExceptions(t *testing.T) {
	conn := drive(t, nil)
	mustExec(t, conn, "CREATE TABLE IF NOT EXISTS default.typed (a UInt8) ENGINE = Memory")
	tests := []struct {
		name, sql string
		code      int32
	}{
		{"unknown table", "SELECT * FROM nowhere", 60},
		{"syntax", "SELEC 1", 62},
		{"unknown column", "SELECT b FROM default.typed", 47},
		{"unknown database", "SELECT * FROM nowhere.t", 81},
		{"failure while running", "SELECT throwIf(number = 5) FROM numbers(10)", 395},
		{"failure after rows went out", "SELECT number, throwIf(number = 290000) FROM numbers(300000)", 395},
		{"several statements", "SELECT 1; SELECT 2", 62},
		{"insert of what does not fit", "INSERT INTO default.typed VALUES ('x')", 27},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rows, err := conn.Query(t.Context(), tt.sql)
			if err == nil {
				for rows.Next() {
				}
				err = errors.Join(rows.Err(), rows.Close())
			}
			if got := code(err); got != tt.code && !(tt.code == 27 && (got == 6 || got == 53 || got == 62)) {
				t.Errorf("error %v has code %d, want %d", err, got, tt.code)
			}
		})
	}
}

func TestContextEndsAStatement(t *testing.T) {
	conn := drive(t, nil)
	tests := []struct{ name, sql string }{
		{"before its first row", "SELECT sum(sleepEachRow(0.05)) FROM numbers(1000) SETTINGS max_block_size = 1"},
		{"while its rows are read", "SELECT number, sleepEachRow(0.05) FROM numbers(1000) SETTINGS max_block_size = 1"},
		{"that returns nothing",
			"CREATE TABLE default.slow ENGINE = Memory AS SELECT sleepEachRow(0.05) FROM numbers(1000) SETTINGS " +
				"max_block_size = 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			began := time.Now()
			rows, err := conn.Query(ctx, tt.sql)
			if err == nil {
				for rows.Next() {
				}
				err = errors.Join(rows.Err(), rows.Close())
			}
			if err == nil {
				t.Error("the statement ended by itself")
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("ended after %s: %v", took, err)
			}
		})
	}
	running := func() uint64 { return scalar[uint64](t, conn, "SELECT count() FROM system.processes") - 1 }
	for end := time.Now().Add(10 * time.Second); running() > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond) // the engine ends a statement at its next block
	}
	if n := running(); n > 0 {
		t.Errorf("%d statements still run", n)
	}
}

func TestInsertThroughTheDriver(t *testing.T) {
	conn := drive(t, nil)
	mustExec(t, conn, "CREATE TABLE default.ins (a UInt64, s String, l Array(String)) ENGINE = MergeTree ORDER BY a")
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO default.ins (a, s, l)")
	if err != nil {
		t.Fatal(err)
	}
	const rows = 200_000
	for i := range rows {
		if err := batch.Append(uint64(i), fmt.Sprint("text ", i), []string{"x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	if n := scalar[uint64](t, conn,
		"SELECT count() FROM default.ins WHERE s = concat('text ', toString(a)) AND l = ['x']"); n != rows {
		t.Errorf("%d rows are right, want %d", n, rows)
	}
	if n := scalar[uint64](t, conn, "SELECT count() FROM system.parts WHERE table = 'ins'"); n != 1 {
		t.Errorf("one insert made %d parts", n)
	}
}

// The driver closes a body that it could not encode as if it were complete. What
// arrives then must never be acknowledged.
func TestInsertOfUnevenColumnsIsRefused(t *testing.T) {
	conn := drive(t, nil)
	mustExec(t, conn, "CREATE TABLE default.uneven (a UInt64, b UInt64) ENGINE = MergeTree ORDER BY a")
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO default.uneven (a, b)")
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Column(0).Append([]uint64{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := batch.Column(1).Append([]uint64{1}); err != nil {
		t.Fatal(err)
	}
	if err := batch.Send(); err == nil {
		t.Errorf("acknowledged; the table has %d rows", scalar[uint64](t, conn, "SELECT count() FROM default.uneven"))
	}
	if n := scalar[uint64](t, conn, "SELECT count() FROM default.uneven"); n != 0 {
		t.Errorf("%d rows are stored", n)
	}
}

func TestManyStatementsAtOnce(t *testing.T) {
	conn := drive(t, func(o *clickhouse.Options) { o.MaxOpenConns = 3 * maxConns })
	errs := make(chan error)
	const callers = 3 * maxConns
	for i := range callers {
		go func() {
			var sum uint64
			ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_block_size": 1000 + i%5}))
			err := conn.QueryRow(ctx, "SELECT sum(number) FROM numbers(100000)").Scan(&sum)
			if err == nil && sum != 100000*99999/2 {
				err = fmt.Errorf("sum is %d", sum)
			}
			errs <- err
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// brokenBody fails after some bytes, like a loader that dies in the middle.
type brokenBody struct{ io.Reader }

func (b brokenBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestInsertThatBreaksOffStoresNothing(t *testing.T) {
	conn := drive(t, nil)
	mustExec(t, conn, "CREATE TABLE default.broken (a String) ENGINE = MergeTree ORDER BY a")
	for _, body := range []string{"", "\x01\x05\x01a\x06String\x01x", strings.Repeat("\x00", 1<<20)} {
		query := "http://x/?query=" + url.QueryEscape("INSERT INTO default.broken FORMAT Native")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, query, brokenBody{strings.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := engine.RoundTrip(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				t.Errorf("%d bytes of an insert that broke off are acknowledged", len(body))
			}
		}
	}
	if n := scalar[uint64](t, conn, "SELECT count() FROM default.broken"); n != 0 {
		t.Errorf("%d rows are stored", n)
	}
}

// The loader tells from the code whether to try again or to look for the bad file.
func TestInsertErrorsKeepTheirCode(t *testing.T) {
	conn := drive(t, nil)
	mustExec(t, conn, "CREATE TABLE default.coded (a UInt64, s String, CONSTRAINT c CHECK a < 1000000) ENGINE = "+
		"MergeTree ORDER BY a")
	tests := []struct {
		name     string
		settings clickhouse.Settings
		first    uint64
		code     int32
	}{
		{"memory", clickhouse.Settings{"max_memory_usage": 100_000}, 0, 241},
		{"constraint", nil, 1_000_000, 469},
		{"time", clickhouse.Settings{"max_execution_time": 0.000001}, 0, 159},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(tt.settings))
			batch, err := conn.PrepareBatch(ctx, "INSERT INTO default.coded (a, s)")
			if err == nil {
				for i := range uint64(50_000) {
					if err := batch.Append(tt.first+i, "some text of some length"); err != nil {
						t.Fatal(err)
					}
				}
				err = batch.Send()
			}
			if code(err) != tt.code {
				t.Errorf("error %v, want code %d", err, tt.code)
			}
		})
	}
}
