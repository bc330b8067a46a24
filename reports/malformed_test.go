package reports

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// What cannot be read is an error that names the parameter, and never an answer to another question.
func TestAMalformedQueryIsRefusedByName(t *testing.T) {
	h := handler(t, fleet(t))
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
		{"/reports/messages?client=f1b03089-9ea1-4a64-83dc-5f8e77bddeb", "parameter client looks like a client id and is none"},
		{"/reports/resyncs?client=%20", "parameter client names no client"},
		{"/reports/clients?cursor=x", "parameter cursor doesn't belong to this report"},
		{"/reports/clients?format=xml", "allowed are json, jsonl, csv and parquet"},
	} {
		for _, prefix := range []string{"", "/api/v1"} {
			w := get(t, h, prefix+tt.target)
			text := strings.NewReplacer("&#34;", `"`, "&#39;", "'").Replace(w.Body.String())
			if prefix != "" {
				var p Problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code != "bad_parameter" || w.Header().Get("Content-Type") != "application/problem+json" {
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
	s := tracedSite(t)
	h := handler(t, s.seed, func(_ *Config, d *Deps) { s.deps(d) })
	for target, says := range map[string]string{
		"/?x=1": "none is allowed here", "/panels/tiles?x=1": "none is allowed here", "/completeness?page=2": "none is allowed here", "/reports?name=x": "none is allowed here",
		"/clients/PC-0005?topik=500/a": "did you mean topic?", "/clients/PC-0005?serial=1&serial=2": "given more than once", "/clients/PC-0005?serial=1x": "whole numbers from 1",
		"/clients/PC-0005?topic=500": "write TYPE/ID", "/clients/PC-0005?serial=%": "bad escape", "/clients/GUID:123": "looks like a client id and is none", "/clients/%20": "names no client",
		"/clients/PC-0005?serial=0&topic=x": "write TYPE/ID",
	} {
		if w := get(t, h, target); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), says) || !strings.Contains(w.Body.String(), "<h1") {
			t.Errorf("%s: %d %s, want %q", target, w.Code, w.Body, says)
		}
	}
	for _, target := range []string{"/", "/clients/PC-0005?serial=", "/clients/PC-0005?topic=500%2Fa%2Fb&serial=1,000", "/panels/tiles", "/static/site.css?v=0", "/healthz"} {
		if w := get(t, h, target); w.Code == http.StatusBadRequest {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestValuesThatTheEngineWouldBendAreRefused(t *testing.T) {
	for _, tt := range []struct {
		typ, text, want string // the text the engine reads; empty = refused
	}{
		{"Float64", "0.5", "0.5"}, {"Float64", "nan", ""}, {"Float64", "inf", ""}, {"Float64", "0x1p4", ""}, {"Float64", "1x", ""},
		{"UInt8", "255", "255"}, {"UInt8", "256", ""}, {"UInt8", "-1", ""}, {"UInt32", "5%", ""}, {"UInt32", "1e3", ""}, {"UInt32", "0x10", ""}, {"Int64", "5 6", ""},
		{"Date", "2149-06-06", "2149-06-06"}, {"Date", "2149-06-07", ""}, {"Date", "1969-12-31", ""}, {"Date", "2026-02-30", ""},
		{"DateTime", "2106-02-07T06:28:15Z", "2106-02-07 06:28:15"}, {"DateTime", "2106-02-07T06:28:16Z", ""}, {"DateTime", "1969-12-31T23:59:59Z", ""},
		{"DateTime64(3,'UTC')", "2299-12-31T23:59:59.999Z", "2299-12-31 23:59:59.999"}, {"DateTime64(3,'UTC')", "2300-01-01", ""}, {"DateTime64(3,'UTC')", "1899-12-31", ""},
		{"DateTime64(9)", "2263-01-01", ""}, {"DateTime64(3,'UTC')", "2026-01-01T02:00:00+02:00", "2026-01-01 00:00:00.000"}, {"DateTime64(3,'UTC')", "now", ""},
		{"UUID", "{9C0F8D1E-3B44-4E71-8F5A-0D2B6A7C1E33} ", "9c0f8d1e-3b44-4e71-8f5a-0d2b6a7c1e33"}, {"UUID", "9C0F8D1E3B444E718F5A0D2B6A7C1E33", ""},
		{"Bool", "True", "true"}, {"Bool", "yes", ""},
	} {
		got, err := Param{Name: "x", Type: tt.typ}.value(tt.text)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s %q is read as %q (%v), want %q", tt.typ, tt.text, got, err, tt.want)
		}
	}
	if _, err := (Param{Name: "x", Type: "Float64", Low: "0", High: "1"}).value("nan"); err == nil {
		t.Error("nan is in the range from 0 to 1")
	}
}

// A report's client is read as every other: by its id in any spelling, or its computer's name.
func TestAReportsClientIsReadAsEverywhere(t *testing.T) {
	s := fleet(t)
	s.reports(report{client: 40, name: "Anger", received: hour, file: "z"})
	s.messages(message{client: 40, serial: 1, received: hour, topic: 500, id: "a", state: 1, file: "z"})
	r := s.runner()
	all, want := id(40).String(), -1
	for _, text := range []string{all, "GUID:" + strings.ToUpper(all), "{" + all + "}", " {GUID:" + all + "} ", "Anger", "aNGER ", " anger\t"} {
		rows, err := r.Run(t.Context(), "messages", map[string]string{"client": text}, Page{})
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if n := len(readRows(t, rows)); want < 0 {
			want = n
		} else if n != want {
			t.Errorf("%q has %d messages, want %d", text, n, want)
		}
	}
	if want < 1 {
		t.Errorf("the client has %d messages", want)
	}
}
