package site

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"statewire/configs"
	"statewire/inbox"
	"statewire/store"
)

// TestFilesThatNobodyLoads are critical on every page, for /readyz and in the gauge, beside whatever else is wrong.
func TestFilesThatNobodyLoads(t *testing.T) {
	data := t.TempDir()
	open := func() *Site { // counts are kept for a moment: each look is a site's first
		t.Helper()
		box, err := OpenInbox(data, configs.Default(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { box.Close() })
		return &Site{cfg: Config{Data: data}, inbox: box}
	}
	check := func(name string, healthy bool) {
		t.Helper()
		s := open()
		got := s.alarm(&storeState{asked: time.Now()})(context.Background())
		if (got.Text == "") != healthy || got.Critical == healthy {
			t.Errorf("%s: the alarm is %+v", name, got)
		}
		var metric dto.Metric
		if err := s.noLoaderGauge().Write(&metric); err != nil || (metric.GetGauge().GetValue() == 0) != healthy {
			t.Errorf("%s: the gauge is %v, %v", name, metric.GetGauge(), err)
		}
	}
	check("an empty inbox", true)
	file := filepath.Join(InboxRoot(data), "incoming", "old.SMX")
	if err := os.WriteFile(file, []byte("<Report/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("a file that has just come", true)
	if text := NoLoader(inbox.Box{Files: 2, Oldest: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}, time.Now(),
		false); text !=
		"no loader runs: 2 files waiting since 2026-05-01 08:00:00 UTC, and nothing that they hold is stored; `statewire "+
			"serve --roles ingest` loads them" {
		t.Error(text)
	}
	at := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	if text := NoLoader(inbox.Box{Files: 1, Oldest: at}, time.Now(), false); !strings.Contains(text, ": 1 file waiting since ") {
		t.Error(text)
	}
	unlock, err := Roles{"ingest"}.Lock(data)
	if err != nil {
		t.Fatal(err)
	}
	if !HasLoader(data) {
		t.Error("the loader is not seen")
	}
	if err := unlock(); err != nil || HasLoader(data) {
		t.Errorf("a loader that ended is seen, %v", err)
	}
}

// TestAlarmsTogether has a store that is damaged and files that nobody loads: neither hides the other, and both are
// critical.
func TestAlarmsTogether(t *testing.T) {
	lost := &storeState{asked: time.Now(), last: store.Condition{LostParts: 1, LostRows: 7}}
	only := lost.alarm(t.Context())
	for _, tc := range []struct {
		name, nobody string
		store        *storeState
		has          []string
		critical     bool
	}{
		{"nothing", "", &storeState{asked: time.Now()}, nil, false},
		{"no loader", "no loader runs", &storeState{asked: time.Now()}, []string{"No loader runs."}, true},
		{"a damaged store", "", lost, []string{only.Text}, true},
		{"both", "no loader runs", lost, []string{only.Text, "Also, no loader runs."}, true},
	} {
		got := together(tc.store.alarm(t.Context()), tc.nobody)
		if got.Critical != tc.critical || got.Text != strings.Join(tc.has, " ") {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
}
