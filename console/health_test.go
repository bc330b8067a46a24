package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"statewire/reports"
	"statewire/reports/reportstest"
)

func TestWhatIsOnlyReadSaysSo(t *testing.T) {
	h := handler(t, reportstest.NewSeed(t))
	for _, target := range []string{"/", "/completeness", "/reports/clients", "/api/v1/reports/clients",
		"/api/v1/clients/X/explain", "/healthz"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://localhost"+target, nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" ||
			!strings.Contains(w.Body.String(), `"code":"method"`) {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	h := handler(t, reportstest.NewSeed(t), func(p *parts) { p.cfg.Hosts = []string{"reports.example.net"} })
	for _, target := range []string{"/", "/reports", "/reports/compliance", "/api/v1/reports", "/static/statewire.css",
		"/healthz", "/nowhere"} {
		w := get(t, h, target)
		csp := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") ||
			w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %v", target, w.Header())
		}
	}
	for host, status := range map[string]int{
		"127.0.0.1:8080": 200, "localhost": 200, "LOCALHOST:1": 200, "[::1]:8080": 200, "reports.example.net": 200,
		"Reports.Example.Net:443": 200,
		"evil.example.net":        421, "evil.example.net:8080": 421, "10.0.0.1": 421, "127.0.0.1.evil.net": 421,
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
	s := reportstest.NewSeed(t)
	var fault error
	h := handler(t, s, func(p *parts) {
		p.pages.Ready = func(context.Context) error { return fault }
		p.pages.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_,
				_ = io.WriteString(w, "metrics")
		})
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
	if w := get(t, h, "/readyz"); w.Code != 503 || strings.Contains(w.Body.String(), "secret") ||
		w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	gone := handler(t, s, func(p *parts) { p.reports.Conn = away{} })
	if w := get(t, gone, "/readyz"); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(t, gone, "/healthz"); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
}

func TestAStoreThatIsAwayBreaksNoPage(t *testing.T) {
	var log bytes.Buffer
	h := handler(t, reportstest.NewSeed(t), func(p *parts) {
		p.reports.Conn, p.reports.Log = away{}, slog.New(slog.NewTextHandler(&log, nil))
		p.pages.Log = p.reports.Log
	})
	w := get(t, h, "/")
	body := w.Body.String()
	if w.Code != 200 || strings.Count(body, "can&#39;t be read at the moment") != 10 || !strings.Contains(body, "1,312") ||
		strings.Contains(body, "10.1.2.3") {
		t.Errorf("%d %s", w.Code, body)
	}
	if w := get(t, h, "/completeness"); w.Code != 200 || strings.Count(w.Body.String(),
		"can&#39;t be read at the moment") != 5 || strings.Contains(w.Body.String(), "10.1.2.3") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(t, h, "/clients/PC-0001"); w.Code != 503 ||
		!strings.Contains(w.Body.String(), "the store doesn&#39;t answer") || strings.Contains(w.Body.String(), "10.1.2.3") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(t, h, "/reports/compliance"); w.Code != 503 ||
		!strings.Contains(w.Body.String(), "the store doesn&#39;t answer") || strings.Contains(w.Body.String(), "10.1.2.3") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	var p Problem
	if w := get(t, h, "/api/v1/reports/compliance"); json.Unmarshal(w.Body.Bytes(), &p) != nil ||
		p.Code != "unavailable" || !p.Retry {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "10.1.2.3") {
		t.Errorf("the log doesn't say why: %s", log.String())
	}
}

func TestServeStopsWhenAsked(t *testing.T) {
	s := reportstest.NewSeed(t)
	server := newServer(t, s, parts{cfg: reports.DefaultConfig()})
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
