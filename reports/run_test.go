package reports_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"statewire/internal/tabular"
	"statewire/reports"
	"statewire/reports/reportstest"
)

func code(err error) string {
	var q *reports.QueryError
	if errors.As(err, &q) {
		return q.Code
	}
	return fmt.Sprint(err)
}

// TestAnErrorBehindRowsIsOurSentence has the engine give up when rows are on their way.
func TestAnErrorBehindRowsIsOurSentence(t *testing.T) {
	r := reportstest.NewSeed(t).Runner()
	rows, err := r.SQL(t.Context(), "SELECT throwIf(number = 60000, 'stop') FROM numbers(60001)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() != nil {
		n++
	}
	if n == 0 || code(rows.Err()) != "query" || !strings.HasPrefix(rows.Err().Error(), "sql: stop") {
		t.Errorf("%d rows, then %v", n, rows.Err())
	}
}

func TestAdHocSQLOnlyReads(t *testing.T) {
	s := reportstest.Fleet(t)
	r := s.Runner()
	for _, c := range []struct{ sql, want string }{
		{"", "the statement is empty"},
		{" -- nothing\n;", "the statement is empty"},
		{"SELECT 1; SELECT 2", "only one statement"},
		{"SELECT 1 FORMAT CSV", "leave out FORMAT"},
		{"SELECT 1 INTO OUTFILE '/tmp/x'", "leave out INTO OUTFILE"},
		{"INSERT INTO resyncs (client_id) VALUES (generateUUIDv4())", "read_only"},
		{"DROP TABLE clients_data", "read_only"},
		{"TRUNCATE TABLE state_messages", "read_only"},
		{"ALTER TABLE state_messages DELETE WHERE 1", "read_only"},
		{"CREATE TABLE x (a UInt8) ENGINE = Memory", "read_only"},
		{"SYSTEM STOP MERGES", "read_only"},
		{"SELECT * FROM file('/etc/passwd', LineAsString)", "read_only"},
		{"SELECT * FROM url('http://127.0.0.1:1/', LineAsString)", "read_only"},
		{"SELECT 1 SETTINGS readonly = 0", "read_only"},
		{"SET readonly = 0", "read_only"},
		{"SELEC 1", "syntax"},
		{"SELECT ((1)", "syntax"},
		{"SELECT nothing FROM clients", "query"},
	} {
		rows, err := r.SQL(t.Context(), c.sql)
		if err == nil {
			t.Errorf("%s: %v", c.sql, reportstest.ReadRows(t, rows))
			continue
		}
		if !strings.Contains(err.Error(), c.want) && code(err) != c.want {
			t.Errorf("%s: %v (%s), want %s", c.sql, err, code(err), c.want)
		}
		if strings.Contains(err.Error(), "\n") || len(err.Error()) > 900 {
			t.Errorf("%s: not one plain line: %v", c.sql, err)
		}
	}
	for sql, want := range map[string]string{
		"SELECT count() AS n FROM clients":           "n=5",
		"SELECT 1 AS _x, 3 AS c":                     "_x=1 c=3",
		"WITH 1 AS x SELECT x, 'a;b' AS y -- ; end;": "x=1 y=a;b",
		"SELECT NULL AS a, [1,2] AS b, map('k', toDateTime64('2025-01-31 08:00:00.5', 3, 'UTC')) AS c, toDecimal64(1.5, " +
			"2) AS d, (1, 'x') AS e": `a= b=[1,2] c={"k":"2025-01-31T08:00:00.5Z"} d=1.5 e=[1,"x"]`,
		"SELECT toUInt64(18446744073709551615) AS a, toInt256('-170141183460469231731687303715884105728') AS b, nan AS c, " +
			"toFloat32(0.1) AS f, toIPv4('1.2.3.4') AS g, true AS h": "a=18446744073709551615 " +
			"b=-170141183460469231731687303715884105728 c=nan f=0.1 g=1.2.3.4 h=true",
	} {
		rows, err := r.SQL(t.Context(), sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		var cells []string
		row := rows.Next()
		for i, c := range rows.Columns {
			cells = append(cells, c.Name+"="+tabular.Text(row[i]))
		}
		if got := strings.Join(cells, " "); got != want || rows.Next() != nil || rows.Err() != nil {
			t.Errorf("%s: got %s, want %s (%v)", sql, got, want, rows.Err())
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLimitsEndAQueryWithAClearText(t *testing.T) {
	s := reportstest.NewSeed(t)
	r := s.Runner(func(c *reports.Config, _ *reports.Deps) { c.MaxRows, c.Timeout, c.MaxMemory = 10, time.Second, 64<<20 })
	rows, err := r.SQL(t.Context(), "SELECT number FROM numbers(11)")
	if err == nil {
		for rows.Next() != nil {
		}
		err = rows.Err()
		if closed := rows.Close(); closed != nil {
			t.Error(closed)
		}
	}
	if !errors.Is(err, reports.ErrTooManyRows) && code(err) != "too_many_rows" {
		t.Errorf("rows: %v", err)
	}
	if rows, err := r.SQL(t.Context(), "SELECT number FROM numbers(10)"); err != nil ||
		len(reportstest.ReadRows(t, rows)) != 10 {
		t.Errorf("as many as allowed: %v", err)
	}
	if _, err := r.SQL(t.Context(), "SELECT sum(sipHash64(number)) FROM numbers(100000000000)"); code(err) != "timeout" {
		t.Errorf("time: %v", err)
	}
	patient := s.Runner(func(c *reports.Config, _ *reports.Deps) { c.Timeout, c.MaxMemory = time.Minute, 64<<20 })
	if _, err := patient.SQL(t.Context(), "SELECT length(groupArray(number)) FROM numbers(100000000)"); code(err) != "memory" {
		t.Errorf("memory: %v", err)
	}
	var out bytes.Buffer
	if err := r.WriteSQL(t.Context(), &out, reports.Parquet,
		"SELECT number FROM numbers(100000)", reports.View{}); code(err) != "too_many_rows" || out.Len() > 0 {
		t.Errorf("parquet: %v, %d bytes", err, out.Len())
	}
	if err := r.WriteReport(t.Context(), &out, reports.CSV, "state-names", nil, reports.Page{}); !errors.Is(err,
		reports.ErrTooManyRows) {
		t.Errorf("csv of a report: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.SQL(ctx, "SELECT 1"); code(err) != "canceled" {
		t.Errorf("caller gone: %v", err)
	}
}

func TestALongAnswerComesInChunksAndWhole(t *testing.T) {
	s := reportstest.NewSeed(t)
	s.Exec(`INSERT INTO state_messages (client_id, serial, message_us, received_time, topic_type, topic_id, state_id,
		payload_hash, params)
		SELECT reinterpretAsUUID(toUInt128(number)), 1, toUnixTimestamp64Micro(now64(6)), now64(6) -
		toIntervalSecond(intDiv(number, 1000)), 300, 'D', 2, number, []
		FROM numbers(60000)`)
	r := s.Runner()
	var out bytes.Buffer
	if err := r.WriteReport(t.Context(), &out, reports.JSONL, "clients-in-state",
		map[string]string{"topic_type": "300", "state_id": "2"}, reports.Page{}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		_, id, _ := strings.Cut(line, `"client_id": "`)
		seen[id] = true
	}
	if n := strings.Count(out.String(), "\n"); n != 60000 || len(seen) != 60000 {
		t.Errorf("%d lines, %d clients", n, len(seen))
	}
}

// counted is how many queries of a report had a result.
func counted(t *testing.T, reg prometheus.Gatherer, report, result string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "statewire_report_queries_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			if labels := metric.GetLabel(); labels[0].GetValue() == report && labels[1].GetValue() == result {
				return metric.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestReadersWaitForAPlaceAndAreToldWhenNoneComesFree(t *testing.T) {
	s := reportstest.NewSeed(t)
	conn := &reportstest.Counting{Conn: s.Store.ReadOnly(), Hold: make(chan struct{}), Entered: make(chan struct{}, 1)}
	reg := prometheus.NewRegistry()
	r := s.Runner(func(c *reports.Config, d *reports.Deps) {
		c.MaxQueries, c.Timeout, d.Conn, d.Registerer = 1, time.Second, conn, reg
	})
	first := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := r.SQL(ctx, "SELECT 1")
		first <- err
	}()
	<-conn.Entered // the first reader has the place
	if _, err := r.SQL(t.Context(), "SELECT 1"); code(err) != "busy" && code(err) != "timeout" {
		t.Errorf("%v", err)
	}
	if err := <-first; code(err) != "timeout" {
		t.Errorf("%v", err)
	}
	close(conn.Hold)
	rows, err := r.SQL(t.Context(), "SELECT 1")
	if err != nil {
		t.Fatalf("the place did not come free: %v", err)
	}
	reportstest.ReadRows(t, rows)
	if _, err := r.SQL(t.Context(), ""); err == nil {
		t.Error("no error")
	}
	if _, err := r.Run(t.Context(), "nothing", nil, reports.Page{}); !errors.Is(err, reports.ErrNoReport) {
		t.Error(err)
	}
	for result, want := range map[string]float64{"ok": 1, "failed": 2, "refused": 1} {
		if got := counted(t, reg, "sql", result); got != want {
			t.Errorf("%s: %v, want %v", result, got, want)
		}
	}
	if got := counted(t, reg, "unknown", "refused"); got != 1 {
		t.Errorf("unknown: %v", got)
	}
}

func TestTheListAndTheTableAreForPeople(t *testing.T) {
	s := reportstest.Fleet(t)
	r := s.Runner(func(_ *reports.Config, d *reports.Deps) { d.Backlog = reportstest.SomeBacklog })
	var out bytes.Buffer
	if err := r.Catalog().WriteList(&out, reports.Table, 0); err != nil ||
		!strings.Contains(out.String(), "clients-in-state") || !strings.Contains(out.String(),
		"topic_type=… state_id=… [topic_id=]") {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, f := range []reports.Format{reports.JSON, reports.JSONL, reports.CSV, reports.Parquet} {
		out.Reset()
		if err := r.Catalog().WriteList(&out, f, 0); err != nil || !strings.Contains(out.String(), "compliance") {
			t.Errorf("%s: %v", f, err)
		}
	}
	out.Reset()
	if err := r.WriteReport(t.Context(), &out, reports.Table, "compliance", map[string]string{"topic_id": "DEP2"},
		reports.Page{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"state_name", "Compliant", "1 row\n",
		"percent: of the clients that count", "1,608 files wait"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := r.WriteReport(t.Context(), &out, reports.Table, "clients", nil, reports.Page{Limit: 2}); err != nil ||
		!strings.Contains(out.String(), "2 rows, and more") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestAUsersReportRunsLikeAnyOther(t *testing.T) {
	s := reportstest.Fleet(t)
	dir := t.TempDir()
	writeText(t, dir+"/by-version.sql",
		"-- title: Clients by version\n-- param like String = '5.%': Version\n-- order: _n UInt64 desc, client_version "+
			"String\n"+
			"SELECT client_version, count() AS clients, count() AS _n FROM clients WHERE client_version LIKE {like:String} "+
			"GROUP BY client_version")
	writeText(t, dir+"/broken.sql", "-- title: Broken at run time\n-- order: nothing String\nSELECT 1 AS one")
	writeText(t, dir+"/null-order.sql",
		"-- title: NULL in the order\n-- order: a String\nSELECT CAST(NULL, 'Nullable(String)') AS a FROM numbers(3)")
	r := s.Runner(func(c *reports.Config, _ *reports.Deps) { c.Dir = dir })
	expect(t, lines(s.All(r, "by-version", nil), "client_version", "clients"), "5.00.9141.1000 | 5")
	if rows, err := r.Run(t.Context(), "by-version", nil, reports.Page{}); err != nil || len(rows.Columns) != 2 {
		t.Errorf("a column with an underscore is shown: %v %v", rows, err)
	} else if err := rows.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Run(t.Context(), "broken", nil, reports.Page{}); err == nil ||
		!strings.Contains(err.Error(), "nothing") {
		t.Error(err)
	}
	rows, err := r.Run(t.Context(), "null-order", nil, reports.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() != nil {
	}
	if rows.Err() == nil || !strings.Contains(rows.Err().Error(), "is NULL") {
		t.Error(rows.Err())
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
}
