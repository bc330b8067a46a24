package web

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTonesOfTheCatalog shows how every state of the catalog reads; UPDATE_GOLDEN=1 rewrites the list.
func TestTonesOfTheCatalog(t *testing.T) {
	file, err := os.Open(filepath.Join("..", "..", "configs", "state-catalog.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, row := range rows[1:] {
		if row[2] != "" {
			fmt.Fprintf(&got, "%s\t%s/%s\t%s\n", ToneOf(row[3]), row[0], row[2], row[3])
		}
	}
	golden := filepath.Join("testdata", "tones.golden")
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("tones differ from %s; UPDATE_GOLDEN=1 rewrites it\n%s", golden, got.String())
	}
}

func TestSharesOfAStackFillItAndRunFromGoodToUnknown(t *testing.T) {
	s := Stack{Total: 10, Segments: []Segment{{Name: "u", Count: 1, Tone: ToneUnknown},
		{Name: "b1", Count: 2, Tone: ToneBad}, {Name: "b2", Count: 3, Tone: ToneBad}, {Name: "g", Count: 4, Tone: ToneGood}}}
	s.Arrange()
	var got []string
	for _, seg := range s.Segments {
		got = append(got, fmt.Sprintf("%s %.0f+%.0f s%d", seg.Name, seg.X, seg.Percent, seg.Shade))
	}
	if want := "g 0+40 s0, b2 40+30 s0, b1 70+20 s1, u 90+10 s0"; strings.Join(got, ", ") != want {
		t.Errorf("%v", got)
	}
	empty := Stack{Segments: []Segment{{Name: "u", Tone: ToneUnknown}}}
	empty.Arrange()
	if empty.Segments[0].Percent != 0 {
		t.Error("a share of nothing")
	}
}

func TestFilesAreServedUnderAnAddressThatChangesWithThem(t *testing.T) {
	for name, kind := range map[string]string{"statewire.js": "text/javascript; charset=utf-8",
		"pico.min.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml", "NOTICE.txt": "text/plain; charset=utf-8",
		"htmx.LICENSE.txt": "text/plain; charset=utf-8"} {
		for address, caching := range map[string]string{asset(name): "immutable", "/static/" + name: "no-cache"} {
			w := httptest.NewRecorder()
			http.StripPrefix("/static/", Static()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, address, nil))
			if w.Code != http.StatusOK || w.Header().Get("Content-Type") != kind ||
				!strings.Contains(w.Header().Get("Cache-Control"), caching) || w.Body.Len() == 0 {
				t.Errorf("%s: %d %v", address, w.Code, w.Header())
			}
			again := httptest.NewRequest(http.MethodGet, address, nil)
			again.Header.Set("If-None-Match", w.Header().Get("ETag"))
			second := httptest.NewRecorder()
			http.StripPrefix("/static/", Static()).ServeHTTP(second, again)
			if second.Code != http.StatusNotModified {
				t.Errorf("%s again: %d", address, second.Code)
			}
		}
	}
}

func TestNoFileAsksAnotherServer(t *testing.T) {
	for name, file := range assets() {
		for _, bad := range []string{"@import", "url(http", "url(//", `fetch("http`, "sourceMappingURL"} {
			if strings.Contains(string(file.body), bad) {
				t.Errorf("%s holds %s", name, bad)
			}
		}
	}
}
