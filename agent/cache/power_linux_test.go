package cache

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAPowerCutNeverMakesASerialUsedTwice cuts the power of a file system of its own under a living agent, again and
// again.
func TestAPowerCutNeverMakesASerialUsedTwice(t *testing.T) {
	disk := newDisk(t)
	w := &wiretap{t: t, seen: map[uint64]string{}}
	for i := range 8 {
		w.watch(filepath.Join(disk.folder, "agent.db"), 1+5*i, func(child *os.Process) {
			disk.cut()
			_ = child.Kill()
		})
		disk.restart()
	}
	if w.last < 50 {
		t.Errorf("only %d serials were used", w.last)
	}
}

// TestAFileThatCannotBeWrittenIsNotDamaged: whoever moved it away for a damaged one would use its serials again.
func TestAFileThatCannotBeWrittenIsNotDamaged(t *testing.T) {
	disk := newDisk(t)
	path := filepath.Join(disk.folder, "agent.db")
	file, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", disk.folder, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); !errors.Is(err, unix.EROFS) || strings.Contains(err.Error(), "damaged") {
		t.Errorf("on a read-only disk: %v", err)
	}
}

// TestAStoreThatFailedOnceTakesNoMoreWrites: what a disk that is gone has of the last commit, nobody knows.
func TestAStoreThatFailedOnceTakesNoMoreWrites(t *testing.T) {
	disk := newDisk(t)
	path := filepath.Join(disk.folder, "agent.db")
	file, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := file.Client(file.Own())
	put(t, s, detected("a", 1))
	disk.cut()
	for _, want := range []string{"write the agent's store", "failed before"} {
		if err := s.Put(detected("b", 1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
	}
	if err := file.Guard(t.Context()); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("nobody is told to open it anew: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	disk.restart()
	if file, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	s = file.Client(file.Own())
	packed(t, s, "1:a=1")
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// disk is an ext4 file system of a test's own, whose power can be cut.
type disk struct {
	t             *testing.T
	image, folder string
}

func newDisk(t *testing.T) *disk {
	t.Helper()
	if testing.Short() {
		t.Skip("mounts a file system")
	}
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("wants root, for a file system of its own")
		}
		t.Skip("only root can mount a file system of its own")
	}
	d := &disk{t, filepath.Join(t.TempDir(), "image"), t.TempDir()}
	file, err := os.Create(d.image)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Truncate(64<<20), file.Close()); err != nil {
		t.Fatal(err)
	}
	d.run("mkfs.ext4", "-q", "-F", d.image)
	d.run("mount", "-o", "loop", d.image, d.folder)
	t.Cleanup(func() { d.run("umount", "-l", d.folder) })
	return d
}

// cut makes the file system forget everything that is not on its disk, now.
func (d *disk) cut() {
	const shutdown, dropLogAndData = 0x8004587D, 2
	folder, err := os.Open(d.folder)
	if err != nil {
		d.t.Fatal(err)
	}
	defer folder.Close()
	if err := unix.IoctlSetPointerInt(int(folder.Fd()), shutdown, dropLogAndData); err != nil {
		d.t.Fatalf("cut the power: %v", err)
	}
}

func (d *disk) restart() {
	d.run("umount", d.folder)
	d.run("mount", "-o", "loop", d.image, d.folder)
}

func (d *disk) run(name string, args ...string) {
	d.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}
