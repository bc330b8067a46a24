package reports_test

import (
	"bytes"
	"strings"
	"testing"

	"statewire/reports"
	"statewire/reports/reportstest"
)

// typeCases are values of every type of the engine, as CSV and JSON show them.
var typeCases = []struct{ sql, csv, json string }{
	{"toDecimal32(-0.05, 2)", "-0.05", `"-0.05"`},
	{"toDecimal64(-1.5, 3)", "-1.5", `"-1.5"`},
	{"toDecimal128('-1.5', 3)", "-1.5", `"-1.5"`},
	{"toDecimal256('-1.5', 3)", "-1.5", `"-1.5"`},
	{"toInt8(-5)", "-5", "-5"},
	{"toInt64(-5)", "-5", "-5"},
	{"toUInt64('18446744073709551615')", "18446744073709551615", "18446744073709551615"},
	{"toInt128(-5)", "-5", `"-5"`},
	{"toInt256(-5)", "-5", `"-5"`},
	{"toUInt256(5)", "5", `"5"`},
	{"toFloat32(-0.1)", "-0.1", "-0.1"},
	{"toFloat64(-1e-9)", "-1e-09", "-1e-9"},
	{"toFloat64(1e300)", "1e+300", "1e+300"},
	{"toFloat64('nan')", "nan", "null"},
	{"toFloat64('-inf')", "-inf", "null"},
	{"toBFloat16(1.5)", "1.5", "1.5"},
	{"true", "true", "true"},
	{"toUUID('f1b03089-9ea1-4a64-83dc-5f8e77bddeb4')", "f1b03089-9ea1-4a64-83dc-5f8e77bddeb4",
		`"f1b03089-9ea1-4a64-83dc-5f8e77bddeb4"`},
	{"toIPv4('10.0.0.1')", "10.0.0.1", `"10.0.0.1"`},
	{"toIPv6('2001:db8::1')", "2001:db8::1", `"2001:db8::1"`},
	{"toIPv6('::ffff:10.0.0.1')", "::ffff:10.0.0.1", `"::ffff:10.0.0.1"`},
	{"toDate('2149-06-06')", "2149-06-06", `"2149-06-06"`},
	{"toDate32('1900-01-01')", "1900-01-01", `"1900-01-01"`},
	{"toDate32('2299-12-31')", "2299-12-31", `"2299-12-31"`},
	{"toDateTime('2106-02-07 06:28:15', 'UTC')", "2106-02-07T06:28:15Z", `"2106-02-07T06:28:15Z"`},
	{"toDateTime('2026-01-01 00:00:00', 'America/New_York')", "2026-01-01T05:00:00Z", `"2026-01-01T05:00:00Z"`},
	{"toDateTime64('1900-01-01 00:00:00', 3, 'UTC')", "1900-01-01T00:00:00Z", `"1900-01-01T00:00:00Z"`},
	{"toDateTime64('1969-12-31 23:59:59.123456789', 9, 'UTC')", "1969-12-31T23:59:59.123456789Z",
		`"1969-12-31T23:59:59.123456789Z"`},
	{"toDateTime64('2262-04-11 23:47:16', 3, 'UTC')", "2262-04-11T23:47:16Z", `"2262-04-11T23:47:16Z"`},
	{"toDateTime64('2262-04-11 23:47:17', 3, 'UTC')", "2262-04-11T23:47:17Z", `"2262-04-11T23:47:17Z"`},
	{"toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC')", "2299-12-31T23:59:59.999Z", `"2299-12-31T23:59:59.999Z"`},
	{"toDateTime64('2299-12-31 23:59:59', 0, 'Asia/Tokyo')", "2299-12-31T14:59:59Z", `"2299-12-31T14:59:59Z"`},
	{"CAST('-12:34:56', 'Time')", "-12:34:56", `"-12:34:56"`},
	{"CAST('999:59:59', 'Time')", "999:59:59", `"999:59:59"`},
	{"CAST('-00:00:01.5', 'Time64(3)')", "-00:00:01.5", `"-00:00:01.5"`},
	{"CAST('12:34:56.123456', 'Time64(6)')", "12:34:56.123456", `"12:34:56.123456"`},
	{`CAST('=b', 'Enum16(\'=b\' = 1000)')`, "'=b", `"=b"`},
	{"INTERVAL -5 DAY", "-5", "-5"},
	{"INTERVAL 7 NANOSECOND", "7", "7"},
	{"toFixedString('=1', 2)", "'=1", `"=1"`},
	{"toFixedString('a', 2)", `a\x00`, `"a\u0000"`},
	{"'-5'", "'-5", `"-5"`},
	{"NULL", "", "null"},
	{"CAST(NULL, 'Nullable(Int128)')", "", "null"},
	{"CAST(-5, 'Nullable(Decimal(10, 2))')", "-5", `"-5"`},
	{"toLowCardinality(toNullable('-5'))", "'-5", `"-5"`},
	{"CAST(-5, 'SimpleAggregateFunction(sum, Int64)')", "-5", "-5"},
	{"[toDecimal32(-0.05, 2)]", `["-0.05"]`, `["-0.05"]`},
	{"[toDateTime64('2299-12-31 23:59:59', 3, 'UTC')]", `["2299-12-31T23:59:59Z"]`, `["2299-12-31T23:59:59Z"]`},
	{"[INTERVAL -1 DAY]", "[-1]", "[-1]"},
	{"[[1, 2], [3]]", "[[1,2],[3]]", "[[1,2],[3]]"},
	{"[NULL, '=x']", `[null,"=x"]`, `[null,"=x"]`},
	{"[]", "[]", "[]"},
	{"(1, 'a', toDate32('1900-01-01'))", `[1,"a","1900-01-01"]`, `[1,"a","1900-01-01"]`},
	{"CAST((1, 'a'), 'Tuple(y UInt8, x String)')", `{"y":1,"x":"a"}`, `{"y":1,"x":"a"}`},
	{"CAST([(1, toDate('2026-01-31'))], 'Nested(y UInt8, x Date)')", `[{"y":1,"x":"2026-01-31"}]`,
		`[{"y":1,"x":"2026-01-31"}]`},
	{"map('b', 1, 'a', 2, 'b', 3)", `{"b":1,"a":2,"b":3}`, `{"b":1,"a":2,"b":3}`},
	{"map(1, toDateTime64('2299-12-31 23:59:59', 3, 'UTC'))", `{"1":"2299-12-31T23:59:59Z"}`,
		`{"1":"2299-12-31T23:59:59Z"}`},
	{"map('k', toInt256(-5))", `{"k":"-5"}`, `{"k":"-5"}`},
	{"[map('b', 1, 'a', 2)]", `[{"a":2,"b":1}]`, `[{"a":2,"b":1}]`},
	{"CAST(-5::Int64, 'Variant(Int64, String)')", "-5", "-5"},
	{"CAST('=1', 'Variant(Int64, String)')", "'=1", `"=1"`},
	{"CAST(NULL, 'Variant(Int64, String)')", "", "null"},
	{"CAST(toDecimal32(-0.05, 2), 'Dynamic')", "-0.05", `"-0.05"`},
	{"CAST(toDateTime64('2299-12-31 23:59:59', 3, 'UTC'), 'Dynamic')", "2299-12-31T23:59:59Z", `"2299-12-31T23:59:59Z"`},
	{"CAST(INTERVAL -5 DAY, 'Dynamic')", "-5", "-5"},
	{`CAST('{"a":{"b":-1},"c":[1,2],"d":"=x","e":[{"f":1}]}', 'JSON')`, `{"a":{"b":-1},"c":[1,2],"d":"=x","e":[{"f":1}]}`,
		`{"a":{"b":-1},"c":[1,2],"d":"=x","e":[{"f":1}]}`},
	{`CAST('{"a":9007199254740993}', 'JSON')`, `{"a":9007199254740993}`, `{"a":9007199254740993}`},
	{"(1.5, 2.5)::Point", "[1.5,2.5]", "[1.5,2.5]"},
	{"CAST([1, 2, 3], 'QBit(Float32, 3)')", "[1,2,3]", "[1,2,3]"},
}

func TestEveryTypeIsWrittenAsItIs(t *testing.T) {
	r := reportstest.NewSeed(t).Runner()
	for _, c := range typeCases {
		var sheet, lines bytes.Buffer
		if err := r.WriteSQL(t.Context(), &sheet, reports.CSV, "SELECT "+c.sql+" AS v", reports.View{}); err != nil {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		_, got, _ := strings.Cut(strings.TrimSuffix(sheet.String(), "\n"), "\n")
		if strings.HasPrefix(got, `"`) {
			got = strings.ReplaceAll(got[1:len(got)-1], `""`, `"`)
		}
		if got != c.csv {
			t.Errorf("%s: csv %s, want %s", c.sql, got, c.csv)
		}
		if err := r.WriteSQL(t.Context(), &lines, reports.JSONL, "SELECT "+c.sql+" AS v", reports.View{}); err != nil {
			t.Errorf("%s: %v", c.sql, err)
		}
		if want := `{"v": ` + c.json + "}\n"; lines.String() != want {
			t.Errorf("%s: %swant %s", c.sql, &lines, want)
		}
	}
}

func TestATypeThatAnAnswerCannotCarryIsAClearError(t *testing.T) {
	r := reportstest.NewSeed(t).Runner()
	for _, c := range []struct {
		sql    string
		format reports.Format
		want   string
	}{
		{"sumState(toUInt64(1))", reports.CSV,
			"sql: a column has the type AggregateFunction(sum, UInt64), which has no text: write finalizeAggregation(COLUMN)"},
		{"[uniqState(1)]", reports.JSON, "a column has the type AggregateFunction(uniq, UInt8), which has no text"},
		{"tuple()", reports.Table, "a column has the type Tuple(), which has no text"},
		{"[map('k', toInt256(-5))]", reports.CSV, "a value of the types UInt8, Array(Map(String, Int256)) cannot be read"},
		{"INTERVAL 1 DAY", reports.Parquet,
			"sql: parquet has no type for Interval, which the column v holds: write toString(COLUMN), or use csv or jsonl"},
		{"CAST(1, 'Variant(UInt8, String)')", reports.Parquet, "parquet has no type for Variant"},
		{"sumState(1)", reports.Parquet, "parquet has no type for AggregateFunction"},
	} {
		var out bytes.Buffer
		err := r.WriteSQL(t.Context(), &out, c.format, "SELECT 1 AS one, "+c.sql+" AS v", reports.View{})
		if err == nil || !strings.Contains(err.Error(), c.want) || out.Len() > 0 {
			t.Errorf("%s %s: %v, %d bytes; want %s", c.format, c.sql, err, out.Len(), c.want)
		}
	}
	var out bytes.Buffer // the connection is none the worse
	if err := r.WriteSQL(t.Context(), &out, reports.CSV,
		"SELECT finalizeAggregation(sumState(toUInt64(2))) AS v", reports.View{}); err != nil || out.String() != "v\n2\n" {
		t.Errorf("%v: %s", err, &out)
	}
}
