package audit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A power cut at any moment loses no line that was acknowledged: the first of a new file, those that share a write, and
// outcomes.
func TestNoPowerCutLosesALine(t *testing.T) {
	for _, kind := range []string{"ext4", "xfs"} {
		t.Run(kind, func(t *testing.T) {
			disk := newBattery(t, kind)
			dir := filepath.Join(disk.path, "audit")
			var c clock
			c.set("2026-01-01T00:00:00Z")
			want := map[string]bool{}
			for cut := range 12 {
				l := open(t, dir, Options{Clock: c.now})
				var mu sync.Mutex
				var all sync.WaitGroup
				for side := range 1 + cut%3 {
					all.Go(func() {
						object := fmt.Sprint(cut, ".", side)
						finish, err := l.Begin(context.Background(), Action{Action: "a", Object: object})
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						want[object] = true
						mu.Unlock()
						if cut%2 == 0 {
							finish(Done, object)
							mu.Lock()
							want["done "+object] = true
							mu.Unlock()
						}
					})
				}
				all.Wait()
				disk.cut(t)
				l.crash()
				disk.restore(t)
				if cut%4 == 3 {
					c.at = c.at.AddDate(0, 1, 0)
				}
			}
			check(t, open(t, dir, Options{Clock: c.now}).Close())
			verified(t, dir)
			for _, line := range lines(t, dir) {
				delete(want, line.Object)
				delete(want, "done "+line.Detail)
			}
			for what := range want {
				t.Errorf("%s was acknowledged and is not there", what)
			}
		})
	}
}

// battery is a file system whose power can be cut.
type battery struct{ kind, device, path string }

func newBattery(t *testing.T, kind string) *battery {
	t.Helper()
	if testing.Short() || os.Geteuid() != 0 {
		t.Skip("mounts file systems: needs root")
	}
	dir := t.TempDir()
	if _, err := os.Stat("/dev/shm"); err == nil {
		dir, err = os.MkdirTemp("/dev/shm", "audit")
		check(t, err)
		t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	}
	image := filepath.Join(dir, "image")
	check(t, os.WriteFile(image, nil, 0o600))
	check(t, os.Truncate(image, 320<<20)) // the least xfs takes
	if out, err := exec.Command("mkfs."+kind, "-q", image).CombinedOutput(); err != nil {
		unable(t, fmt.Errorf("mkfs.%s: %w: %s", kind, err, out))
	}
	out, err := exec.Command("losetup", "-f", "--show", image).Output()
	if err != nil {
		unable(t, fmt.Errorf("losetup: %w", err))
	}
	b := &battery{kind: kind, device: strings.TrimSpace(string(out)), path: filepath.Join(dir, "mnt")}
	t.Cleanup(func() { check(t, exec.Command("losetup", "-d", b.device).Run()) })
	check(t, os.Mkdir(b.path, 0o700))
	if err := b.mount(); err != nil {
		unable(t, fmt.Errorf("mount %s: %w", kind, err))
	}
	t.Cleanup(func() { check(t, unix.Unmount(b.path, unix.MNT_DETACH)) })
	return b
}

func unable(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

func (b *battery) mount() error { return unix.Mount(b.device, b.path, b.kind, 0, "") }

// cut makes the file system forget everything that is not on its disk, now.
func (b *battery) cut(t *testing.T) {
	t.Helper()
	const shutdown, dropLogAndData = 0x8004587D, 2
	f, err := os.Open(b.path)
	check(t, err)
	defer f.Close()
	check(t, unix.IoctlSetPointerInt(int(f.Fd()), shutdown, dropLogAndData))
}

// restore mounts what the cut left.
func (b *battery) restore(t *testing.T) {
	t.Helper()
	check(t, unix.Unmount(b.path, 0))
	check(t, b.mount())
}
