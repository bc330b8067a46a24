package reports

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// get asks a handler and returns the answer.
func get(t *testing.T, h http.Handler, target string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, target, nil)
	req.Host = "127.0.0.1:8080"
	for _, c := range change {
		c(req)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func handler(t *testing.T, s *seed, change ...func(*Config, *Deps)) http.Handler {
	t.Helper()
	deps := Deps{Conn: s.store.ReadOnly(), Backlog: someBacklog, Version: "1.2.3"}
	cfg := DefaultConfig()
	for _, c := range change {
		c(&cfg, &deps)
	}
	server, err := NewServer(s.runner(func(c *Config, d *Deps) { *c, *d = cfg, deps }), deps)
	if err != nil {
		t.Fatal(err)
	}
	return server.Handler()
}

type answer struct {
	Report    string
	Params    map[string]string
	Generated time.Time
	Freshness struct {
		AsOf         time.Time `json:"as_of"`
		WaitingFiles int       `json:"waiting_files"`
		Stale        bool
	}
	Columns []Column
	Rows    []map[string]any
	Next    string
	More    bool
}

func TestTheAPIAnswersWithParametersAgeAndNotes(t *testing.T) {
	h := handler(t, fleet(t))
	for _, target := range []string{"/api/v1/reports/compliance?topic_type=300&topic_id=DEP1", "/api/v1/reports/compliance?param=topic_type%3D300&param=topic_id=DEP1&format=json"} {
		w := get(t, h, target)
		var a answer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %v %s", w.Code, err, w.Body)
		}
		if a.Report != "compliance" || a.Params["topic_id"] != "DEP1" || len(a.Rows) != 4 || a.More || a.Next != "" || a.Freshness.WaitingFiles != 1608 || a.Generated.IsZero() {
			t.Errorf("%+v", a)
		}
		if i := slices.IndexFunc(a.Columns, func(c Column) bool { return c.Name == "percent" }); i < 0 || a.Columns[i].Note == "" {
			t.Errorf("%+v", a.Columns)
		}
		if a.Rows[0]["clients"] != float64(2) && a.Rows[0]["clients"] != float64(1) || a.Rows[3]["state_id"] != nil {
			t.Errorf("%v", a.Rows)
		}
	}
}

func TestTheAPIPagesWithACursor(t *testing.T) {
	h := handler(t, fleet(t))
	var names []any
	next := ""
	for range 10 {
		w := get(t, h, "/api/v1/reports/clients?limit=2&cursor="+next)
		var a answer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %v %s", w.Code, err, w.Body)
		}
		for _, row := range a.Rows {
			names = append(names, row["netbios_name"])
		}
		if next = a.Next; next == "" {
			break
		}
	}
	if want := []any{"PC005", "PC004", "PC003", "PC002", "PC001"}; !slices.Equal(names, want) {
		t.Errorf("%v", names)
	}
}

func TestDownloadsAreWholeAndNamed(t *testing.T) {
	h := handler(t, fleet(t))
	for format, kind := range map[string]string{"csv": "text/csv", "jsonl": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"} {
		w := get(t, h, "/api/v1/reports/clients?format="+format)
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) ||
			!strings.Contains(w.Header().Get("Content-Disposition"), `attachment; filename="clients-`) || w.Body.Len() == 0 {
			t.Errorf("%s: %d %v %.80q", format, w.Code, w.Header(), w.Body)
		}
	}
	lines, err := csv.NewReader(get(t, h, "/api/v1/reports/clients?format=csv").Body).ReadAll()
	if err != nil || len(lines) != 6 {
		t.Errorf("%v %v", lines, err)
	}
}

func TestEveryRefusalIsAProblemWithACode(t *testing.T) {
	s := fleet(t)
	h := handler(t, s)
	for _, c := range []struct {
		target, code string
		status       int
	}{
		{"/api/v1/reports/nothing", "no_report", 404},
		{"/api/v1/reports/compliance?topic_type=x", "bad_parameter", 400},
		{"/api/v1/reports/compliance?topic=1", "bad_parameter", 400},
		{"/api/v1/reports/compliance?topic_type=1&topic_type=2", "bad_parameter", 400},
		{"/api/v1/reports/compliance?param=topic_type", "bad_parameter", 400},
		{"/api/v1/reports/client-states", "bad_parameter", 400},
		{"/api/v1/reports/clients?limit=0x", "bad_parameter", 400},
		{"/api/v1/reports/clients?limit=-1", "bad_parameter", 400},
		{"/api/v1/reports/clients?limit=0", "bad_parameter", 400},
		{"/api/v1/reports/clients?limit=10001", "bad_parameter", 400},
		{"/api/v1/reports/clients?cursor=abc", "bad_parameter", 400},
		{"/api/v1/reports/clients?cursor=%20", "bad_parameter", 400},
		{"/api/v1/reports/clients?limit=", "bad_parameter", 400},
		{"/api/v1/reports/clients?limit=5%20", "bad_parameter", 400},
		{"/api/v1/reports/clients?format=", "bad_parameter", 400},
		{"/api/v1/reports/clients?param=name=a&param=name=b", "bad_parameter", 400},
		{"/api/v1/reports/clients?param=name=a&name=b", "bad_parameter", 400},
		{"/api/v1/reports?x=1", "bad_parameter", 400},
		{"/api/v1/status?x=1", "bad_parameter", 400},
		{"/api/v1/reports/clients?format=xml", "bad_parameter", 400},
		{"/api/v1/reports/clients?format=table", "bad_parameter", 400},
		{"/api/v1/reports/failures?failing=(", "bad_value", 400},
		{"/api/v1/nothing", "no_path", 404},
		{"/api/nothing", "no_path", 404},
	} {
		w := get(t, h, c.target)
		var p Problem
		err := json.Unmarshal(w.Body.Bytes(), &p)
		if err != nil || w.Code != c.status || p.Code != c.code || p.Status != c.status || p.Detail == "" || p.Title == "" ||
			w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %v %s", c.target, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if strings.Contains(w.Body.String(), "/tmp") || strings.Contains(w.Body.String(), "Stack") || strings.Contains(w.Body.String(), "version 2") {
			t.Errorf("%s tells too much: %s", c.target, w.Body)
		}
	}
}

func TestACursorOfAnotherQuestionIsRefused(t *testing.T) {
	s := fleet(t)
	r := s.runner()
	rows, err := r.Run(t.Context(), "clients", nil, Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	readRows(t, rows)
	for name, params := range map[string]map[string]string{"clients": {"name": "x"}, "resyncs": nil} {
		var refused *ParamError
		if _, err := r.Run(t.Context(), name, params, Page{Limit: 1, Cursor: rows.NextPage()}); !errors.As(err, &refused) || refused.Param != "cursor" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheDescriptionNamesEveryReport(t *testing.T) {
	w := get(t, handler(t, fleet(t)), "/api/v1/openapi.json")
	var doc struct {
		OpenAPI string
		Paths   map[string]struct {
			Get struct {
				Parameters []struct {
					Name     string
					Required bool
				}
				Responses map[string]any
			}
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v", w.Code, err)
	}
	catalog, err := LoadCatalog("")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range catalog.List() {
		path, ok := doc.Paths["/api/v1/reports/"+r.Name]
		if !ok || len(path.Get.Parameters) != len(r.Params)+3 || path.Get.Responses["200"] == nil || path.Get.Responses["default"] == nil {
			t.Errorf("%s: %+v", r.Name, path)
		}
	}
	for _, path := range []string{"/api/v1/reports", "/api/v1/reports/{name}", "/api/v1/status"} {
		if _, ok := doc.Paths[path]; !ok {
			t.Errorf("%s is missing", path)
		}
	}
	var list struct{ Reports []Listed }
	if err := json.Unmarshal(get(t, handler(t, fleet(t)), "/api/v1/reports").Body.Bytes(), &list); err != nil || len(list.Reports) != len(catalog.List()) {
		t.Errorf("%v %d", err, len(list.Reports))
	}
}

// described checks that an answer has no member that its schema does not name, and all that it requires.
func described(t *testing.T, schemas, schema map[string]any, value any, at string) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema, _ = schemas[ref[strings.LastIndex(ref, "/")+1:]].(map[string]any)
	}
	switch value := value.(type) {
	case []any:
		items, _ := schema["items"].(map[string]any)
		for _, v := range value {
			described(t, schemas, items, v, at+"[]")
		}
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		if properties == nil {
			return // any members
		}
		for name, v := range value {
			property, ok := properties[name].(map[string]any)
			if !ok {
				t.Errorf("%s.%s is not described", at, name)
			}
			described(t, schemas, property, v, at+"."+name)
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := value[name.(string)]; !ok {
				t.Errorf("%s.%s is required and not there", at, name)
			}
		}
	}
}

func TestEveryAnswerIsAsTheDescriptionSays(t *testing.T) {
	s := brokenClients(t)
	h := handler(t, s.seed, func(_ *Config, d *Deps) { s.deps(d) })
	var doc struct {
		Paths map[string]struct {
			Get struct {
				Responses map[string]struct {
					Content map[string]struct{ Schema map[string]any }
				}
			}
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(get(t, h, "/api/v1/openapi.json").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for target, path := range map[string]string{
		"/api/v1/reports": "", "/api/v1/status": "", "/api/v1/reports/clients?limit=2": "/api/v1/reports/clients", "/api/v1/reports/nothing": "/api/v1/reports/{name}",
		"/api/v1/reports/missing-ranges": "/api/v1/reports/{name}", "/api/v1/clients/PC-0005/explain?topic=500/a": "/api/v1/clients/{id}/explain",
		"/api/v1/clients/PC-0005/explain?x=1": "/api/v1/clients/{id}/explain", "/api/v1/clients/PC-0005/trace/14": "/api/v1/clients/{id}/trace/{serial}",
		"/api/v1/clients/NOBODY/trace/1": "/api/v1/clients/{id}/trace/{serial}", "/api/v1/clients/NOBODY/explain": "/api/v1/clients/{id}/explain",
	} {
		if path == "" {
			path = target
		}
		w := get(t, h, target)
		code, media := "200", "application/json"
		if w.Code != http.StatusOK {
			code, media = "default", "application/problem+json"
		}
		var value any
		if err := json.Unmarshal(w.Body.Bytes(), &value); err != nil {
			t.Fatal(err)
		}
		schema := doc.Paths[path].Get.Responses[code].Content[media].Schema
		if schema == nil {
			t.Errorf("%s %s has no schema", path, code)
		}
		described(t, doc.Components.Schemas, schema, value, target)
	}
}

func TestWhatIsOnlyReadSaysSo(t *testing.T) {
	h := handler(t, newSeed(t))
	for _, target := range []string{"/", "/completeness", "/reports/clients", "/api/v1/reports/clients", "/api/v1/clients/X/explain", "/healthz"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://localhost"+target, nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" || !strings.Contains(w.Body.String(), `"code":"method"`) {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	h := handler(t, newSeed(t), func(c *Config, _ *Deps) { c.Hosts = []string{"reports.example.net"} })
	for _, target := range []string{"/", "/reports", "/reports/compliance", "/api/v1/reports", "/static/statewire.css", "/healthz", "/nowhere"} {
		w := get(t, h, target)
		csp := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %v", target, w.Header())
		}
	}
	for host, status := range map[string]int{
		"127.0.0.1:8080": 200, "localhost": 200, "LOCALHOST:1": 200, "[::1]:8080": 200, "reports.example.net": 200, "Reports.Example.Net:443": 200,
		"evil.example.net": 421, "evil.example.net:8080": 421, "10.0.0.1": 421, "127.0.0.1.evil.net": 421,
	} {
		if w := get(t, h, "/healthz", func(r *http.Request) { r.Host = host }); w.Code != status {
			t.Errorf("host %s: %d", host, w.Code)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		w := get(t, h, "/api/v1/reports", func(r *http.Request) { r.Method = method })
		if w.Code < 400 {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

func TestHealthReadinessAndMetrics(t *testing.T) {
	s := newSeed(t)
	var fault error
	h := handler(t, s, func(_ *Config, d *Deps) {
		d.Ready = func(context.Context) error { return fault }
		d.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") })
	})
	if w := get(t, h, "/healthz"); w.Code != 200 || w.Body.String() != "ok\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(t, h, "/readyz"); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(t, h, "/metrics"); w.Body.String() != "metrics" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	fault = errors.New("disk /secret/path is full")
	if w := get(t, h, "/readyz"); w.Code != 503 || strings.Contains(w.Body.String(), "secret") || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	gone := handler(t, s, func(_ *Config, d *Deps) { d.Conn = away{} })
	if w := get(t, gone, "/readyz"); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(t, gone, "/healthz"); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
}

// away is a store that nobody can reach.
type away struct{}

func (away) Query(context.Context, string, ...any) (driver.Rows, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 9000}, Err: errors.New("connection refused")}
}

func (a away) QueryFormat(ctx context.Context, _, query string, _ ...any) (io.ReadCloser, error) {
	_, err := a.Query(ctx, query)
	return nil, err
}

func TestAStoreThatIsAwayBreaksNoPage(t *testing.T) {
	var log bytes.Buffer
	h := handler(t, newSeed(t), func(_ *Config, d *Deps) {
		d.Conn, d.Log = away{}, slog.New(slog.NewTextHandler(&log, nil))
	})
	w := get(t, h, "/")
	body := w.Body.String()
	if w.Code != 200 || strings.Count(body, "can&#39;t be read at the moment") != 6 || !strings.Contains(body, "1,312") || strings.Contains(body, "10.1.2.3") {
		t.Errorf("%d %s", w.Code, body)
	}
	if w := get(t, h, "/completeness"); w.Code != 200 || strings.Count(w.Body.String(), "can&#39;t be read at the moment") != 5 || strings.Contains(w.Body.String(), "10.1.2.3") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(t, h, "/clients/PC-0001"); w.Code != 503 || !strings.Contains(w.Body.String(), "the store doesn&#39;t answer") || strings.Contains(w.Body.String(), "10.1.2.3") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(t, h, "/reports/compliance"); w.Code != 503 || !strings.Contains(w.Body.String(), "the store doesn&#39;t answer") || strings.Contains(w.Body.String(), "10.1.2.3") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	var p Problem
	if w := get(t, h, "/api/v1/reports/compliance"); json.Unmarshal(w.Body.Bytes(), &p) != nil || p.Code != "unavailable" || !p.Retry {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "10.1.2.3") {
		t.Errorf("the log doesn't say why: %s", log.String())
	}
}

func TestServeStopsWhenAsked(t *testing.T) {
	s := newSeed(t)
	server, err := NewServer(s.runner(), Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, ln) }()
	if body := fetch(t, "http://"+ln.Addr().String()+"/healthz"); body != "ok\n" {
		t.Error(body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("still listening")
	}
}
