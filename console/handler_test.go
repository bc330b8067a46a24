package console

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"statewire/reports"
	"statewire/reports/explain"
	"statewire/reports/reportstest"
)

// get asks a handler and returns the answer.
func get(t *testing.T, h http.Handler, target string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, target, nil)
	req.Host, req.RemoteAddr = "127.0.0.1:8080", "127.0.0.1:40000"
	for _, c := range change {
		c(req)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

// parts are what a test may change of the pages over a store.
type parts struct {
	cfg     reports.Config
	reports reports.Deps
	explain explain.Deps
	pages   Deps
}

// watched shows pages of a site with its inbox and settings, at the seed's own time.
func watched(s *reportstest.Site) func(*parts) {
	return func(p *parts) { p.explain, p.reports.Now, p.pages.Now = s.Deps(), s.Clock, s.Clock }
}

// newServer is a server over the seeded database.
func newServer(t *testing.T, s *reportstest.Seed, p parts) *Server {
	t.Helper()
	runner := s.Runner(func(c *reports.Config, d *reports.Deps) {
		p.reports.Conn = cmp.Or(p.reports.Conn, d.Conn)
		*c, *d = p.cfg, p.reports
	})
	server, err := New(p.cfg, runner, explain.New(runner, p.explain), p.pages)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func handler(t *testing.T, s *reportstest.Seed, change ...func(*parts)) http.Handler {
	t.Helper()
	p := parts{cfg: reports.DefaultConfig(), reports: reports.Deps{Backlog: reportstest.SomeBacklog},
		pages: Deps{Version: "1.2.3"}}
	for _, c := range change {
		c(&p)
	}
	return newServer(t, s, p).handler
}

// away is a store that nobody can reach.
type away struct{}

func (away) Query(context.Context, string, ...any) (driver.Rows, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 9000},
		Err: errors.New("connection refused")}
}

func (a away) QueryFormat(ctx context.Context, _, query string, _ ...any) (io.ReadCloser, error) {
	_, err := a.Query(ctx, query)
	return nil, err
}

// fetch returns a page's body.
func fetch(t *testing.T, address string) string {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
