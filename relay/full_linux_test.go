package relay

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"statewire/inbox"
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
	if err := unix.Mount("statewire-test", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestAFullDisk fills a disk with bytes, or with files, and frees it again: 503 while it is full, nothing half kept,
// and then reports are taken without anybody's help.
func TestAFullDisk(t *testing.T) {
	for _, tc := range []struct {
		name, options string
		bytes, inodes int64 // reserves
		fill          func(t *testing.T, dir string) (free func())
	}{
		{"C5.83 by bytes, at the write", "size=2m", 0, 0, fillBytes},
		{"C5.83 by inodes, at the create", "size=64m,nr_inodes=100", 0, 0, fillInodes},
		{"I22 by bytes, before the body", "size=4m", 1 << 20, 0, fillBytes},
		{"I22 by inodes, before the body", "size=64m,nr_inodes=100", 0, 10, fillInodes},
	} {
		t.Run(tc.name, func(t *testing.T) {
			disk := tinyDisk(t, tc.options)
			root := filepath.Join(disk, "inbox")
			in, err := inbox.Open(root, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			cfg := testConfig()
			cfg.DiskReserve, cfg.InodeReserve = tc.bytes, tc.inodes
			s := start(t, cfg, Deps{Inbox: in})
			free := tc.fill(t, disk)
			eventually(t, "refused", func() bool {
				resp, body := s.raw(t, post(report(testClient, 300)))
				if resp.StatusCode == 503 && (!strings.Contains(body, codeDiskFull) || resp.Header.Get("Retry-After") == "") {
					t.Errorf("%s Retry-After %q", body, resp.Header.Get("Retry-After"))
				}
				return resp.StatusCode == 503
			})
			accepted := int(s.metric(t, "statewire_relay_reports_total", "accepted"))
			if n := len(smxFiles(t, root)); n != accepted {
				t.Errorf("%d files, %d acknowledged", n, accepted)
			}
			if left, err := filepath.Glob(root + "/tmp/*/*.tmp"); err != nil || len(left) > 0 {
				t.Errorf("temporary files stay: %v %v", left, err)
			}
			free()
			eventually(t, "taken again", func() bool {
				resp, _ := s.raw(t, post(report(testClient, 300)))
				return resp.StatusCode == http.StatusAccepted
			})
			s.stop()
		})
	}
}

func fillBytes(t *testing.T, dir string) func() {
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() { os.Remove(path) }
}

func fillInodes(t *testing.T, dir string) func() {
	var paths []string
	for i := 0; ; i++ {
		path := filepath.Join(dir, fmt.Sprintf("filler%d", i))
		err := os.WriteFile(path, nil, 0o600)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return func() {
		for _, path := range paths {
			os.Remove(path)
		}
	}
}

// TestAFolderThatWasMoved: reports are refused while the inbox is not where it was, and taken once it is back.
func TestAFolderThatWasMoved(t *testing.T) {
	root := filepath.Join(t.TempDir(), "inbox")
	in, err := inbox.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	s := start(t, testConfig(), Deps{Inbox: in})
	if err := os.Rename(root, root+"-moved"); err != nil {
		t.Fatal(err)
	}
	if resp, body := s.raw(t, post(report(testClient, 1))); resp.StatusCode != 503 ||
		!strings.Contains(body, "moved or deleted") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if err := os.Rename(root+"-moved", root); err != nil {
		t.Fatal(err)
	}
	eventually(t, "taken again", func() bool {
		resp, _ := s.raw(t, post(report(testClient, 1)))
		return resp.StatusCode == http.StatusAccepted
	})
	s.stop()
}
