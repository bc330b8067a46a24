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
		{"/api/v1/reports/clients?limit=10001", "bad_parameter", 400},
		{"/api/v1/reports/clients?cursor=abc", "bad_parameter", 400},
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
