package reports_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"statewire/internal/tabular"
	"statewire/reports"
	"statewire/reports/reportstest"
)

// The engine reads what tabular writes: the file is a Parquet file, with the types and values that went in.
func TestTheEngineReadsTheParquetOfCommands(t *testing.T) {
	s := reportstest.NewSeed(t)
	at := time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC)
	columns := tabular.Named("text", "number", "below", "great", "part", "seconds", "yes", "time", "mixed", "none")
	rows := [][]any{
		{"=x\x1b\u202e", 1, int64(-5), uint64(1 << 63), -0.5, json.Number("1.250"), true, at, "a", nil},
		{nil, nil, nil, nil, nil, nil, nil, time.Time{}, 7, nil},
		{"\xff", 3, -1, uint64(2), 1, 2, false, at.Add(-100 * 365 * 24 * time.Hour), []any{"b", nil}, nil},
	}
	for len(rows) < 20 { // more than the eight of a byte and the fifteen of a short list
		rows = append(rows, []any{"ä", len(rows), 0, uint64(0), 0.0, 0, len(rows)%3 == 0, at, "", nil})
	}
	for i := range 7 {
		columns = append(columns, tabular.Column{Name: fmt.Sprint("more", i)})
	}
	for i := range rows {
		for len(rows[i]) < len(columns) {
			rows[i] = append(rows[i], i)
		}
	}
	var file bytes.Buffer
	if err := tabular.Write(&file, tabular.Parquet, columns, rows, tabular.Options{}); err != nil {
		t.Fatal(err)
	}
	s.Exec(`CREATE TABLE back (text Nullable(String), number Nullable(Int64), below Nullable(Int64), great
		Nullable(UInt64), part Nullable(Float64),
		seconds Nullable(Float64), yes Nullable(Bool), time Nullable(DateTime64(6, 'UTC')), mixed Nullable(String), none
		Nullable(String), more6 Nullable(Int64)) ENGINE = Memory`)
	insert := "INSERT INTO back (text, number, below, great, part, seconds, yes, time, mixed, none, more6)"
	if err := s.Store.Conn().InsertFormat(t.Context(), "Parquet", insert, &file); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.Runner().WriteSQL(t.Context(), &out, reports.JSONL,
		"SELECT * FROM back ORDER BY more6 LIMIT 4", reports.View{}); err != nil {
		t.Fatal(err)
	}
	expect(t, out.String(), `
{"text": "=x\u001b\u202e", "number": 1, "below": -5, "great": 9223372036854775808, "part": -0.5, "seconds": 1.25, "yes": true, "time": "2026-01-31T12:00:00.123456Z", "mixed": "a", "none": null, "more6": 0}
{"text": null, "number": null, "below": null, "great": null, "part": null, "seconds": null, "yes": null, "time": null, "mixed": "7", "none": null, "more6": 1}
{"text": "�", "number": 3, "below": -1, "great": 2, "part": 1, "seconds": 2, "yes": false, "time": "1926-02-25T12:00:00.123456Z", "mixed": "[\"b\",null]", "none": null, "more6": 2}
{"text": "ä", "number": 3, "below": 0, "great": 0, "part": 0, "seconds": 0, "yes": true, "time": "2026-01-31T12:00:00.123456Z", "mixed": "", "none": null, "more6": 3}`)
	var count, yes uint64
	if err := s.Store.Conn().QueryRow(t.Context(), "SELECT count(), countIf(yes) FROM back").Scan(&count,
		&yes); err != nil || count != 20 || yes != 7 {
		t.Errorf("%d rows, %d true: %v", count, yes, err)
	}
}
