package console

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"statewire/identity"
	"statewire/reports"
	"statewire/reports/reportstest"
)

// A page or an API path that somebody adds without saying who may have it stops the build here.
func TestEveryRouteHasARowInTheTableOfPermissions(t *testing.T) {
	p := parts{cfg: reports.DefaultConfig(), pages: Deps{Metrics: http.NotFoundHandler()}}
	s := newServer(t, reportstest.NewSeed(t), p)
	if len(s.patterns) < 15 {
		t.Fatalf("only %q: the enumeration is broken", s.patterns)
	}
	for _, need := range identity.Needs() {
		if need.Door == identity.AtPages && !slices.Contains(s.patterns, need.Name) {
			t.Errorf("there is no route %s, which has a row", need.Name)
		}
	}
	// The description of the API is made of the routes and of nothing else; a report's own path is its route's.
	for path, item := range apiOf(t, s) {
		for method := range item {
			pattern := strings.ToUpper(method) + " " + path
			if name, ok := strings.CutPrefix(path, "/api/v1/reports/"); ok && name != "{name}" {
				pattern = strings.ToUpper(method) + " /api/v1/reports/{name}"
			}
			if !slices.Contains(s.patterns, pattern) {
				t.Errorf("the API describes %s, which is no route", pattern)
			}
		}
	}
}

func TestARouteWithoutARowStopsTheStart(t *testing.T) {
	s := newServer(t, reportstest.NewSeed(t), parts{cfg: reports.DefaultConfig()})
	s.needOf = func(door identity.Door, name string) (identity.Need, bool) {
		need, ok := identity.NeedOf(door, name)
		return need, ok && name != "GET /completeness"
	}
	h, err := s.routes(Deps{})
	if err == nil || !strings.Contains(err.Error(), "GET /completeness has no row") {
		t.Errorf("%v", err)
	}
	if w := get(t, h, "/completeness"); w.Code != http.StatusNotFound {
		t.Errorf("the page is served: %d", w.Code)
	}
}

// apiOf is the description of the API: methods by path.
func apiOf(t *testing.T, s *Server) map[string]map[string]any {
	t.Helper()
	var doc struct{ Paths map[string]map[string]any }
	w := get(t, s.handler, "/api/v1/openapi.json")
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || len(doc.Paths) < 30 {
		t.Fatalf("%d %v: %d paths", w.Code, err, len(doc.Paths))
	}
	return doc.Paths
}
