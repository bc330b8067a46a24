package ingest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"statewire/inbox"
)

// running starts a loader and returns what stops it and waits.
func (s *site) running(l *Loader) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	return func() {
		s.t.Helper()
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("stopped with %v, want nil", err)
		}
	}
}

// until waits for a channel, as long as anything may take on a busy machine.
func (s *site) until(what string, done <-chan struct{}) {
	s.t.Helper()
	select {
	case <-done:
	case <-time.After(time.Minute):
		s.t.Fatalf("waited a minute for %s", what)
	}
}

// after returns a channel that closes when so many files have ended.
func (s *site) after(files int) <-chan struct{} {
	done := make(chan struct{})
	s.deps.Progress = func(t Totals) {
		if t.Files == files {
			close(done)
		}
	}
	return done
}

func TestFilesThatArriveWhileItRunsAreLoaded(t *testing.T) {
	s := newSite(t)
	s.cfg.BatchDelay = time.Millisecond
	s.drop("before.SMX", bare(client(1), message(1)))
	done := s.after(3)
	stop := s.running(s.loader())
	s.put(inbox.Low, bare(client(2), message(1)))
	s.put(inbox.High, bare(client(3), message(1)))
	s.until("three files", done)
	stop()
	s.expect("SELECT count() FROM current_states", "3")
	s.closeInbox()
	s.expectEmpty()
}

func TestNothingLooksClaimedWhenAllHasEnded(t *testing.T) {
	s := newSite(t)
	s.cfg.BatchDelay = time.Millisecond
	done := s.after(1)
	stop := s.running(s.loader())
	s.put(inbox.Normal, bare(client(1), message(1)))
	s.until("a file", done)
	for began := time.Now(); len(s.left("process")) > 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("process holds %q a minute after all has ended", s.left("process"))
		}
	}
	stop()
}

func TestStopStoresWhatWasDecoded(t *testing.T) {
	s := newSite(t)
	s.cfg.BatchDelay, s.cfg.LoaderThreads, s.cfg.LoaderChunkFiles = time.Minute, 1, 1
	s.restart()
	for n := range 4 {
		s.drop(name(n), bare(client(n), message(1)))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	claims := 0
	s.watchLog(func(text string, _ map[string]string) {
		if text == "claimed chunk" {
			if claims++; claims == 3 {
				stop() // the one thread has taken the second, so it is done with the first
			}
		}
	})
	l := s.loader()
	if err := l.Run(ctx); err != nil {
		t.Error(err)
	}
	loaded := l.Totals().Files
	if loaded < 1 {
		t.Error("nothing that was decoded before the stop has been stored")
	}
	s.restart()
	s.expect("SELECT count() FROM current_states", fmt.Sprint(loaded))
	if have := len(s.left("incoming")); have != 4-loaded {
		t.Errorf("%d files were stored and %d are left, of 4", loaded, have)
	}
	s.drain()
	s.expect("SELECT count() FROM current_states", "4")
	s.expectEmpty()
}

func TestHeartbeatsAreComponentStatus(t *testing.T) {
	s := newSite(t)
	at := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	s.deps.Clock = func() time.Time { return at }
	l := s.loader()
	began := time.Now()
	if err := l.heartbeat(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began).Milliseconds()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	s.expect("SELECT toUnixTimestamp(time), component, host, pid, event FROM component_status",
		fmt.Sprintf("%d,'SMS_STATE_SYSTEM','%s',%d,'heartbeat'", at.Unix(), host, os.Getpid()))
	// reaching the store is a part of it
	s.expect(fmt.Sprintf("SELECT processing_ms <= %d FROM component_status", took), "1")
	s.expect("SELECT count() FROM state_messages", "0")
}

func TestRunBeatsAtOnceAndWithItsInterval(t *testing.T) {
	s := newSite(t)
	s.cfg.HeartbeatInterval = time.Second
	beats, three := 0, make(chan struct{})
	s.faulty(func(step string, _ []string) error {
		if step == "sent component_status" {
			if beats++; beats == 3 {
				close(three)
			}
		}
		return nil
	})
	began := time.Now()
	stop := s.running(s.loader())
	s.until("three heartbeats", three)
	stop()
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("three heartbeats in %v", took)
	}
}

func TestEveryOutcomeIsCounted(t *testing.T) {
	s := newSite(t)
	registry := prometheus.NewRegistry()
	s.deps.Registerer = registry
	s.everything(1)
	s.drain()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := strings.TrimPrefix(family.GetName(), "statewire_")
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			have[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{
		"loader_messages_total stored": 9, "loader_messages_total duplicate": 3, "loader_messages_total set_aside": 1,
		"loader_files_total loaded": 4, "loader_files_total bad": 1, "loader_files_total vanished": 0,
		"loader_files_total postponed": 0,
		"loader_conflicts_total":       0, "loader_lag_seconds": 4, "store_insert_seconds": 1, "store_insert_rows": 1,
	} {
		if got, ok := have[name]; got != want || !ok {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// A metric's name says its unit: reports that came 90 seconds ago and an hour ago lag by these seconds.
func TestMetricsHaveTheirUnits(t *testing.T) {
	s := newSite(t)
	registry := prometheus.NewRegistry()
	s.deps.Registerer = registry
	now := time.Now().Truncate(time.Second)
	s.deps.Clock = func() time.Time { return now }
	s.put(inbox.Normal, relayed(s.t, now.Add(-90*time.Second), bare(client(1), messages(1, 4)...)))
	s.put(inbox.Normal, relayed(s.t, now.Add(-time.Hour), bare(client(2), messages(1, 3)...)))
	began := time.Now()
	s.drain()
	took := time.Since(began).Seconds()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			have[family.GetName()] += m.GetHistogram().GetSampleSum()
		}
	}
	if lag := have["statewire_loader_lag_seconds"]; lag != 3690 {
		t.Errorf("a lag of %v, want 3690 s", lag)
	}
	if rows := have["statewire_store_insert_rows"]; rows != 7 {
		t.Errorf("%v rows, want 7", rows)
	}
	if insert := have["statewire_store_insert_seconds"]; insert <= 0 || insert > took {
		t.Errorf("inserts of %v s in a run of %v s", insert, took)
	}
}

func TestWrongConfigurationIsRefusedWithEveryKey(t *testing.T) {
	_, err := New(Config{LoaderThreads: 65, BatchDelay: time.Hour}, Deps{})
	for _, key := range []string{"loader_threads is 65", "loader_chunk_size", "max_chunks_fetched",
		"inbox_polling_interval",
		"heartbeat_interval", "batch_rows", "batch_delay is 1h0m0s"} {
		if err == nil || !strings.Contains(err.Error(), "ingest."+key) {
			t.Errorf("%v does not name ingest.%s", err, key)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestInboxThatCannotBeReadEndsADrain(t *testing.T) {
	s := newSite(t)
	s.drop("a.SMX", bare(client(1), message(1)))
	if err := os.Rename(filepath.Join(s.root, "incoming"), filepath.Join(s.root, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.loader().Drain(t.Context()); err == nil {
		t.Error("drained an inbox that is not there")
	}
}

// An upload that stalls for longer than a dropped file is waited for goes to corrupt as a half file, and its writer
// goes on there: once it is whole it loads.
func TestAnUploadThatStallsLoadsOnceItIsWhole(t *testing.T) {
	s := newSite(t)
	s.cfg.BatchDelay = time.Millisecond
	stop := s.running(s.loader())
	doc := bare(client(1), message(1), message(2))
	upload, err := os.Create(filepath.Join(s.root, "incoming", "stall.SMX"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(data []byte) {
		if _, err := upload.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	await := func(what string, done func() bool) {
		t.Helper()
		for began := time.Now(); !done(); time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > time.Minute {
				t.Fatalf("waited a minute for %s", what)
			}
		}
	}
	write(doc[:len(doc)/2])
	await("the half file to be set aside", func() bool { return len(s.left("corrupt")) == 2 })
	write(doc[len(doc)/2:])
	if err := upload.Close(); err != nil {
		t.Fatal(err)
	}
	await("the whole file to load", func() bool { return len(s.rows("SELECT serial FROM state_messages")) == 2 })
	stop()
	s.closeInbox()
	s.expectEmpty()
}
