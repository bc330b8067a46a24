//go:build unix

package filelock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestALockNamesItsHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.lock")
	if pid := Holder(path); pid != 0 {
		t.Errorf("a file that is not there is held by %d", pid)
	}
	f, err := Take(path, false)
	if err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if _, err := Take(path, false); !errors.As(err, &held) || held.PID != 0 {
		t.Errorf("before it was named: %v", err)
	}
	if err := Name(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(path, false); !errors.As(err, &held) || held.PID != os.Getpid() || Holder(path) != os.Getpid() {
		t.Errorf("after: %v, held by %d", err, Holder(path))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if pid := Holder(path); pid != 0 {
		t.Errorf("a lock that was given back is held by %d", pid)
	}
	again, err := Take(path, true)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// A lock of another program says its holder in words.
func TestTheHolderIsTheFirstNumber(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status")
	if err := os.WriteFile(path, []byte("PID: 4711\nStarted at: 2026\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Take(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	other, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var held *HeldError
	if err := Free(other); !errors.As(err, &held) || held.PID != 4711 {
		t.Errorf("it is held by %v", err)
	}
}

func TestALinkIsNotFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.lock")
	if err := os.Symlink("elsewhere", path); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(path, false); err == nil {
		t.Error("the lock is in another place")
	}
}
