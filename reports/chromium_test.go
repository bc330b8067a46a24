package reports

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// chromium is the browser's path. Where it is missing, CI fails and others skip.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("chromium is needed for the page tests: install it (apt-get install chromium)")
	}
	t.Skip("chromium isn't installed: the pages are not tried in a browser")
	return ""
}

// chromiumArgs are those of a browser with a profile of the test's own, which reaches this machine only.
func chromiumArgs(t *testing.T) []string {
	return []string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir(), "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"}
}

// serveSeeded serves a seeded site on a loopback port.
func serveSeeded(t *testing.T, s *seed, change ...func(*Config, *Deps)) string {
	t.Helper()
	deps := Deps{Conn: s.store.ReadOnly(), Backlog: someBacklog, Version: "test"}
	cfg := DefaultConfig()
	for _, c := range change {
		c(&cfg, &deps)
	}
	server, err := NewServer(s.runner(func(c *Config, d *Deps) { *c, *d = cfg, deps }), deps)
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/panels/") {
			if deps.Version == "lost" {
				http.Error(w, "away", http.StatusBadGateway)
				return
			}
			if deps.Ready != nil {
				_ = deps.Ready(r.Context()) // the test's counter
			}
		}
		server.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(site.Close)
	return site.URL
}

func someBacklog(context.Context) ([]Box, error) {
	return []Box{
		{Name: "high"}, {Name: "normal", Files: 1312, Bytes: 4_900_000, Oldest: 95 * time.Second}, {Name: "low", Files: 40, Bytes: 130_000, Oldest: 40 * time.Second},
		{Name: "process", Files: 256, Bytes: 800_000, Oldest: 3 * time.Second}, {Name: "corrupt", Files: 4, Bytes: 12_000, Oldest: 5 * time.Hour},
	}, nil
}

// pagesToTry are pages of every kind.
var pagesToTry = map[string]string{
	"dashboard": "/", "reports": "/reports", "compliance": "/reports/compliance?topic_type=500",
	"clients-in-state": "/reports/clients-in-state?topic_type=402&state_id=11", "paged": "/reports/clients?limit=20",
	"throughput": "/reports/throughput", "client": "/reports/client-states?client=PC-0007", "empty": "/reports/client-states",
	"failures": "/reports/failures", "problem": "/reports/clients?min_age_hours=x", "messages": "/reports/messages?client=PC-0007", "topics": "/reports/topics",
}

func TestPagesRunInABrowserWithoutAComplaint(t *testing.T) {
	s := patchDay(t)
	var panels atomic.Int64
	site := serveSeeded(t, s, func(c *Config, _ *Deps) { c.Refresh = time.Second }, countPanels(&panels))
	b := openBrowser(t)
	dom, console := b.browse(site + "/")
	if console != "" {
		t.Errorf("the console says: %s", console)
	}
	for _, want := range []string{"<canvas", "Update detection", "0x80240022", "bad_xml", "226", `id="theme"`, `class="u-legend`} {
		if !strings.Contains(dom, want) {
			t.Errorf("the dashboard has no %s", want)
		}
	}
	if strings.Contains(dom, `id="theme" aria-label="Switch between light and dark" title="Light or dark" hidden`) {
		t.Error("the script didn't run")
	}
	if n := panels.Load(); n < 8 {
		t.Errorf("%d panels were refreshed in four seconds of page time", n)
	}
	for _, name := range []string{"throughput", "compliance", "paged", "reports", "empty"} {
		page := pagesToTry[name]
		if _, console := b.browse(site + page); console != "" {
			t.Errorf("%s: the console says: %s", name, console)
		}
	}
}

func TestHostileTextsAreOnlyTextInABrowser(t *testing.T) {
	site := serveSeeded(t, hostileSite(t))
	b := openBrowser(t)
	for _, page := range []string{"/", "/reports/clients", "/reports/compliance?topic_type=402"} {
		dom, console := b.browse(site + page)
		if console != "" {
			t.Errorf("%s: the console says: %s", page, console)
		}
		doc := parsePage(t, dom)
		for node := range doc.Descendants() {
			if node.Type == html.ElementNode && node.Data == "img" && attr(node, "alt") == "" && attr(node, "src") != assetPath(attr(node, "src")) {
				t.Errorf("%s: a foreign image %s", page, attr(node, "src"))
			}
			if node.Type == html.ElementNode && node.Data == "script" && attr(node, "src") == "" {
				t.Errorf("%s: an inline script", page)
			}
		}
	}
}

// assetPath is src when that is one of this program's files.
func assetPath(src string) string {
	if strings.HasPrefix(src, "/static/") {
		return src
	}
	return ""
}

func TestALostConnectionIsSaid(t *testing.T) {
	s := newSeed(t)
	site := serveSeeded(t, s, func(c *Config, _ *Deps) { c.Refresh = time.Second }, func(_ *Config, d *Deps) {
		d.Version = "lost" // the wrapper below answers panels with an error
	})
	dom, _ := openBrowser(t).browse(site + "/")
	note := dom[strings.Index(dom, `id="offline"`):]
	if note = note[:strings.Index(note, ">")]; strings.Contains(note, "hidden") {
		t.Errorf("the note stays hidden: %s", note)
	}
}

// countPanels counts the refreshes.
func countPanels(n *atomic.Int64) func(*Config, *Deps) {
	return func(_ *Config, d *Deps) {
		d.Ready = func(context.Context) error { n.Add(1); return nil }
	}
}

// clientPages are pages about completeness and single clients.
var clientPages = map[string]string{
	"completeness": "/completeness", "complete-dashboard": "/", "client-gap": "/clients/PC-0007?serial=14", "client-unconfirmed": "/clients/pc-0010?serial=39",
	"client-conflict": "/clients/PC-0008?serial=3", "client-healthy": "/clients/PC-0013?serial=31", "client-silent": "/clients/PC-0006", "client-topic": "/clients/PC-0013?topic=500%2Fother",
	"client-aside": "/clients/PC-0004?serial=11", "client-many": "/clients/PC-0012?serial=x", "client-unknown": "/clients/" + "00000000-0000-4000-8000-000000000001", "client-nobody": "/clients/NOBODY",
	"client-twins": "/clients/twin",
}

// brokenSite serves the broken clients with messages, namesakes and a client full of holes.
func brokenSite(t *testing.T) (*site, string) {
	s := tracedSite(t)
	s.reports(report{client: 40, name: "twin", received: hour, file: "a"}, report{client: 41, name: "TWIN", received: 2 * hour, file: "b"})
	for n := uint64(100); n < 1000; n += 10 {
		s.arrived(12, n, n+6)
	}
	return s, serveSeeded(t, s.seed, func(_ *Config, d *Deps) { s.deps(d) })
}

func TestPagesOfClientsRunInABrowserWithoutAComplaint(t *testing.T) {
	_, site := brokenSite(t)
	b := openBrowser(t)
	for name, page := range clientPages {
		dom, console := b.browse(site + page)
		status := map[string]string{"client-many": "400", "client-unknown": "404", "client-nobody": "404"}[name]
		if complains := console != ""; complains != (status != "") || !strings.Contains(console, status) || strings.Count(console, `"entry"`) > 1 {
			t.Errorf("%s, whose status is to be %q: the console says: %s", name, status, console)
		}
		for _, want := range map[string][]string{
			"client-gap": {"67 messages of PC-0007 are missing", "answer.SMX", `class="serials"`, "Picked up", "first noticed"}, "client-unconfirmed": {"unconfirmed", "Closed: the client sent everything"},
			"completeness": {"ring-value", "Least complete clients", "PC-0012", "Gap checks"}, "complete-dashboard": {`id="panel-complete"`, "ring-value"},
			"client-many": {"Serials are whole numbers"}, "client-twins": {"2 clients are called twin"}, "client-unknown": {"has never heard of"}, "client-nobody": {"No client of this site is called NOBODY"},
		}[name] {
			if !strings.Contains(dom, want) {
				t.Errorf("%s has no %s", name, want)
			}
		}
	}
}

// TestScreenshots draws the pages into STATEWIRE_TEST_SCREENSHOTS, for a look at them.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("STATEWIRE_TEST_SCREENSHOTS")
	if folder == "" {
		return
	}
	s := patchDay(t)
	site := serveSeeded(t, s)
	screenshots(t, folder, site, pagesToTry)
	_, site = brokenSite(t)
	screenshots(t, folder, site, clientPages)
}

func screenshots(t *testing.T, folder, site string, pages map[string]string) {
	only := os.Getenv("STATEWIRE_TEST_SCREENSHOTS_ONLY")
	for name, page := range pages {
		if only != "" && !strings.Contains(name, only) {
			continue
		}
		for _, look := range []struct{ suffix, size, dark string }{{"", "1280,1500", ""}, {"-phone", "500,2600", ""}, {"-dark", "1280,1500", "--force-dark-mode"}} {
			args := append(chromiumArgs(t), "--virtual-time-budget=4000", "--screenshot="+filepath.Join(folder, name+look.suffix+".png"), "--window-size="+look.size, "--hide-scrollbars")
			if look.dark != "" {
				args = append(args, "--blink-settings=preferredColorScheme=0")
			}
			if out, err := exec.CommandContext(t.Context(), chromium(t), append(args, site+page)...).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
	}
}
