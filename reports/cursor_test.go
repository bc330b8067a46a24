package reports_test

import (
	"errors"
	"testing"

	"statewire/reports"
	"statewire/reports/reportstest"
)

func TestACursorOfAnotherQuestionIsRefused(t *testing.T) {
	s := reportstest.Fleet(t)
	r := s.Runner()
	rows, err := r.Run(t.Context(), "clients", nil, reports.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	reportstest.ReadRows(t, rows)
	for name, params := range map[string]map[string]string{"clients": {"name": "x"}, "resyncs": nil} {
		var refused *reports.ParamError
		if _, err := r.Run(t.Context(), name, params, reports.Page{Limit: 1, Cursor: rows.NextPage()}); !errors.As(err,
			&refused) || refused.Param != "cursor" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
