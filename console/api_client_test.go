package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"statewire/reports/explain"
	"statewire/reports/reportstest"
)

func TestTheAPIExplainsAndTraces(t *testing.T) {
	s := reportstest.TracedSite(t)
	s.Reports(report{Client: 40, Name: "twin", Received: hour, File: "a"},
		report{Client: 41, Name: "TWIN", Received: 2 * hour, File: "b"},
		report{Client: 42, Name: "Anger", Received: hour, File: "c"})
	h := handler(t, s.Seed, watched(s))
	w := get(t, h, "/api/v1/clients/PC-0005/explain?topic=500%2Fa%2Fb")
	var e explain.Explanation
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v %s", w.Code, err, w.Body)
	}
	codes := ""
	for _, f := range e.Facts {
		codes += f.Code + " "
		if f.Text == "" || f.Severity == "" {
			t.Errorf("an empty fact: %+v", f)
		}
	}
	if e.Client.ID != id(5) || e.Client.Name != "PC-0005" || e.Topic.ID != "a/b" ||
		!strings.Contains(codes, "topic_in_gap") || !strings.Contains(codes, "gap ") || len(e.Next) == 0 ||
		e.Next[0].At == nil {
		t.Errorf("%s", w.Body)
	}
	for text, who := range map[string]int{"anger": 42, "%20ANGER%20": 42, "%7B" + id(5).String() + "%7D": 5,
		"GUID:%7B" + id(5).String() + "%7D%20": 5} {
		if w := get(t, h, "/api/v1/clients/"+text+"/explain"); json.Unmarshal(w.Body.Bytes(), &e) != nil ||
			e.Client.ID != id(who) {
			t.Errorf("%s: %d %s", text, w.Code, w.Body)
		}
	}
	w = get(t, h, "/api/v1/clients/GUID:"+id(5).String()+"/trace/14")
	var trace explain.Trace
	if err := json.Unmarshal(w.Body.Bytes(), &trace); err != nil || w.Code != http.StatusOK ||
		trace.Verdict != "missing" || len(trace.Hops) < 4 {
		t.Errorf("%d %v %s", w.Code, err, w.Body)
	}
	if w := get(t, h, "/api/v1/clients/"+id(999).String()+"/explain"); w.Code != http.StatusOK ||
		!strings.Contains(w.Body.String(), "unknown_client") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for path, want := range map[string]string{
		"/api/v1/clients/NOBODY/trace/1": "404 no_client", "/api/v1/clients/twin/explain": "409 ambiguous_client",
		"/api/v1/clients/PC-0005/trace/0":                         "400 bad_parameter",
		"/api/v1/clients/PC-0005/trace/4611686018427387905":       "400 bad_parameter",
		"/api/v1/clients/PC-0005/explain?topic=x":                 "400 bad_parameter",
		"/api/v1/clients/twin/trace/3":                            "409 ambiguous_client",
		"/api/v1/clients/PC-0005/trace/abc":                       "400 bad_parameter",
		"/api/v1/clients/PC-0005/trace/-1":                        "400 bad_parameter",
		"/api/v1/clients/PC-0005/explain?topics=500/a":            "400 bad_parameter",
		"/api/v1/clients/PC-0005/explain?topic=":                  "400 bad_parameter",
		"/api/v1/clients/GUID:123/explain":                        "400 bad_parameter",
		"/api/v1/clients/%20/trace/1":                             "400 bad_parameter",
		"/api/v1/clients/" + id(5).String()[:35] + "/explain":     "400 bad_parameter",
		"/api/v1/clients/a%00b/explain":                           "400 bad_parameter",
		"/api/v1/clients/PC-0005/explain?topic=500/a&topic=500/b": "400 bad_parameter",
		"/api/v1/clients/PC-0005/trace/3?serial=4":                "400 bad_parameter",
	} {
		w := get(t, h, path)
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || fmt.Sprint(w.Code, " ", p.Code) != want {
			t.Errorf("%s: %d %s, want %s", path, w.Code, w.Body, want)
		}
	}
	if doc := get(t, h, "/api/v1/openapi.json").Body.String(); !strings.Contains(doc,
		"/api/v1/clients/{id}/trace/{serial}") || !strings.Contains(doc, "explain-client") {
		t.Error("the description has no clients")
	}
}
