package console

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"statewire/console/web"
	"statewire/internal/tabular"
	"statewire/reports"
)

func noLink(string) string { return "" }

func TestDaysOfComplianceBecomeAChartAndItsTable(t *testing.T) {
	rows := []reports.Record{
		{"day": tabular.Date("2026-11-28"), "compliant": uint64(0), "not_compliant": uint64(0), "percent": nil,
			"final": uint64(1)},
		{"day": tabular.Date("2026-11-29"), "compliant": uint64(1200), "not_compliant": uint64(1000),
			"not_applicable": uint64(3), "not_known": uint64(4), "percent": 54.5, "final": uint64(1)},
		{"day": tabular.Date("2026-11-30"), "compliant": uint64(1300), "not_compliant": uint64(1), "percent": 99.9,
			"final": uint64(0)},
	}
	got := complianceDays("trend", rows, func(day string) string {
		if day == "2026-11-30" {
			return ""
		}
		return "/compliance?as_of=" + day
	})
	series, err := got.Chart.SeriesJSON()
	if err != nil {
		t.Fatal(err)
	}
	if want := `[{"label":"Compliant","unit":"%","values":[null,54.5,99.9]},` +
		`{"label":"Machines not compliant","values":[0,1000,1]}]`; series != want {
		t.Errorf("the lines: %s", series)
	}
	if x, _ := got.Chart.XJSON(); x != "[1795824000,1795910400,1795996800]" || !got.Chart.Daily {
		t.Errorf("the days: %s", x)
	}
	if want := "30 November 2026: 99.9\u00a0% compliant, 1 machine not compliant. 28 November 2026: no machine needed " +
		"anything."; got.Chart.Text != want {
		t.Errorf("in words: %s", got.Chart.Text)
	}
	if want := []string{"2026-11-30 (may still change), 99.9\u00a0%, 1,300, 1, 0, 0",
		"2026-11-29 /compliance?as_of=2026-11-29, 54.5\u00a0%, 1,200, 1,000, 3, 4",
		"2026-11-28 /compliance?as_of=2026-11-28, –, 0, 0, 0, 0"}; strings.Join(rowsOf(got.Table), "\n") !=
		strings.Join(want, "\n") {
		t.Errorf("the table: %q", rowsOf(got.Table))
	}
}

// rowsOf is a table as text: a cell with what stands beneath, and where it leads.
func rowsOf(table *web.Table) (out []string) {
	for _, row := range table.Rows {
		var cells []string
		for _, cell := range row {
			text := cell.Text
			if cell.Small != "" {
				text += " (" + cell.Small + ")"
			}
			if cell.Link != "" {
				text += " " + cell.Link
			}
			cells = append(cells, text)
		}
		out = append(out, strings.Join(cells, ", "))
	}
	return out
}

func TestNoDayYetIsASentence(t *testing.T) {
	for _, draw := range []days{complianceDays, burnDown} {
		if got := draw("x", nil, noLink); got.Chart != nil || got.Table != nil || !strings.HasPrefix(got.Empty, "No day") {
			t.Errorf("%+v", got)
		}
	}
}

func TestBurnDownAddsUpInWords(t *testing.T) {
	rows := []reports.Record{
		{"day": tabular.Date("2026-11-29"), "remaining": uint64(3), "newly_required": uint64(3),
			"fixed": uint64(0), "needed_ever": uint64(3)},
		{"day": tabular.Date("2026-11-30"), "remaining": uint64(1), "newly_required": uint64(0),
			"fixed": uint64(2), "needed_ever": uint64(3)},
	}
	got := burnDown("burn-down", rows, noLink)
	if want := "1 machine remains. In 2 days: 3 newly required, 2 fixed. A machine that needs it again counts " +
		"again."; got.Chart.Text != want {
		t.Errorf("%s", got.Chart.Text)
	}
	if series, _ := json.Marshal(got.Chart.Series[0].Values); string(series) != "[3,1]" || len(got.Chart.Series) != 3 {
		t.Errorf("%s of %d lines", series, len(got.Chart.Series))
	}
}

func TestADayLeadsToThePageAsOfItsEnd(t *testing.T) {
	s := &Server{now: func() time.Time { return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) }}
	link := s.asOfDays("/compliance", map[string]string{"collection": "x"})
	if link("2026-11-30") != "" || link("2026-11-29") != "/compliance?as_of=2026-11-29&collection=x" {
		t.Errorf("%q, %q", link("2026-11-30"), link("2026-11-29"))
	}
}

func TestTimeToRemediateIsASentenceAndARow(t *testing.T) {
	at := func(when time.Time) web.Cell { return web.Cell{Text: "since " + when.Format(time.DateOnly)} }
	for _, tt := range []struct {
		name, sentence, row string
		rows                []reports.Record
	}{
		{"nobody", "No machine has ever needed it, as far as this site has heard.", "", nil},
		{"some", "Machines needed it 3 times; 2 times it was fixed, half of them within 3\u00a0days, nine in ten within " +
			"10\u00a0days. 1 machine still needs it.",
			"3, 2, 1, 3\u00a0days, 10\u00a0days, 33.3\u00a0%, 66.6\u00a0%, –, since 2026-11-10",
			[]reports.Record{{"required_ever": uint64(3), "fixed": uint64(2), "open": uint64(1), "p50_days": 3.0,
				"p90_days": 10.0, "within_7d": 33.3, "within_14d": 66.6, "within_30d": nil,
				"oldest_open": tabular.Date("2026-11-10")}}},
		{"none fixed", "Machines needed it 1 time; none was fixed yet. 1 machine still needs it.",
			"1, 0, 1, –, –, 0\u00a0%, –, –, –",
			[]reports.Record{{"required_ever": uint64(1), "open": uint64(1), "within_7d": 0.0}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := remedyOf(tt.rows, at)
			row := ""
			if got.Table != nil {
				row = strings.Join(rowsOf(got.Table), "\n")
			}
			if got.Sentence != tt.sentence || row != tt.row {
				t.Errorf("%q\n%q", got.Sentence, row)
			}
		})
	}
}
