package console

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"statewire/reports/reportstest"
)

// What cannot be read is an error that names the parameter, and never an answer to another question.
func TestAMalformedQueryIsRefusedByName(t *testing.T) {
	h := handler(t, reportstest.Fleet(t))
	if w := get(t, h, "/api/v1/reports/clients?name=50%25"); w.Code != http.StatusOK {
		t.Fatalf("a percent sign written as it should be: %d %s", w.Code, w.Body)
	}
	for _, tt := range []struct{ target, says string }{
		{"/reports/clients?name=50%", `parameter "name" has a bad escape`},
		{"/reports/clients?name=%zz", `parameter "name" has a bad escape`},
		{"/reports/clients?name=B;ETA", `parameter "name" holds a semicolon`},
		{"/reports/clients?name=%ff", `parameter "name" is not UTF-8 text`},
		{"/reports/compliance?topic_type=5%", `parameter "topic_type" has a bad escape`},
		{"/reports/clients?name=a&name=b", `parameter "name" is given more than once`},
		{"/reports/clients?nmae=a", `did you mean name?`},
		{"/reports/client-states?clint=a", `did you mean client?`},
		{"/reports/missing-ranges?client=GUID:123", "parameter client looks like a client id and is none"},
		{"/reports/messages?client=f1b03089-9ea1-4a64-83dc-5f8e77bddeb",
			"parameter client looks like a client id and is none"},
		{"/reports/resyncs?client=%20", "parameter client names no client"},
		{"/reports/clients?cursor=x", "parameter cursor doesn't belong to this report"},
		{"/reports/clients?format=xml", "allowed are json, jsonl, csv and parquet"},
	} {
		for _, prefix := range []string{"", "/api/v1"} {
			w := get(t, h, prefix+tt.target)
			text := strings.NewReplacer("&#34;", `"`, "&#39;", "'").Replace(w.Body.String())
			if prefix != "" {
				var p Problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code != "bad_parameter" ||
					w.Header().Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s%s: %v %v %s", prefix, tt.target, err, w.Header(), w.Body)
				}
				text = p.Detail
			} else if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
				t.Errorf("%s: %v", tt.target, w.Header())
			}
			if w.Code != http.StatusBadRequest || !strings.Contains(text, tt.says) {
				t.Errorf("%s%s: %d %s, want %q", prefix, tt.target, w.Code, text, tt.says)
			}
		}
	}
}

func TestAPageRefusesParametersThatItDoesNotHave(t *testing.T) {
	s := reportstest.TracedSite(t)
	h := handler(t, s.Seed, watched(s))
	for target, says := range map[string]string{
		"/?x=1": "none is allowed here", "/panels/tiles?x=1": "none is allowed here",
		"/completeness?page=2": "none is allowed here", "/reports?name=x": "none is allowed here",
		"/clients/PC-0005?topik=500/a": "did you mean topic?", "/clients/PC-0005?serial=1&serial=2": "given more than once",
		"/clients/PC-0005?serial=1x": "whole numbers from 1",
		"/clients/PC-0005?topic=500": "write TYPE/ID", "/clients/PC-0005?serial=%": "bad escape",
		"/clients/GUID:123": "looks like a client id and is none", "/clients/%20": "names no client",
		"/clients/PC-0005?serial=0&topic=x": "write TYPE/ID",
	} {
		if w := get(t, h, target); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), says) ||
			!strings.Contains(w.Body.String(), "<h1") {
			t.Errorf("%s: %d %s, want %q", target, w.Code, w.Body, says)
		}
	}
	for _, target := range []string{"/", "/clients/PC-0005?serial=", "/clients/PC-0005?topic=500%2Fa%2Fb&serial=1,000",
		"/panels/tiles", "/static/site.css?v=0", "/healthz"} {
		if w := get(t, h, target); w.Code == http.StatusBadRequest {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}
