package explain_test

import (
	"fmt"
	"strings"
	"testing"

	"statewire/reports/reportstest"
)

// A retired client is said to be retired, by whom, since when and why, and no longer that it is silent.
func TestARetirementIsTold(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 3, 9*reportstest.Day)
	s.Client(2, 3, 9*reportstest.Day)
	s.Exec(fmt.Sprintf("INSERT INTO client_retirements (client_id, state, retired_time, retired_by, reason, version) VALUES "+
		"('%s', 'retired', '%s', 'anna', 'sold', 1), ('%s', 'returned', '%[2]s', 'anna', 'sold', 2)", id(1),
		s.Micros(2*reportstest.Day), id(2)))
	const want = "The client is retired by anna since "
	for n, retired := range map[int]bool{1: true, 2: false} {
		e, err := s.Explainer().Explain(t.Context(), id(n).String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		facts := reportstest.Codes(e)
		_, silent := facts["silent"]
		if text := facts["retired"]; strings.HasPrefix(text, want) != retired || silent == retired ||
			strings.Contains(text, "(sold)") != retired {
			t.Errorf("client %d: %q, silent %v", n, text, silent)
		}
		if strings.Contains(e.Summary, "is retired") != retired || strings.Contains(e.Summary, "silent") == retired {
			t.Errorf("client %d: %s", n, e.Summary)
		}
		if next := fmt.Sprint(e.Next); strings.Contains(next, "client unretire GUID:") != retired {
			t.Errorf("client %d: %s", n, next)
		}
		trace, err := s.Explainer().Trace(t.Context(), id(n).String(), 2)
		if err != nil {
			t.Fatal(err)
		}
		hop := trace.Hops[len(trace.Hops)-1]
		if (hop.Code == "retired" && strings.HasPrefix(hop.Text, want)) != retired {
			t.Errorf("client %d: %+v", n, hop)
		}
	}
}
