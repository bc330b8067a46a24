package inbox

import (
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	errIO           = error(syscall.EIO)
	errReadOnly     = error(syscall.EROFS)
	errNoSpace      = error(syscall.ENOSPC)
	errQuota        = error(syscall.EDQUOT)
	errTooManyFiles = error(syscall.EMFILE)
)

func TestMain(m *testing.M) {
	child() // does not return in a process that a test started
	goleak.VerifyTestMain(m)
}

// quick is a configuration that never waits.
func quick() Config {
	c := DefaultConfig()
	c.StatsInterval, c.Settle = 0, 0
	return c
}

func open(t testing.TB) *Dir { return openAt(t, filepath.Join(t.TempDir(), "statesys.box")) }

func openAt(t testing.TB, root string) *Dir {
	t.Helper()
	d, err := quick().Open(root, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Some tests close it before, or take its folders away.
		if err := d.Close(); err != nil {
			t.Log(err)
		}
	})
	return d
}

func loader(t testing.TB, d *Dir, chunkFiles, maxChunks int) *Loader {
	t.Helper()
	l, err := d.Loader(chunkFiles, maxChunks)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// claim returns nil when nothing waits.
func claim(t testing.TB, l *Loader) *Chunk {
	t.Helper()
	c, err := l.Claim()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put makes a file that the relay might have written.
func put(t testing.TB, d *Dir, lane Lane, text string) (name string) {
	t.Helper()
	name, err := d.Put(lane, []byte(text), time.Now())
	check(t, err)
	return name
}

func read(t testing.TB, f File) string {
	t.Helper()
	data, err := f.Read(nil)
	check(t, err)
	return string(data)
}

// memoryDir is a folder on a disk in memory where there is one: a kill leaves that as whole as any.
func memoryDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "inbox")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
