package main

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// server is a running `statewire serve`.
type server struct {
	*process
	data    string
	reports string // address of its pages; empty without that role
}

// serve starts a site, or some roles of it, and waits until it has started.
func serve(t testing.TB, data string, args ...string) *server {
	t.Helper()
	program(t) // may have to be built
	began := time.Now()
	s := &server{process: spawn(t, data, nil, append([]string{"serve"}, args...)...), data: data}
	s.reports = s.await("site started", "reports", patience)
	promised(t, time.Since(began), readyTime, "start")
	return s
}

// relay is the address of its relay.
func (s *server) relay() string { return s.await("relay listening", "addr", patience) }

func (s *server) poster() *poster { return newPoster(s.t, s.data, s.relay()) }

// awaitReady waits until the site itself says that it is ready.
func (s *server) awaitReady() {
	s.t.Helper()
	began, last := time.Now(), ""
	if !eventually(patience, func() bool {
		resp, err := http.Get(s.reports + "/readyz")
		if err != nil {
			last = err.Error()
			return false
		}
		resp.Body.Close()
		last = resp.Status
		return resp.StatusCode == http.StatusOK
	}) {
		s.t.Fatalf("not ready within %v: %s", patience, last)
	}
	promised(s.t, time.Since(began), readyTime, "readiness")
}

// awaitDrained waits until nothing waits: a file goes when its rows are stored. It gives up when none goes for long.
func (s *server) awaitDrained() {
	s.t.Helper()
	left := len(waiting(s.t, s.data))
	for left > 0 {
		before := left
		if !eventually(patience, func() bool { left = len(waiting(s.t, s.data)); return left < before }) {
			s.t.Fatalf("of %d files in the inbox none was loaded within %v", left, patience)
		}
	}
}

func boxOf(data string) string { return filepath.Join(data, "inboxes", "auth", "statesys.box") }

// waiting lists the files of all lanes, as paths.
func waiting(t testing.TB, data string) (paths []string) {
	t.Helper()
	for _, lane := range []string{"incoming/high", "incoming", "incoming/low"} {
		paths = append(paths, filesIn(t, filepath.Join(boxOf(data), lane))...)
	}
	return paths
}

func claims(t testing.TB, data string) []string {
	t.Helper()
	return filesIn(t, filepath.Join(boxOf(data), "process"))
}

// corrupt lists what was set aside, without the reasons.
func corrupt(t testing.TB, data string) (paths []string) {
	t.Helper()
	for _, path := range filesIn(t, filepath.Join(boxOf(data), "corrupt")) {
		if !strings.HasSuffix(path, ".reason.json") {
			paths = append(paths, path)
		}
	}
	return paths
}

func filesIn(t testing.TB, dir string) (paths []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}

// dataDir is a data directory of a test's own, in memory where there is room: only power cuts need a disk.
func dataDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(scratch(), "statewire-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the data directory: %v", err)
		}
	})
	return dir
}

func scratch() string {
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		return memory
	}
	return os.TempDir()
}

// promised holds what something took against what it may take. On a machine that others keep busy it only says so: then
// the time tells of them.
func promised(t testing.TB, took, limit time.Duration, what string) {
	t.Helper()
	t.Logf("%s: %v", what, took.Round(time.Millisecond))
	if took <= limit {
		return
	}
	if load := loadPerCPU(); load > 2 {
		t.Logf("%s may take %v at most; not held against it, %.1f processes wait for each CPU", what, limit, load)
		return
	}
	t.Errorf("%s took %v, allowed are %v", what, took, limit)
}

// loadPerCPU is how many processes ran or waited per CPU during the last minute; 0 where the system does not say.
func loadPerCPU() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	load, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	if err != nil {
		return 0
	}
	return load / float64(runtime.NumCPU())
}
