package durable

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestAFileIsWholeOrNotThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"one", "another"} {
		if err := Write(dir, "file", ".new-", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		info, err2 := os.Stat(path)
		if errors.Join(err, err2) != nil || string(got) != text || runtime.GOOS != "windows" && info.Mode() != 0o644 {
			t.Errorf("%q, %v, %v", got, err, err2)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if Write(dir, "folder", ".new-", nil, 0o600) == nil || Write(path, "x", ".new-", nil, 0o600) == nil {
		t.Error("a folder was replaced, or a file is one")
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".new-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAPrivateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := Private(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for mode, want := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false} {
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		if err := Private(path); (err == nil) != want {
			t.Errorf("mode %04o: %v", mode, err)
		}
		os.Remove(path)
	}
}
