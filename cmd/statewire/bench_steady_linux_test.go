package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"statewire/ingest"
)

const (
	steadyRate    = 5   // reports per second
	steadyClients = 500 // that report in turn
	steadyTime    = 2 * time.Minute
)

// A site at a steady 5 reports of one message a second: what it writes for each byte it keeps, how many files lie below
// the store, and whether a report costs more the longer it runs. The first and last sixth of the time are compared, for
// that STATEWIRE_TEST_STEADY=30m wants to be long. The site has the default configuration of the loader.
func BenchmarkRatioSteadySite(b *testing.B) {
	length := steadyTime
	if text := os.Getenv("STATEWIRE_TEST_STEADY"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			b.Fatalf("STATEWIRE_TEST_STEADY: %v", err)
		}
	}
	for b.Loop() {
		steady(b, length)
	}
}

func steady(b *testing.B, length time.Duration) {
	data := b.TempDir() // on a disk, unlike dataDir: what is written there is counted
	s := serve(b, data, "--set", "ingest.batch_delay="+ingest.DefaultConfig().BatchDelay.String())
	s.awaitReady()
	to, l := s.poster(), newLedger()
	start := spentBy(b, s.cmd.Process.Pid)
	was, began, tick := start, time.Now(), time.NewTicker(time.Second/steadyRate)
	defer tick.Stop()
	var perReport []float64 // CPU milliseconds, by sixth
	var sent, sentBefore, mostFiles int
	for sixth := 1; sixth <= 6; {
		<-tick.C
		serial := uint64(sent/steadyClients + 1)
		to.accept(b, l, sent%steadyClients, serial, serial)
		sent++
		if time.Since(began) < time.Duration(sixth)*length/6 {
			continue
		}
		now := spentBy(b, s.cmd.Process.Pid)
		perReport = append(perReport, (now.cpu-was.cpu).Seconds()*1000/float64(sent-sentBefore))
		disk := diskOf(b, filepath.Join(data, "store"))
		mostFiles = max(mostFiles, disk.files)
		live := ask(b, data, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active")
		b.Logf("%v: %d reports, %d B live, %d MiB on disk, %d files, %d MiB written (%d MiB asked for), %.1f ms CPU per "+
			"report",
			time.Since(began).Round(time.Second), sent, live, disk.bytes>>20, disk.files, (now.written-start.written)>>20,
			(now.asked-start.asked)>>20, perReport[len(perReport)-1])
		for _, row := range query(b, data, steadyParts) {
			b.Log(strings.Join(row, " "))
		}
		was, sentBefore, sixth = now, sent, sixth+1
	}
	disk, end := diskOf(b, filepath.Join(data, "store")), spentBy(b, s.cmd.Process.Pid)
	live := float64(ask(b, data, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active"))
	b.ReportMetric(float64(end.written-start.written)/live, "written/live")
	b.ReportMetric(float64(end.asked-start.asked)/live, "asked/live")
	b.ReportMetric(float64(mostFiles), "files")
	b.ReportMetric(float64(disk.bytes)/(1<<20), "disk_MiB")
	b.ReportMetric(live/(1<<20), "live_MiB")
	b.ReportMetric(perReport[5]/perReport[0], "cpu_last/first")
	b.ReportMetric(perReport[5], "cpu_ms/report")
}

// steadyParts is what each table wrote in the last minute: parts and bytes inserted, and merged.
const steadyParts = `SELECT table, countIf(level = 0) AS inserts, sumIf(bytes_on_disk, level = 0) AS inserted, countIf(level > 0) AS merges,
	sumIf(bytes_on_disk, level > 0) AS merged, sum(files) AS files FROM system.parts WHERE modification_time > now() - 60 GROUP BY table ORDER BY table`

// spent is what a process has used so far.
type spent struct {
	cpu            time.Duration
	asked, written int64 // bytes: given to write(2), and of pages that were to go to the disk
}

func spentBy(b *testing.B, pid int) (s spent) {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')'):]))
	for _, field := range fields[12:14] { // utime and stime, in hundredths of a second
		n, _ := strconv.Atoi(field)
		s.cpu += time.Duration(n) * 10 * time.Millisecond
	}
	io, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(io)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "wchar":
			s.asked = n
		case "write_bytes":
			s.written = n
		}
	}
	return s
}

// onDisk is how much lies in a folder.
type onDisk struct {
	files int
	bytes int64 // in blocks of 4 KiB
}

func diskOf(b *testing.B, folder string) (d onDisk) {
	b.Helper()
	_ = filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // it was removed meanwhile
		}
		d.files++
		if info, err := e.Info(); err == nil {
			d.bytes += (info.Size() + 4095) &^ 4095
		}
		return nil
	})
	return d
}
