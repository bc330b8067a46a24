package embedded

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

func serve(t testing.TB, readonly bool) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(engine.Handler(readonly))
	t.Cleanup(srv.Close)
	return srv
}

// ask sends a statement as curl does and returns status and body.
func ask(t testing.TB, method, address, body string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func TestHandlerAnswersLikeAClickHouseServer(t *testing.T) {
	srv := serve(t, false)
	q := func(sql string) string { return "/?query=" + url.QueryEscape(sql) }
	tests := []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"ping", "GET", "/ping", "", 200, "Ok.\n"},
		{"root", "GET", "/", "", 200, "Ok.\n"},
		{"query in the URL", "GET", q("SELECT 1"), "", 200, "1\n"},
		{"query in the body", "POST", "/", "SELECT 1 + 1", 200, "2\n"},
		{"format of the query", "POST", "/", "SELECT 1 AS a FORMAT JSONEachRow", 200, "{\"a\":1}\n"},
		{"default format", "POST", "/?default_format=CSVWithNames", "SELECT 1 AS a", 200, "\"a\"\n1\n"},
		{"format with a head and no rows", "POST", "/", "SELECT 1 AS a WHERE 0 FORMAT CSVWithNames", 200, "\"a\"\n"},
		{"many rows of a format with a head have one head", "POST", "/", "SELECT count() FROM (SELECT 1) FORMAT TSVWithNames",
			200, "count()\n1\n"},
		{"parameter", "POST", "/?param_x=7", "SELECT {x:UInt8}", 200, "7\n"},
		{"setting", "POST", "/?max_block_size=3", "SELECT getSetting('max_block_size')", 200, "3\n"},
		{"database", "POST", "/?database=system", "SELECT currentDatabase()", 200, "system\n"},
		{"a GET cannot write", "GET", q("CREATE TABLE default.g (a UInt8) ENGINE = Memory"), "", 403, "READONLY"},
		{"unknown path", "GET", "/play/nothing", "", 404, "404"},
		{"error", "POST", "/", "SELECT * FROM nowhere", 404, "Code: 60. DB::Exception: "},
		{"external tables", "POST", "/multipart", "", 404, "404"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body, _ := ask(t, tt.method, srv.URL+tt.path, tt.body)
			if status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("answered %d %q, want %d %q", status, body, tt.status, tt.want)
			}
		})
	}
}

func TestHandlerHeaders(t *testing.T) {
	srv := serve(t, false)
	_, _, h := ask(t, "POST", srv.URL+"/?query_id=mine", "SELECT 1 FORMAT JSON")
	if h.Get("X-ClickHouse-Query-Id") != "mine" || h.Get("X-ClickHouse-Timezone") != "UTC" {
		t.Errorf("headers %v", h)
	}
	_, _, h = ask(t, "POST", srv.URL, "SELECT nothing")
	if h.Get("X-ClickHouse-Exception-Code") != "47" {
		t.Errorf("exception code %q, want 47", h.Get("X-ClickHouse-Exception-Code"))
	}
}

func TestHandlerInserts(t *testing.T) {
	srv := serve(t, false)
	ask(t, "POST", srv.URL, "CREATE TABLE default.posted (a UInt8, b String) ENGINE = Memory")
	tests := []struct{ name, query, body string }{
		{"rows in the body, format in the URL", "INSERT INTO default.posted FORMAT CSV", "1,x\n2,y\n"},
		{"statement and rows in the body", "", "INSERT INTO default.posted FORMAT JSONEachRow\n{\"a\":3,\"b\":\"z\"}\n"},
		{"values in the body", "INSERT INTO default.posted VALUES", "(4, 'v')"},
		{"values in the statement", "", "INSERT INTO default.posted VALUES (5, 'w')"},
		{"from a select", "", "INSERT INTO default.posted SELECT 6, 's'"},
	}
	for _, tt := range tests {
		if status, body, _ := ask(t, "POST", srv.URL+"/?query="+url.QueryEscape(tt.query), tt.body); status != 200 {
			t.Errorf("%s: %d %s", tt.name, status, body)
		}
	}
	_, body, _ := ask(t, "POST", srv.URL, "SELECT arraySort(groupArray(a)) FROM default.posted")
	if body != "[1,2,3,4,5,6]\n" {
		t.Errorf("stored %s", body)
	}
}

func overHTTP(t testing.TB, srv *httptest.Server, change func(*clickhouse.Options)) driver.Conn {
	t.Helper()
	opt := &clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{strings.TrimPrefix(srv.URL, "http://")}}
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

func TestDriverOverHTTPWithEveryCompression(t *testing.T) {
	srv := serve(t, false)
	for _, method := range []clickhouse.CompressionMethod{clickhouse.CompressionNone, clickhouse.CompressionLZ4,
		clickhouse.CompressionZSTD, clickhouse.CompressionGZIP} {
		t.Run(method.String(), func(t *testing.T) {
			conn := overHTTP(t, srv,
				func(o *clickhouse.Options) { o.Compression = &clickhouse.Compression{Method: method, Level: 3} })
			table := "default.packed_" + method.String()
			mustExec(t, conn, "CREATE TABLE "+table+" (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
			batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO "+table)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 1000 {
				if err := batch.Append(uint64(i), strings.Repeat("x", i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := batch.Send(); err != nil {
				t.Fatal(err)
			}
			if n := scalar[uint64](t, conn, "SELECT sum(length(s)) FROM "+table); n != 999*1000/2 {
				t.Errorf("stored %d bytes", n)
			}
			rows, err := conn.Query(t.Context(), "SELECT number, throwIf(number = 290000) FROM numbers(300000)")
			if err == nil {
				for rows.Next() {
				}
				err = rows.Err()
				rows.Close()
			}
			if code(err) != 395 && method != clickhouse.CompressionLZ4 && method != clickhouse.CompressionZSTD {
				t.Errorf("error behind rows: %v", err)
			}
			if err == nil {
				t.Error("an error behind rows was lost")
			}
		})
	}
}

func TestReadOnlyHandlerReads(t *testing.T) {
	conn := overHTTP(t, serve(t, true), nil)
	mustExec(t, drive(t, nil),
		"CREATE TABLE IF NOT EXISTS default.seen ENGINE = MergeTree ORDER BY a AS SELECT number AS a FROM numbers(10)")
	for _, sql := range []string{
		"SELECT count() FROM default.seen",
		"WITH 1 AS x SELECT count() * x FROM default.seen",
		"(SELECT count() FROM default.seen)",
		"SELECT toUInt64(10) AS `INTO OUTFILE`",
		"SELECT toUInt64(10) -- INTO OUTFILE 'x'",
	} {
		if n := scalar[uint64](t, conn, sql); n != 10 {
			t.Errorf("%s: %d", sql, n)
		}
	}
	for _, sql := range []string{"SHOW TABLES FROM default", "DESCRIBE default.seen", "EXISTS default.seen",
		"EXPLAIN SELECT 1", "SHOW CREATE TABLE default.seen"} {
		if err := conn.Exec(t.Context(), sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// refusedReadOnly are ways out of reading, each of which the engine alone, or a
// careless reading of the text, would let pass.
func refusedReadOnly(dir string) []string {
	out := filepath.Join(dir, "out")
	return []string{
		"INSERT INTO default.seen VALUES (11)",
		"CREATE TABLE default.made (a UInt8) ENGINE = Memory",
		"CREATE TEMPORARY TABLE made (a UInt8)",
		"DROP TABLE default.seen",
		"TRUNCATE TABLE default.seen",
		"ALTER TABLE default.seen DELETE WHERE 1",
		"OPTIMIZE TABLE default.seen FINAL",
		"SYSTEM STOP MERGES",
		"SYSTEM SHUTDOWN",
		"KILL QUERY WHERE 1",
		"SET readonly = 0",
		"SET max_memory_usage = 0",
		"USE system",
		"BACKUP TABLE default.seen TO File('" + out + "')",
		"SELECT 1 SETTINGS readonly = 0",
		"SELECT 1 SETTINGS max_memory_usage = 0",
		"SELECT * FROM (SELECT 1 SETTINGS readonly = 0)",
		"SELECT * FROM (SELECT 1 settings/**/max_threads = 1, `readonly` = 0)",
		"WITH x AS (SELECT 1 SETTINGS max_memory_usage = 0) SELECT * FROM x",
		"SELECT (SELECT 1 SETTINGS readonly = 0)",
		"SELECT 1 IN (SELECT 1 SETTINGS max_execution_time = DEFAULT)",
		"SELECT 1 UNION ALL SELECT 2 SETTINGS readonly = 0",
		"SELECT * FROM view(SELECT 1 SETTINGS readonly = 0)",
		"EXPLAIN SELECT * FROM (SELECT 1 SETTINGS readonly = 0)",
		"SELECT 1; DROP TABLE default.seen",
		"SELECT 1 INTO OUTFILE '" + out + "'",
		"SELECT 1 into/**/outfile '" + out + "' FORMAT CSV",
		"SELECT 1 UNION ALL SELECT 2 INTO\nOUTFILE '" + out + "'",
		"WITH x AS (SELECT 1) SELECT * FROM x INTO OUTFILE '" + out + "' TRUNCATE",
		"SHOW DATABASES INTO OUTFILE '" + out + "'",
		"DESCRIBE default.seen INTO OUTFILE '" + out + "'",
		"EXPLAIN SELECT 1 INTO OUTFILE '" + out + "'",
		"SELECT file('/etc/hostname')",
		"SELECT `file`('/etc/hostname')",
		"SELECT \"file\"('/etc/hostname')",
		"SELECT x APPLY file FROM (SELECT '/etc/hostname' AS x)",
		"SELECT arrayMap(file, ['/etc/hostname'])",
		"EXPLAIN SELECT file('/etc/hostname')",
		"WITH file('/etc/hostname') AS x SELECT x",
		"SELECT * FROM file('/etc/hostname', 'LineAsString')",
		"SELECT * FROM '/etc/hostname'",
		"SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
		"SELECT * FROM remote('127.0.0.1:1', 'system.one')",
		"SELECT * FROM executable('x', 'TSV', 'a String')",
		"SELECT * FROM sqlite('/tmp/x', 'y')",
	}
}

func TestReadOnlyHandlerRefuses(t *testing.T) {
	srv := serve(t, true)
	rw := drive(t, nil)
	mustExec(t, rw, "CREATE TABLE IF NOT EXISTS default.seen ENGINE = MergeTree ORDER BY a AS SELECT number AS a FROM "+
		"numbers(10)")
	dir := t.TempDir()
	for _, sql := range refusedReadOnly(dir) {
		for _, query := range []string{"", "?readonly=0", "?readonly=2&allow_ddl=1"} {
			if status, body, _ := ask(t, "POST", srv.URL+"/"+query, sql); status == 200 {
				t.Errorf("%s with %q: answered %q", sql, query, body)
			}
		}
		if status, body, _ := ask(t, "GET", srv.URL+"/?query="+url.QueryEscape(sql), ""); status == 200 {
			t.Errorf("GET %s: answered %q", sql, body)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files were written: %v %v", left, err)
	}
	if n := scalar[uint64](t, rw, "SELECT count() FROM default.seen"); n != 10 {
		t.Errorf("the table has %d rows, want its 10", n)
	}
	status, _, _ := ask(t, "POST", srv.URL+"/?query="+url.QueryEscape("INSERT INTO default.seen FORMAT CSV"), "12\n")
	if status != 403 {
		t.Errorf("an insert with its rows in the body answered %d, want 403", status)
	}
}

// A connection keeps the rows that came before a failure, and gives them to whoever asks next.
func TestAFailedStatementLeavesNothingToTheNextOne(t *testing.T) {
	for _, readonly := range []bool{true, false} {
		srv := serve(t, readonly)
		for _, format := range []string{"", " FORMAT Native", " FORMAT JSONEachRow", " FORMAT Null"} {
			for _, failing := range []string{"SELECT number, throwIf(number = 290000) FROM numbers(300000)",
				"SELECT number FROM numbers(2000000)", "SELECT nothing"} {
				ask(t, "POST", srv.URL+"/?max_result_rows=1000000", failing+format)
				if status, body, _ := ask(t, "POST", srv.URL+"/?max_result_rows=1000000", "SELECT 'mine'"); status != 200 ||
					body != "mine\n" {
					t.Errorf("readonly %v, after %s%s: %d %.40q", readonly, failing, format, status, body)
				}
			}
		}
	}
}

func TestReadOnlyHandlerLimits(t *testing.T) {
	srv := serve(t, true)
	tests := []struct{ name, query, want string }{
		{"time", "", "60"},
		{"a stricter wish counts", "?max_execution_time=5", "5"},
		{"a looser wish does not", "?max_execution_time=500", "60"},
		{"no limit does not", "?max_execution_time=0", "60"},
		{"nonsense does not", "?max_execution_time=x", "60"},
	}
	for _, tt := range tests {
		if _, body, _ := ask(t, "POST", srv.URL+"/"+tt.query,
			"SELECT toString(getSetting('max_execution_time'))"); strings.TrimSpace(body) != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, body, tt.want)
		}
	}
	if status, body, _ := ask(t, "POST", srv.URL, "SELECT number FROM numbers(2000000)"); status == 200 &&
		!strings.Contains(body, "Code: 396") {
		t.Errorf("two million rows: %d", status)
	}
}
