package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tinyDisk mounts a small file system for one test.
func tinyDisk(t *testing.T, options string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("mounts a file system")
	}
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir := t.TempDir()
	check(t, unix.Mount("statewire-test", dir, "tmpfs", 0, options))
	t.Cleanup(func() { check(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// On a full disk an action is refused and nothing of it is left; an action whose outcome finds no room gets it once
// there is some.
func TestAFullDisk(t *testing.T) {
	disk := tinyDisk(t, "size=1m")
	dir := filepath.Join(disk, "audit")
	l := open(t, dir, Options{})
	finish := begin(t, l, Action{Action: "before"})
	fill(t, disk)
	begun := 0
	for err := error(nil); err == nil; begun++ {
		if _, err = l.Begin(context.Background(), Action{Action: "a", Object: "GUID:1"}); err != nil &&
			(!errors.Is(err, ErrUnavailable) || !errors.Is(err, syscall.ENOSPC)) {
			t.Fatal(err)
		}
	}
	finish(Done, "while it was full")
	info, err := os.Stat(newestFile(t, dir))
	check(t, err)
	if info.Size() != l.size {
		t.Errorf("%d bytes, %d of them whole lines", info.Size(), l.size)
	}
	check(t, os.Remove(filepath.Join(disk, "filler")))
	begin(t, l, Action{Action: "after"})
	check(t, l.Close())
	got := lines(t, dir)
	last := got[len(got)-2:]
	if verified(t, dir); last[0].Of != 1 || last[0].Detail != "while it was full" || last[1].Action != "after" ||
		len(got) != begun+2 {
		t.Errorf("%d of %d lines, then %+v", len(got), begun, last)
	}
}

// A site that is started on a full disk opens its log: actions are refused until there is room, and then those of the
// process before have their outcome.
func TestAStartOnAFullDisk(t *testing.T) {
	disk := tinyDisk(t, "size=1m")
	dir := filepath.Join(disk, "audit")
	l := open(t, dir, Options{})
	begin(t, l, Action{Action: "before"})
	for l.size%4096 < 3900 { // the outcome needs another page
		begin(t, l, Action{Action: "before"})(Done, "")
	}
	l.crash()
	fill(t, disk)
	l = open(t, dir, Options{})
	if _, err := l.Begin(context.Background(), Action{Action: "a"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("on a full disk: %v", err)
	}
	check(t, os.Remove(filepath.Join(disk, "filler")))
	begin(t, l, Action{Action: "after"})(Done, "")
	check(t, l.Close())
	if r := verified(t, dir); r.Open != 0 {
		t.Errorf("%+v", r)
	}
}

func fill(t *testing.T, disk string) {
	t.Helper()
	f, err := os.Create(filepath.Join(disk, "filler"))
	check(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// A disk that became read-only refuses actions, and takes them again.
func TestADiskThatBecameReadOnly(t *testing.T) {
	disk := tinyDisk(t, "size=1m")
	dir := filepath.Join(disk, "audit")
	var c clock
	c.at = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := open(t, dir, Options{Clock: c.now})
	check(t, unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	if _, err := l.Begin(context.Background(), Action{Action: "a"}); !errors.Is(err, ErrUnavailable) ||
		!errors.Is(err, syscall.EROFS) {
		t.Errorf("read-only: %v", err)
	}
	check(t, unix.Mount("", disk, "", unix.MS_REMOUNT, ""))
	begin(t, l, Action{Action: "b"})
	check(t, l.Close())
	if r := verified(t, dir); r.Lines != 1 {
		t.Errorf("%+v", r)
	}
}
