package console

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"statewire/reports/reportstest"
)

// pagesToTry are pages of every kind.
var pagesToTry = map[string]string{
	"dashboard": "/", "reports": "/reports", "compliance": "/reports/compliance?topic_type=500",
	"clients-in-state": "/reports/clients-in-state?topic_type=402&state_id=11", "paged": "/reports/clients?limit=20",
	"throughput": "/reports/throughput", "client": "/reports/client-states?client=PC-0007",
	"empty":    "/reports/client-states",
	"failures": "/reports/failures", "problem": "/reports/clients?min_age_hours=x",
	"messages": "/reports/messages?client=PC-0007", "topics": "/reports/topics",
}

// clientPages are pages about completeness and single clients.
var clientPages = map[string]string{
	"completeness": "/completeness", "complete-dashboard": "/", "client-gap": "/clients/PC-0007?serial=14",
	"client-unconfirmed": "/clients/pc-0010?serial=39",
	"client-conflict":    "/clients/PC-0008?serial=3", "client-healthy": "/clients/PC-0013?serial=31",
	"client-silent": "/clients/PC-0006", "client-topic": "/clients/PC-0013?topic=500%2Fother",
	"client-aside": "/clients/PC-0004?serial=11", "client-many": "/clients/PC-0012?serial=x",
	"client-unknown": "/clients/" + "00000000-0000-4000-8000-000000000001", "client-nobody": "/clients/NOBODY",
	"client-twins": "/clients/twin",
}

// brokenSite serves the broken clients with messages, namesakes and a client full of holes.
func brokenSite(t *testing.T) (*reportstest.Site, string) {
	s := reportstest.TracedSite(t)
	s.Reports(report{Client: 40, Name: "twin", Received: hour, File: "a"},
		report{Client: 41, Name: "TWIN", Received: 2 * hour, File: "b"})
	for n := uint64(100); n < 1000; n += 10 {
		s.Arrived(12, n, n+6)
	}
	return s, serveSeeded(t, s.Seed, watched(s))
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
		for _, look := range []struct{ suffix, size, dark string }{{"", "1280,1500", ""}, {"-phone", "500,2600", ""},
			{"-dark", "1280,1500", "--force-dark-mode"}} {
			args := append(chromiumArgs(t), "--virtual-time-budget=4000",
				"--screenshot="+filepath.Join(folder, name+look.suffix+".png"), "--window-size="+look.size, "--hide-scrollbars")
			if look.dark != "" {
				args = append(args, "--blink-settings=preferredColorScheme=0")
			}
			if out, err := exec.CommandContext(t.Context(), chromium(t),
				append(args, site+page)...).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
	}
}
