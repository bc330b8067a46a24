package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"statewire/smx"
	"statewire/store/storetest"
)

// shutdownNow is FS_IOC_SHUTDOWN; with noLogFlush the file system forgets what it had not written yet, its log
// included, and takes nothing more: what a power cut leaves behind.
const (
	shutdownNow = 0x8004587D
	noLogFlush  = 2
)

// disk is a file system of a test's own on a loop device, whose power can be cut.
type disk struct {
	t            *testing.T
	image, mount string
}

// onDisks runs a test on every file system that can be cut, that many times, each time on an empty disk.
func onDisks(t *testing.T, rounds int, test func(t *testing.T, d *disk)) {
	t.Parallel()
	if os.Getuid() != 0 {
		required(t, "a power cut needs root, to mount a file system of its own")
	}
	for name, format := range map[string][]string{"ext4": {"mkfs.ext4", "-q", "-F"}, "xfs": {"mkfs.xfs", "-q", "-f"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needTool(t, format[0])
			for round := range rounds {
				t.Run(fmt.Sprint(round+1), func(t *testing.T) { test(t, newDisk(t, format)) })
			}
		})
	}
}

func newDisk(t *testing.T, format []string) *disk {
	dir := dataDir(t)
	d := &disk{t, filepath.Join(dir, "image"), filepath.Join(dir, "mount")}
	image, err := os.Create(d.image)
	if err != nil {
		t.Fatal(err)
	}
	if err := image.Truncate(2 << 30); err != nil {
		t.Fatal(err)
	}
	image.Close()
	if err := os.Mkdir(d.mount, 0o700); err != nil {
		t.Fatal(err)
	}
	d.run(append(format, d.image)...)
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.mount).CombinedOutput(); err != nil {
		required(t, fmt.Sprintf("a loop device cannot be mounted: %v: %s", err, out))
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", d.mount).Run() })
	return d
}

func (d *disk) run(line ...string) {
	d.t.Helper()
	if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
		d.t.Fatalf("%v: %v: %s", line, err, out)
	}
}

func (d *disk) data() string { return filepath.Join(d.mount, "data") }

// plug opens what the power is cut with, so that nothing has to be looked up between an answer and the cut.
func (d *disk) plug() *os.File {
	d.t.Helper()
	f, err := os.Open(d.mount)
	if err != nil {
		d.t.Fatal(err)
	}
	return f
}

func (d *disk) cut(plug *os.File) {
	d.t.Helper()
	if err := unix.IoctlSetPointerInt(int(plug.Fd()), shutdownNow, noLogFlush); err != nil {
		d.t.Fatalf("cut the power: %v", err)
	}
	plug.Close()
}

// restart is the next boot: the log is replayed. Whoever used the disk must be dead.
func (d *disk) restart() {
	d.t.Helper()
	if !eventually(patience, func() bool { return exec.Command("umount", d.mount).Run() == nil }) {
		d.t.Fatal("the disk cannot be unmounted")
	}
	d.run("mount", "-o", "loop", d.image, d.mount)
}

// One report, its answer, and the power goes: the report is there after the next boot, every time. A later sync would
// write earlier renames too, so each cut follows the first answer of a process.
func TestPowerCutAfterEachSingleAnswer(t *testing.T) {
	onDisks(t, 1, func(t *testing.T, d *disk) {
		l, began, cuts, long := newLedger(), time.Now(), 0, times(t)
		for ; cuts < 50*long && (cuts < 20*long || time.Since(began) < 40*time.Second); cuts++ {
			s := serve(t, d.data(), "--roles", "relay")
			to, plug := s.poster(), d.plug()
			to.accept(t, l, 1, uint64(cuts)*3+1, uint64(cuts)*3+3)
			d.cut(plug)
			s.kill()
			d.restart()
			if checkFiles(t, d.data(), l); t.Failed() {
				t.Fatalf("after cut %d", cuts+1)
			}
		}
		t.Logf("%d cuts in %v", cuts, time.Since(began).Round(time.Second))
	})
}

// checkFiles holds the waiting files against the ledger: each is whole, and together they have what was acknowledged.
func checkFiles(t *testing.T, data string, l *ledger) {
	t.Helper()
	have := map[key]bool{}
	decoder := smx.NewDecoder()
	for _, path := range waiting(t, data) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(text)); !strings.Contains(path, sum) {
			t.Errorf("%s holds %d bytes with SHA-256 %s", path, len(text), sum)
			continue
		}
		var b smx.Batch
		if err := decoder.Decode(text, &b); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for i, serial := range b.Serial {
			have[key{b.Reports[b.Report[i]].Client.UUID(), serial}] = true
		}
	}
	for k := range l.acked {
		if !have[k] {
			t.Errorf("%v was acknowledged and is gone", k)
		}
	}
}

// What was loaded, and whose files were therefore deleted, survives a power cut: after a few moments, and after more
// than 40 seconds of inserts and merges, when the parts that were first inserted are long gone.
func TestPowerCutWhileLoading(t *testing.T) {
	n := storetest.SeedOr(t, 1)
	onDisks(t, times(t), func(t *testing.T, d *disk) {
		chance := rand.New(rand.NewPCG(n, uint64(crc32.ChecksumIEEE([]byte(t.Name())))))
		l, next := newLedger(), &counters{}
		for cut := range 4 {
			length := time.Duration(200+chance.IntN(1500)) * time.Millisecond
			if cut == 3 { // long enough for merges
				if times(t) == 1 && !strings.Contains(t.Name(), "ext4") {
					break // one file system is enough for each change
				}
				length = 42 * time.Second
			}
			inserts := loadAndCut(t, d, l, next, length, chance.Uint64())
			s := serve(t, d.data())
			s.awaitReady()
			s.awaitDrained()
			l.check(t, d.data())
			if broken := ask(t, d.data(), "SELECT count() FROM system.detached_parts"); broken > 0 {
				t.Errorf("%d parts are broken", broken)
			}
			merges := ask(t, d.data(), "SELECT countIf(level > 0) FROM system.parts WHERE database = 'statewire' AND active")
			acked, unknown := l.count()
			t.Logf("cut after %v and %d inserts: %d messages acknowledged, %d unknown, %d merged parts",
				length.Round(time.Millisecond),
				inserts, acked, unknown, merges)
			s.kill()
			if t.Failed() {
				return
			}
		}
	})
}

// loadAndCut runs a site under traffic for a while, then cuts the power.
func loadAndCut(t *testing.T, d *disk, l *ledger, next *counters, length time.Duration, chance uint64) (inserts int) {
	t.Helper()
	s := serve(t, d.data(), "--set", "ingest.batch_delay=0s", "--set", "ingest.loader_threads=2")
	s.awaitReady()
	to, plug := s.poster(), d.plug()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	stopped := make(chan struct{})
	go func() { traffic(ctx, s.process, to, l, next, 2, chance); close(stopped) }()
	<-ctx.Done() // callers are still waiting for answers
	d.cut(plug)
	s.kill()
	<-stopped
	d.restart()
	return strings.Count(s.text(), `"processed batch"`)
}
