package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"

	"statewire/reports"
	"statewire/reports/reportstest"
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
	return []string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir(),
		"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"}
}

// serveSeeded serves a seeded site on a loopback port.
func serveSeeded(t *testing.T, s *reportstest.Seed, change ...func(*parts)) string {
	t.Helper()
	p := parts{cfg: reports.DefaultConfig(), reports: reports.Deps{Backlog: reportstest.SomeBacklog},
		pages: Deps{Version: "test"}}
	for _, c := range change {
		c(&p)
	}
	server := newServer(t, s, p)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/panels/") {
			if p.pages.Version == "lost" {
				http.Error(w, "away", http.StatusBadGateway)
				return
			}
			if p.pages.Ready != nil {
				_ = p.pages.Ready(r.Context()) // the test's counter
			}
		}
		server.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(site.Close)
	return site.URL
}

// TestPagesInABrowser has one browser for all of its looks: to start one takes as long as a few pages.
func TestPagesInABrowser(t *testing.T) {
	b := openBrowser(t)
	for _, tt := range []struct {
		name string
		look func(*testing.T, *browser)
	}{
		{"pages run without a complaint", pagesRun}, {"hostile texts are only text", hostileTexts},
		{"a lost connection is said", lostConnection}, {"operations run without a complaint", operationsRun},
		{"names are loaded", namesAreLoaded}, {"pages fit their screens", pagesFit},
		{"days are drawn", daysAreDrawn},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b.t = t
			tt.look(t, b)
		})
	}
	b.t = t
}

func pagesRun(t *testing.T, b *browser) {
	s := patchDay(t)
	var panels atomic.Int64
	site := serveSeeded(t, s, func(p *parts) { p.cfg.Refresh = time.Second }, countPanels(&panels))
	dom, console := b.browse(site+"/", 1500*time.Millisecond)
	if console != "" {
		t.Errorf("the console says: %s", console)
	}
	for _, want := range []string{"<canvas", "Update detection", "0x80240022", "bad_xml", "226", `id="theme"`,
		`class="u-legend`} {
		if !strings.Contains(dom, want) {
			t.Errorf("the dashboard has no %s", want)
		}
	}
	if strings.Contains(dom, `id="theme" aria-label="Switch between light and dark" title="Light or dark" hidden`) {
		t.Error("the script didn't run")
	}
	if n := panels.Load(); n < 8 {
		t.Errorf("%d panels were refreshed in more than a second of page time", n)
	}
	for _, name := range []string{"throughput", "compliance", "reports"} {
		page := pagesToTry[name]
		if _, console := b.browse(site+page, time.Second); console != "" {
			t.Errorf("%s: the console says: %s", name, console)
		}
	}
}

func hostileTexts(t *testing.T, b *browser) {
	site := serveSeeded(t, reportstest.HostileSite(t))
	for _, page := range []string{"/", "/reports/clients", "/reports/compliance?topic_type=402"} {
		dom, console := b.browse(site+page, time.Second)
		if console != "" {
			t.Errorf("%s: the console says: %s", page, console)
		}
		doc := parsePage(t, dom)
		for node := range doc.Descendants() {
			if node.Type == html.ElementNode && node.Data == "img" && attr(node, "alt") == "" &&
				attr(node, "src") != assetPath(attr(node, "src")) {
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

func lostConnection(t *testing.T, b *browser) {
	s := reportstest.NewSeed(t)
	site := serveSeeded(t, s, func(p *parts) { p.cfg.Refresh = time.Second }, func(p *parts) {
		p.pages.Version = "lost" // the wrapper below answers panels with an error
	})
	dom, _ := b.browse(site+"/", 2500*time.Millisecond)
	note := dom[strings.Index(dom, `id="offline"`):]
	if note = note[:strings.Index(note, ">")]; strings.Contains(note, "hidden") {
		t.Errorf("the note stays hidden: %s", note)
	}
}

// countPanels counts the refreshes.
func countPanels(n *atomic.Int64) func(*parts) {
	return func(p *parts) {
		p.pages.Ready = func(context.Context) error { n.Add(1); return nil }
	}
}

// clientsInABrowser opens a page of each template; what all of them say needs no browser.
func clientsInABrowser(t *testing.T, site string) {
	b := openBrowser(t)
	for name, status := range map[string]string{"client-gap": "", "completeness": "", "client-twins": "",
		"client-nobody": "404"} {
		dom, console := b.browse(site+clientPages[name], time.Second)
		if complains := console != ""; complains != (status != "") || !strings.Contains(console, status) ||
			strings.Count(console, `"entry"`) > 1 {
			t.Errorf("%s, whose status is to be %q: the console says: %s", name, status, console)
		}
		checkSaid(t, name, dom)
	}
}
