package ingest

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"statewire/inbox"
	"statewire/smx"
	"statewire/store/embedded"
)

// built is the program itself, as it is shipped.
func built(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "statewire")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "statewire/cmd/statewire")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// peakOf drains the inbox below data with the program, and returns the most memory it had, in KiB.
func peakOf(t *testing.T, program, data string) int64 {
	t.Helper()
	library, err := embedded.FindLibrary("")
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command(program, "ingest", "--once", "--create", "--data", data, "--log-level", "error", "--set",
		"store.engine="+library)
	var said bytes.Buffer
	run.Stderr = &said
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for peak := int64(0); ; {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("ingest: %v: %s", err, said.String())
			}
			return peak
		case <-tick.C:
			peak = max(peak, highWater(run.Process.Pid))
		}
	}
}

// highWater is the most memory that a process has had so far, in KiB. The system's own figure at its end will not do:
// it begins with that of the process that started it.
func highWater(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // gone: no figure
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			return kib
		}
	}
	return 0
}

// container is a relay-written file of reports, as large as it may be.
func container(t *testing.T, n int, report func(client int) []byte) []byte {
	t.Helper()
	var all []smx.Accepted
	size := 0
	for i := 0; ; i++ {
		doc := report(1000*n + i)
		if size += len(doc) + 200; size > 63<<20 {
			return smx.AppendFile(nil, all)
		}
		all = append(all, acceptedReport(t, epoch, "r", doc))
	}
}

// TestMemoryIsBoundedWhateverWaits loads the largest files there may be, engine included.
func TestMemoryIsBoundedWhateverWaits(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the engine")
	}
	program := built(t)
	for _, tt := range []struct {
		name   string
		files  int
		report func(client int) []byte
	}{
		{"large details", 2, func(n int) []byte {
			m := message(1)
			m.Details = strings.Repeat("<detail>", 1<<17)
			return bare(client(n), m)
		}},
		{"tiny messages", 2, func(n int) []byte {
			tiny := `<StateMessage MessageTime="20260301080000.000000+000"><Topic ID="" Type="1"/><State ID="1"/></StateMessage>`
			head, tail, _ := strings.Cut(string(bare(client(n))), "<ReportBody>")
			return []byte(head + "<ReportBody>" + strings.Repeat(tiny, 10_000) + tail)
		}},
		{"many reports", 2, func(n int) []byte { return bare(client(n), messages(1, 10)...) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "many reports" && os.Getenv("STATEWIRE_TEST_LONG") == "" {
				t.Skip("the largest of the three takes a minute: make long")
			}
			dir := t.TempDir()
			root := filepath.Join(dir, "inboxes", "auth", "statesys.box")
			s := &site{t: t, root: root, cfg: DefaultConfig(), log: slog.New(slog.DiscardHandler)}
			s.openInbox()
			for n := range tt.files {
				s.put(inbox.Normal, container(t, n, tt.report))
			}
			s.closeInbox()
			// else the folder has had a loader, and so a store
			if err := os.Remove(filepath.Join(root, "loader.lock")); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			kib := peakOf(t, program, dir)
			t.Logf("peak %d MiB for %d files of 63 MiB in %v", kib>>10, tt.files, time.Since(began))
			if kib == 0 || kib > 1<<20 {
				t.Errorf("peak %d MiB, want below 1024", kib>>10)
			}
			s.expectEmpty()
		})
	}
}
