package explain_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"

	"statewire/reports"
	"statewire/reports/explain"
	"statewire/reports/reportstest"
)

func TestNoSentenceLetsHostileTextOut(t *testing.T) {
	t.Run("explanations and traces: nothing but printable characters and line ends, no formula, valid JSON",
		func(t *testing.T) {
			texts := reportstest.Told()
			s := reportstest.StoreHostile(t, texts)
			x := explain.New(s.Runner(), explain.Deps{})
			for n, text := range texts {
				explanation, err := x.Explain(t.Context(), id(n).String(), &explain.Topic{Type: 402, ID: text})
				if err != nil {
					t.Fatal(err)
				}
				trace, err := x.Trace(t.Context(), id(n).String(), 1)
				if err != nil {
					t.Fatal(err)
				}
				if trace.Verdict != "current" {
					t.Errorf("%.40q: %s", text, trace.Verdict)
				}
				for _, c := range explanation.String() + trace.String() {
					if c != '\n' && !unicode.IsPrint(c) {
						t.Fatalf("%.40q: the text holds %U", text, c)
					}
				}
				var sheet, object bytes.Buffer
				if err := errors.Join(explanation.Write(&sheet, reports.CSV),
					trace.Write(&sheet, reports.CSV), explanation.Write(&object, reports.JSONL),
					trace.Write(&object, reports.JSONL)); err != nil {
					t.Fatal(err)
				}
				lines := csv.NewReader(&sheet)
				lines.FieldsPerRecord = -1
				cells, err := lines.ReadAll()
				if err != nil {
					t.Fatal(err)
				}
				for _, cell := range slices.Concat(cells...) {
					if trimmed := strings.TrimLeft(cell, " \t\r\n"); trimmed != "" && strings.ContainsAny(trimmed[:1], "=+-@|%") {
						t.Errorf("cell %q", cell)
					}
				}
				for line := range strings.Lines(object.String()) {
					if !json.Valid([]byte(line)) {
						t.Errorf("%q", line)
					}
				}
			}
		})
}
