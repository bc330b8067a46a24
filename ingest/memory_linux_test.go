package ingest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"statewire/inbox"
	"statewire/smx"
)

// printPeak answers an errand with the most memory that the process has had, in KiB.
func printPeak() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return json.NewEncoder(os.Stdout).Encode([][]string{{strings.Fields(text)[0]}})
		}
	}
	return fmt.Errorf("no VmHWM in %q", status)
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

// TestMemoryIsBoundedWhateverWaits loads the largest files there may be in a process of its own, engine included.
func TestMemoryIsBoundedWhateverWaits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		files  int
		report func(client int) []byte
	}{
		{"large details", 4, func(n int) []byte {
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
			dir := t.TempDir()
			s := &site{t: t, root: filepath.Join(dir, "statesys.box"), cfg: DefaultConfig(), log: slog.New(slog.DiscardHandler)}
			s.openInbox()
			for n := range tt.files {
				s.put(inbox.Normal, container(t, n, tt.report))
			}
			s.closeInbox()
			began := time.Now()
			answers, killed := errand{Root: s.root, Store: dir, Chunk: 256, Kill: "peak"}.child(t)
			if killed {
				t.Fatal("killed, by the system for its memory?")
			}
			var kib int
			if _, err := fmt.Sscan(answers[0][0], &kib); err != nil {
				t.Fatal(err)
			}
			t.Logf("peak %d MiB for %d files of 63 MiB in %v", kib>>10, tt.files, time.Since(began))
			if kib > 1<<20 {
				t.Errorf("peak %d MiB, want below 1024", kib>>10)
			}
			s.expectEmpty()
		})
	}
}
