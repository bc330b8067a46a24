//go:build linux || darwin

package inbox

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"statewire/inbox/disk"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const reportBytes = 3200 // of a report of 10 messages

// BenchmarkPut is one file per report, durable before it returns.
func BenchmarkPut(b *testing.B) {
	report := bytes.Repeat([]byte("x"), reportBytes)
	for _, threads := range []int{1, 16} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			d := openAt(b, filepath.Join(b.TempDir(), "box"))
			share(b, threads, func(int) error {
				_, err := d.Put(Normal, report, time.Now())
				return err
			})
		})
	}
}

// BenchmarkSyncedFile is what Put is measured against, and a relay that commits in groups too: every thread for itself
// creates, writes, syncs, renames and syncs the folder.
func BenchmarkSyncedFile(b *testing.B) {
	report := bytes.Repeat([]byte("x"), reportBytes)
	for _, threads := range []int{1, 16} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			dir := b.TempDir()
			share(b, threads, func(n int) error { return syncedFile(dir, strconv.Itoa(n), report) })
		})
	}
}

func syncedFile(dir, name string, data []byte) error {
	path := filepath.Join(dir, name)
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return disk.SyncPath(dir)
}

// share runs b.N calls on a number of threads.
func share(b *testing.B, threads int, call func(n int) error) {
	b.Helper()
	b.SetBytes(reportBytes)
	var next atomic.Int64
	var wait sync.WaitGroup
	b.ResetTimer()
	for range threads {
		wait.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := call(int(n)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
}

// BenchmarkClaim claims and ends every file of a backlog of 10,000 and of STATEWIRE_TEST_BENCH_FILES: the time per
// claim and the memory must not depend on how many files wait.
func BenchmarkClaim(b *testing.B) {
	for _, files := range []int{10_000, benchFiles()} {
		b.Run(fmt.Sprintf("files=%d", files), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				d := backlog(b, files)
				b.StartTimer()
				drainBacklog(b, d, files)
				b.StopTimer()
				check(b, d.Close())
				check(b, os.RemoveAll(d.Root()))
				b.StartTimer()
			}
		})
	}
}

func benchFiles() int {
	if n, err := strconv.Atoi(os.Getenv("STATEWIRE_TEST_BENCH_FILES")); err == nil {
		return n
	}
	return 50_000
}

func backlog(b *testing.B, files int) *Dir {
	b.Helper()
	d, err := DefaultConfig().Open(filepath.Join(b.TempDir(), "box"), slog.New(slog.DiscardHandler))
	check(b, err)
	lane := filepath.Join(d.Root(), "incoming")
	at := time.Now()
	for i := range files {
		name := putName(at.Add(time.Duration(i)*time.Microsecond), [32]byte{byte(i), byte(i >> 8)})
		check(b, os.WriteFile(filepath.Join(lane, name), []byte("x"), 0o600))
	}
	return d
}

func drainBacklog(b *testing.B, d *Dir, files int) {
	b.Helper()
	runtime.GC()
	before := heap()
	l, err := d.Loader(256, 100)
	check(b, err)
	defer l.Close()
	var first, claims, worst, done time.Duration
	var peak uint64
	n, left := 0, files
	for {
		began := time.Now()
		c, err := l.Claim()
		check(b, err)
		took := time.Since(began)
		if c == nil {
			break
		}
		if n++; n == 1 {
			first = took
		}
		claims += took
		worst = max(worst, took)
		began = time.Now()
		check(b, c.Done(c.Files...))
		done += time.Since(began)
		left -= len(c.Files)
		if n%100 == 1 {
			runtime.GC()
			peak = max(peak, heap())
		}
	}
	if left != 0 {
		b.Fatalf("%d files were not claimed", left)
	}
	b.ReportMetric(first.Seconds()*1e3, "first-ms")
	b.ReportMetric(claims.Seconds()*1e3/float64(n), "claim-ms")
	b.ReportMetric(worst.Seconds()*1e3, "worst-ms")
	b.ReportMetric(done.Seconds()*1e6/float64(files), "done-µs/file")
	b.ReportMetric(float64(peak-min(peak, before))/(1<<20), "heap-MiB")
	b.ReportMetric(float64(files)/(claims+done).Seconds(), "files/s")
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkStats counts a backlog.
func BenchmarkStats(b *testing.B) {
	files := benchFiles()
	d := backlog(b, files)
	defer d.Close()
	b.ResetTimer()
	for range b.N {
		s, err := d.count()
		check(b, err)
		if s.Normal.Files != files {
			b.Fatalf("counted %d", s.Normal.Files)
		}
	}
}
