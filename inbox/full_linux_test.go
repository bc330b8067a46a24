package inbox

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"statewire/inbox/disk"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// smallDisk mounts a disk in memory with the given bounds.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	rootOnly(t)
	path := t.TempDir()
	if err := unix.Mount("inbox", path, "tmpfs", 0, options); err != nil {
		unable(t, fmt.Errorf("mount tmpfs: %w", err))
	}
	t.Cleanup(func() { check(t, unix.Unmount(path, unix.MNT_DETACH)) })
	return path
}

func TestAFullDiskRefusesAndRecovers(t *testing.T) {
	tests := []struct{ name, options string }{
		{"no bytes left", "size=256k"},
		{"no inodes left", "size=16m,nr_inodes=40"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := onDisk{filepath.Join(smallDisk(t, test.options), "box")}
			d, err := v.start()
			check(t, err)
			defer d.Close()
			g := newLedger()
			names := fillUp(t, d, g)
			if bytes, inodes, err := d.Free(); err != nil || (bytes > 8<<10 && inodes > 0) {
				t.Errorf("the full disk has %d bytes and %d inodes free, %v", bytes, inodes, err)
			}
			check(t, d.Ready()) // being full is no fault
			if temp, err := os.ReadDir(d.disk.(*disk.Unix).Own.Load().Path); err != nil || len(temp) != 1 {
				t.Errorf("what could not be written stays: %v, %v", temp, err)
			}
			check(t, os.Remove(filepath.Join(v.root, "incoming", names[0])))
			delete(g.kept, text8k(0))
			g.offer("again")
			put(t, d, Normal, "again")
			g.accept("again")
			check(t, g.check(v))
		})
	}
}

func text8k(i int) string { return fmt.Sprintf("%8192d", i) }

// fillUp puts files until the disk is full.
func fillUp(t *testing.T, d *Dir, g *ledger) (names []string) {
	t.Helper()
	for i := 0; ; i++ {
		g.offer(text8k(i))
		name, err := d.Put(Normal, []byte(text8k(i)), time.Now())
		if errors.Is(err, ErrDiskFull) && !errors.Is(err, ErrFault) && i > 0 {
			return names
		}
		check(t, err)
		g.accept(text8k(i))
		names = append(names, name)
	}
}

func TestADiskThatTurnsReadOnlyIsAFaultUntilItTurnsBack(t *testing.T) {
	path := smallDisk(t, "size=1m")
	config := quick()
	config.ProbeInterval = 1 // nanosecond
	d, err := config.Open(filepath.Join(path, "box"), slog.New(slog.DiscardHandler))
	check(t, err)
	defer d.Close()
	check(t, unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	if _, err := d.Put(Normal, []byte("x"), time.Now()); !errors.Is(err, ErrFault) {
		t.Errorf("Put on a read-only disk = %v", err)
	}
	if err := d.Ready(); !errors.Is(err, ErrFault) {
		t.Errorf("Ready on a read-only disk = %v", err)
	}
	check(t, unix.Mount("", path, "", unix.MS_REMOUNT, ""))
	check(t, d.Ready())
	put(t, d, Normal, "x")
}

func TestFoldersOnTwoDisksAreRefused(t *testing.T) {
	root := filepath.Join(smallDisk(t, "size=1m"), "box")
	corrupt := filepath.Join(root, "corrupt")
	check(t, os.MkdirAll(corrupt, 0o700))
	if err := unix.Mount("inbox", corrupt, "tmpfs", 0, "size=1m"); err != nil {
		unable(t, err)
	}
	defer func() { check(t, unix.Unmount(corrupt, unix.MNT_DETACH)) }()
	if _, err := Open(root, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened an inbox that spans two file systems")
	}
}
