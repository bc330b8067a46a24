//go:build unix

package control

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// folder is one whose sockets have a path of so many bytes.
func folder(t *testing.T, bytes int) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "c")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for bytes-len(dir) > 7 {
		dir = filepath.Join(dir, strings.Repeat("d", min(200, bytes-len(dir)-6)))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestASocketWorksInAFolderOfAnyLength(t *testing.T) {
	for _, bytes := range []int{20, maxPath - nested, maxPath - nested + 1, maxPath, 107, 108, 120, 1000} {
		if bytes > maxPath-nested && !shortens() {
			continue
		}
		path := filepath.Join(folder(t, bytes), "sock")
		ln, err := Listen(path)
		if err != nil {
			t.Errorf("%d bytes: %v", len(path), err)
			continue
		}
		go func() {
			conn, err := ln.Accept()
			if err == nil {
				_, _ = io.WriteString(conn, "yes")
				conn.Close()
			}
		}()
		conn, err := Dial(t.Context(), path)
		if err != nil {
			t.Fatalf("%d bytes: %v", len(path), err)
		}
		if said, err := io.ReadAll(conn); string(said) != "yes" || err != nil {
			t.Errorf("%d bytes: read %q, %v", len(path), said, err)
		}
		conn.Close()
		if ln.Addr().String() != path {
			t.Errorf("it says that it is at %s", ln.Addr())
		}
		if err := errors.Join(ln.Close(), onlyHolds(path)); err != nil {
			t.Error(err)
		}
		_, err = Dial(t.Context(), path)
		if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "/proc/") ||
			!strings.Contains(err.Error(), path) {
			t.Errorf("nobody listens: %v", err)
		}
	}
}

// onlyHolds fails when anything but these names is in the folder of path.
func onlyHolds(path string, names ...string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err == nil && len(entries) != len(names) {
		err = errors.New("left in the folder: " + entries[0].Name())
	}
	return err
}

func TestASocketOfADeadProcessGivesWay(t *testing.T) {
	path := filepath.Join(folder(t, 40), "sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	if _, err := Dial(t.Context(), path); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a dead process answers: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(path+".new", "s"), 0o700); err != nil { // it died while it listened
		t.Fatal(err)
	}
	ln, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := onlyHolds(path, "sock"); err != nil {
		t.Error(err)
	}
}

// TestNobodyElseCanOpenItAtAnyMoment looks at the socket while it is made again and again,
// in a folder that everybody may enter and under a umask that forbids nothing.
func TestNobodyElseCanOpenItAtAnyMoment(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(folder(t, 40), "sock")
	done, seen := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			for name, want := range map[string]os.FileMode{path: 0o600, path + ".new": 0o700} {
				info, err := os.Lstat(name)
				if err == nil && info.Mode().Perm() != want {
					t.Errorf("%s is %v", name, info.Mode())
				}
				if err == nil {
					n++
				}
			}
			select {
			case <-done:
				seen <- n
				return
			default:
				runtime.Gosched()
			}
		}
	}()
	for range 300 {
		ln, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		if mask := syscall.Umask(0); mask != 0 {
			t.Fatalf("the umask is %o", mask)
		}
		ln.Close()
	}
	close(done)
	if n := <-seen; n == 0 {
		t.Error("nothing was seen")
	}
}

func TestAPathThatNoSocketCanHaveIsRefusedFirst(t *testing.T) {
	long := strings.Repeat("d", maxPath-nested+1)
	if err := fits(long, false); !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), "98 bytes") ||
		!strings.Contains(err.Error(), "shorter --data") {
		t.Errorf("%d bytes: %v", len(long), err)
	}
	if err := errors.Join(fits(long[1:], false), fits(long, true)); err != nil {
		t.Error(err)
	}
}

func TestAFolderThatIsNotThereIsAnError(t *testing.T) {
	if _, err := Listen(filepath.Join(folder(t, 40), "none", "sock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("listened: %v", err)
	}
}
