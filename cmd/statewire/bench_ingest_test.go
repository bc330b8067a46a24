package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"statewire/smx"
)

const (
	onceFiles    = 20_000 // of one report each
	onceMessages = 10     // per report
)

// BenchmarkRatioIngestOnce is `statewire ingest --once` from its start to its end, of the same files as the benchmark
// inside the process has (BenchmarkRatioIngestOneReportFiles): what the rates differ by is the start and the end of the
// program.
func BenchmarkRatioIngestOnce(b *testing.B) {
	var wall, own time.Duration
	for b.Loop() {
		data := b.TempDir()
		if r := command(b, data, "ingest", "--once", "--create"); r.code != 0 {
			b.Fatalf("make the site: %s", r.errOut)
		}
		dropReports(b, filepath.Join(boxOf(data), "incoming"))
		began := time.Now()
		r := command(b, data, "--format", "json", "--log-level", "warn", "ingest", "--once")
		wall += time.Since(began)
		var did struct {
			Messages int
			Seconds  float64
		}
		if err := json.Unmarshal([]byte(r.out), &did); err != nil || did.Messages != onceFiles*onceMessages {
			b.Fatalf("loaded %+v: %v: %s", did, err, r.errOut)
		}
		own += time.Duration(did.Seconds * float64(time.Second))
	}
	messages := float64(b.N * onceFiles * onceMessages)
	b.ReportMetric(messages/wall.Seconds(), "messages/s")
	b.ReportMetric(wall.Seconds()/float64(b.N)*1000, "wall_ms")
	b.ReportMetric((wall-own).Seconds()/float64(b.N)*1000, "outside_drain_ms")
}

// dropReports drops files of one report, each of another client.
func dropReports(b *testing.B, folder string) {
	b.Helper()
	var doc []byte
	for n := range onceFiles {
		r, _ := report(n, smx.NoPriority, 1, onceMessages)
		doc = smx.AppendReport(doc[:0], r)
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%06d.SMX", n)), doc, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}
