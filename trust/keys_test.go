package trust

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a site's trust folder with a clock.
type server struct {
	*Keys
	t   *testing.T
	at  time.Time
	opt Options
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, at: day}
	s.opt = Options{Site: "HQ", Clock: func() time.Time { return s.at }}
	s.Keys = s.open(filepath.Join(t.TempDir(), "identity", "trust"))
	return s
}

func (s *server) open(dir string) *Keys {
	s.t.Helper()
	k, err := OpenKeys(dir, s.opt)
	if err != nil {
		s.t.Fatal(err)
	}
	return k
}

// doc is the document as an agent reads it.
func (s *server) doc() *Document {
	s.t.Helper()
	text, err := s.Document()
	if err != nil {
		s.t.Fatal(err)
	}
	d, err := Read(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *server) standing() Standing {
	s.t.Helper()
	st, err := s.Standing()
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

// The first start makes everything; later ones read it. All of it is for the owner alone.
func TestTheFirstStartMakesTheKeys(t *testing.T) {
	s := newServer(t)
	d := s.doc()
	if d.Version != 1 || d.Threshold != 1 || len(d.Roots) != 1 || len(d.PackKeys) != 1 || len(d.TaskKeys) != 1 {
		t.Fatalf("%+v", d)
	}
	if _, err := First(d.Envelope(), rootsHash(s.RootIDs())); err != nil {
		t.Error(err)
	}
	if got := d.Expires.Sub(day); got != 365*24*time.Hour {
		t.Errorf("the document lives %v", got)
	}
	if got := d.TaskKeys[0].NotAfter.Sub(day); got != 90*24*time.Hour || d.TaskKeys[0].Site != "HQ" {
		t.Errorf("the task key lives %v for %q", got, d.TaskKeys[0].Site)
	}
	want := []string{"lock", keyFile("pack", d.PackKeys[0].ID), keyFile("root", d.Roots[0].ID), keyFile("task",
		d.TaskKeys[0].ID), "trust.json"}
	if got := names(t, s.dir); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := names(t, filepath.Dir(s.dir)); !slices.Equal(got, []string{"trust"}) {
		t.Errorf("left behind: %v", got)
	}
	for _, name := range append(names(t, s.dir), ".") {
		info, err := os.Stat(filepath.Join(s.dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if again, err := s.open(s.dir).Document(); err != nil || !bytes.Equal(again, d.Envelope()) {
		t.Errorf("a second start changed the document: %v", err)
	}
	id, key, err := s.TaskKey()
	if err != nil || id != d.TaskKeys[0].ID || keyID(mustSPKI(t, key)) != id {
		t.Errorf("%s, %v", id, err)
	}
}

func mustSPKI(t *testing.T, key ed25519.PrivateKey) []byte {
	t.Helper()
	s, err := signerOf(key)
	if err != nil {
		t.Fatal(err)
	}
	return s.Key.Key
}

// Processes that start at once end with the same keys.
func TestStartsAtOnceEndWithTheSameKeys(t *testing.T) {
	for range 20 {
		dir := filepath.Join(t.TempDir(), "identity", "trust")
		var texts [4]string
		var wg sync.WaitGroup
		for i := range texts {
			wg.Go(func() {
				k, err := OpenKeys(dir, Options{})
				if err != nil {
					t.Error(err)
					return
				}
				text, err := k.Document()
				if err != nil {
					t.Error(err)
				}
				texts[i] = string(text)
			})
		}
		wg.Wait()
		for _, text := range texts {
			if text != texts[0] {
				t.Fatal("two documents")
			}
		}
		if got := names(t, dir); len(got) != 5 {
			t.Fatalf("%v", got)
		}
	}
}

// What a start that was killed left behind goes after an hour, and nothing else does.
func TestAKilledStartLeavesNothingForEver(t *testing.T) {
	s := newServer(t)
	old, young := filepath.Join(filepath.Dir(s.dir), tempPrefix+"1"), filepath.Join(s.dir, tempPrefix+"2")
	for _, path := range []string{old, young} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.at = time.Now().Add(2 * time.Hour)
	if err := os.Chtimes(young, s.at, s.at); err != nil {
		t.Fatal(err)
	}
	before := s.doc().Version
	s.open(s.dir)
	if exists(old) || !exists(young) || s.doc().Version != before {
		t.Errorf("old stays %v, young goes %v", exists(old), !exists(young))
	}
}

// A key that others may read, a key under another's name, a folder without its document and a changed document are
// refused, with the file and what to do.
func TestAWrongFolderIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(s *server) error
		want   []string
	}{
		{"a root that others read", func(s *server) error {
			return os.Chmod(s.path(keyFile("root", s.RootIDs()[0])), 0o640)
		}, []string{"root-", "mode 0640", "chmod 600"}},
		{"a task key that others read", func(s *server) error {
			return os.Chmod(s.path(keyFile("task", s.doc().TaskKeys[0].ID)), 0o604)
		}, []string{"task-", "mode 0604", "chmod 600"}},
		{"no document", func(s *server) error { return os.Remove(s.path("trust.json")) },
			[]string{"trust.json is missing", "backup"}},
		{"a changed document", func(s *server) error {
			text, err := os.ReadFile(s.path("trust.json"))
			if err != nil {
				return err
			}
			return os.WriteFile(s.path("trust.json"), bytes.Replace(text, []byte("eyJ2"), []byte("eyJ3"), 1), 0o600)
		}, []string{"trust.json", "wrong_trust", "backup"}},
	} {
		if runtime.GOOS == "windows" && strings.Contains(tc.name, "others") {
			continue
		}
		s := newServer(t)
		if err := tc.change(s); err != nil {
			t.Fatal(err)
		}
		k, err := OpenKeys(s.dir, s.opt)
		if err == nil || k != nil {
			t.Errorf("%s: taken", tc.name)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in %v", tc.name, want, err)
			}
		}
	}
	s := newServer(t)
	if err := os.Rename(s.path(keyFile("pack", s.doc().PackKeys[0].ID)), s.path(keyFile("task",
		s.doc().TaskKeys[0].ID))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.TaskKey(); err == nil || !strings.Contains(err.Error(), "renamed or exchanged") {
		t.Errorf("%v", err)
	}
}

// No text of this package shows a private key.
func TestNoKeyIsPrinted(t *testing.T) {
	k := newSigners(t, 1)[0]
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(format, k)
		if strings.Contains(text, fmt.Sprintf("%d", k.private[0])+" ") || strings.Contains(text, "private") {
			t.Errorf("%s: %s", format, text)
		}
	}
	if _, err := parsePrivate([]byte("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")); err == nil ||
		strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "c2Vj") {
		t.Errorf("%v", err)
	}
}
