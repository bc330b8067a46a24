package credentials

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

var errKilled = errors.New("killed")

// Wherever a process is killed while it keeps a new pair, the next one finds the former or the new one whole.
func TestAKilledProcessLeavesAWholePair(t *testing.T) {
	first, second := newMachine(t), newMachine(t)
	first.enrol()
	second.enrol()
	before, after := load(t, first.dir), load(t, second.dir)
	before.Pending = &Pending{Key: []byte("key"), Approval: "7Q2M4KAB"} // goes with the new pair
	after.Former, after.Ended = before.CA, "superseded"
	for n := 0; ; n++ {
		dir := filepath.Join(t.TempDir(), "identity")
		if err := OpenFolder(dir).Save(before); err != nil {
			t.Fatal(err)
		}
		saved := killed(dir, n).Save(after)
		for m := 0; ; m++ { // and the next process is killed, too
			if _, err := killed(dir, m).Load(); !errors.Is(err, errKilled) {
				break
			}
		}
		got := load(t, dir)
		if !reflect.DeepEqual(got, before) && !reflect.DeepEqual(got, after) {
			t.Fatalf("killed at change %d: neither the former nor the new one is there", n)
		}
		if _, err := tls.X509KeyPair(got.Certificate, got.Key); err != nil {
			t.Fatalf("killed at change %d: %v", n, err)
		}
		if saved == nil {
			if !reflect.DeepEqual(got, after) || n < 10 {
				t.Fatalf("saved after %d changes, but it is the former one", n)
			}
			return
		}
	}
}

// killed is a folder whose process is killed before its n-th change of the disk.
func killed(dir string, n int) *Folder {
	f := OpenFolder(dir)
	f.change = func() error {
		if n--; n < 0 {
			return errKilled
		}
		return nil
	}
	return f
}

func load(t *testing.T, dir string) Kept {
	t.Helper()
	kept, err := OpenFolder(dir).Load()
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func TestAKeyThatOthersCanReadIsNotUsed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there, the folder's access list decides")
	}
	m := newMachine(t)
	m.enrol()
	if err := m.c.replace(func(k *Kept) { k.Pending = &Pending{Key: k.Key} }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{keyFile, pendingFile} {
		path := filepath.Join(m.dir, name)
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		_, err := Open(OpenFolder(m.dir), Options{Client: m.id, Log: quiet})
		if err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A folder of which a part is missing or damaged is refused, and the error says what to do.
func TestADamagedFolderIsRefused(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"no key":         func(dir string) error { return os.Remove(filepath.Join(dir, keyFile)) },
		"no certificate": func(dir string) error { return os.Remove(filepath.Join(dir, certificateFile)) },
		"no authority":   func(dir string) error { return os.Remove(filepath.Join(dir, caFile)) },
		"no trust":       func(dir string) error { return os.Remove(filepath.Join(dir, trustFile)) },
		"an empty key":   func(dir string) error { return os.Truncate(filepath.Join(dir, keyFile), 0) },
		"half a record":  func(dir string) error { return os.WriteFile(filepath.Join(dir, nextFile), []byte(`{"ke`), 0o600) },
		"half a state": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, stateFile), []byte(`{"re`),
				0o600)
		},
		"half a trust": func(dir string) error { return os.WriteFile(filepath.Join(dir, trustFile), []byte(`{"pa`), 0o600) },
		"another key": func(dir string) error {
			key, err := newKey()
			return errors.Join(err, os.WriteFile(filepath.Join(dir, keyFile), key, 0o600))
		},
	} {
		m := newMachine(t)
		m.enrol()
		if err := harm(m.dir); err != nil {
			t.Fatal(err)
		}
		_, err := Open(OpenFolder(m.dir), Options{Client: m.id, Log: quiet})
		if err == nil || !strings.Contains(err.Error(), "enrol anew") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
