package trust

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const oneDay = 24 * time.Hour

// The task key is renewed at two thirds of its life while the root is on the server, by whoever asks for the document
// first; every version follows the one before by the agents' rules.
func TestTheTaskKeyIsRenewedAtTwoThirds(t *testing.T) {
	s := newServer(t)
	first := s.doc()
	s.at = day.Add(60*oneDay - time.Second)
	if s.doc().Version != 1 {
		t.Fatal("renewed before two thirds of its life")
	}
	s.at = day.Add(60 * oneDay)
	second, err := Next(s.doc().Envelope(), first)
	if err != nil || second.Version != 2 || len(second.TaskKeys) != 2 {
		t.Fatalf("%+v, %v", second, err)
	}
	if got := second.Expires.Sub(s.at); got != documentLife {
		t.Errorf("the document lives %v", got)
	}
	if other := s.open(s.dir); !slices.Equal(other.RootIDs(), s.RootIDs()) || s.doc().Version != 2 {
		t.Error("another start renewed it again")
	}
	// the older key goes on until it has a week left, so that agents that were away know the younger one
	for _, tc := range []struct {
		at   time.Duration
		want string
	}{{83*oneDay - time.Second, first.TaskKeys[0].ID}, {83 * oneDay, second.TaskKeys[1].ID}, {91 * oneDay,
		second.TaskKeys[1].ID}} {
		s.at = day.Add(tc.at)
		if id, _, err := s.TaskKey(); err != nil || id != tc.want {
			t.Errorf("after %v: %s, %v", tc.at, id, err)
		}
	}
	s.at = day.Add(120 * oneDay)
	third, err := Next(s.doc().Envelope(), second)
	if err != nil || third.Version != 3 || len(third.TaskKeys) != 2 || third.TaskKeys[0].ID != second.TaskKeys[1].ID {
		t.Fatalf("%+v, %v", third, err)
	}
	if exists(s.path(keyFile("task", first.TaskKeys[0].ID))) || !exists(s.path(keyFile("task", third.TaskKeys[0].ID))) {
		t.Error("the ended key is still there, or one in use is gone")
	}
}

// Processes that find the document due at once sign one next version.
func TestADueDocumentIsSignedOnce(t *testing.T) {
	for range 10 {
		s := newServer(t)
		s.doc()
		all := []*Keys{s.Keys, s.open(s.dir), s.open(s.dir), s.open(s.dir)}
		s.at = day.Add(70 * oneDay)
		var wg sync.WaitGroup
		for _, k := range all {
			wg.Go(func() {
				if _, err := k.Document(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if d := s.doc(); d.Version != 2 || len(d.TaskKeys) != 2 {
			t.Fatalf("version %d with %d task keys", d.Version, len(d.TaskKeys))
		}
	}
}

// A task key whose file is lost, and a document whose end comes, are renewed, too.
func TestALostTaskKeyIsReplaced(t *testing.T) {
	s := newServer(t)
	d := s.doc()
	if err := os.Remove(s.path(keyFile("task", d.TaskKeys[0].ID))); err != nil {
		t.Fatal(err)
	}
	id, _, err := s.TaskKey()
	if now := s.doc(); err != nil || id == d.TaskKeys[0].ID || now.Version != 2 || now.TaskKeys[1].ID != id {
		t.Errorf("%s, %v", id, err)
	}
	s = newServer(t)
	d = s.doc()
	d.TaskKeys[0].NotAfter = day.Add(1000 * oneDay)
	if err := signAndWrite(s.dir, d); err != nil {
		t.Fatal(err)
	}
	s.at = day.Add(documentLife*2/3 - time.Hour)
	if s.doc().Version != 1 {
		t.Error("the document is renewed before two thirds of its life")
	}
	s.at = day.Add(documentLife * 2 / 3)
	if got := s.doc(); got.Version != 2 || len(got.TaskKeys) != 1 || got.Expires.Sub(s.at) > documentLife {
		t.Errorf("%+v", got)
	}
}

// A disk that takes no new document is no reason to end: the one that is there is good for a third of its life.
func TestADiskThatFailsLeavesTheDocument(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("root writes everywhere; the lock stands in the way instead")
	}
	s := newServer(t)
	if err := os.Remove(s.path(lockFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.path(lockFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(s.path(lockFile), "x")); err != nil {
		t.Fatal(err)
	}
	s.at = day.Add(70 * oneDay)
	d, err := s.Document()
	if err != nil || len(d) == 0 {
		t.Fatal(err)
	}
}

// takeOffline moves the site's root and pack keys to a folder.
func (s *server) takeOffline(dir string) ([]string, error) {
	names, err := CopyOffline(s.dir, dir)
	if err != nil {
		return nil, err
	}
	return names, s.Forget(names)
}

// away moves the site's root and pack keys to a new folder.
func (s *server) away() string {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "away")
	if _, err := s.takeOffline(dir); err != nil {
		s.t.Fatal(err)
	}
	return dir
}

// Keys leave the server whole or not at all, never over another file, and the site goes on with its task key.
func TestKeysAreTakenAway(t *testing.T) {
	s := newServer(t)
	d := s.doc()
	if st := s.standing(); st.Offline() || !st.Signs || st.RootsHere != 1 || st.PackKeysHere != 1 ||
		!st.TaskKeyEnds.Equal(day.Add(90*oneDay)) || !st.Ends().Equal(st.TaskKeyEnds) {
		t.Errorf("%+v", st)
	}
	root, pack := keyFile("root", d.Roots[0].ID), keyFile("pack", d.PackKeys[0].ID)
	taken := t.TempDir()
	if err := os.WriteFile(filepath.Join(taken, root), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.takeOffline(taken); err == nil || !strings.Contains(err.Error(), "another file") {
		t.Errorf("%v", err)
	}
	if text, _ := os.ReadFile(filepath.Join(taken, root)); string(text) != "another" {
		t.Error("a file was replaced")
	}
	if _, err := s.takeOffline(s.dir); err == nil || !strings.Contains(err.Error(), "name another") {
		t.Errorf("%v", err)
	}
	links := t.TempDir()
	if err := os.Symlink(s.path(root), filepath.Join(links, root)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.takeOffline(links); err == nil || !exists(s.path(root)) || !exists(s.path(pack)) {
		t.Errorf("a link to the key counted as its copy: %v", err)
	}
	// a run that was stopped after its first copy is completed
	dir := filepath.Join(t.TempDir(), "away")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(s.path(root), filepath.Join(dir, root)); err != nil {
		t.Fatal(err)
	}
	moved, err := s.takeOffline(dir)
	if err != nil || !slices.Equal(moved, []string{root, pack}) {
		t.Errorf("%v, %v", moved, err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{pack, root, "trust.json"}) {
		t.Errorf("%v", got)
	}
	for _, name := range []string{root, pack} {
		if _, err := readKey(filepath.Join(dir, name)); err != nil || exists(s.path(name)) {
			t.Errorf("%s: %v; still on the server: %v", name, err, exists(s.path(name)))
		}
	}
	if st := s.standing(); !st.Offline() || st.Signs {
		t.Errorf("%+v", st)
	}
	if id, _, err := s.TaskKey(); err != nil || id != d.TaskKeys[0].ID {
		t.Error(err)
	}
	for _, name := range []string{"trust.json", keyFile("task", d.TaskKeys[0].ID), "../" + root, "root-1", ""} {
		if err := s.Forget([]string{name}); err == nil || !strings.Contains(err.Error(), "no root or pack key") {
			t.Errorf("forgot %q: %v", name, err)
		}
	}
	if _, err := s.takeOffline(dir); err == nil || !strings.Contains(err.Error(), "taken away before") {
		t.Errorf("%v", err)
	}
	s.at = day.Add(80 * oneDay)
	if s.doc().Version != 1 {
		t.Error("renewed without a root")
	}
	s.at = day.Add(90 * oneDay)
	if _, _, err := s.TaskKey(); err == nil || !strings.Contains(err.Error(), "statewire trust next") {
		t.Errorf("%v", err)
	}
}

// signed is a document as the folder's keys sign it.
func signed(t *testing.T, text []byte, dir string, otherRoots bool) (*Document, error) {
	t.Helper()
	d, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d, d.SignWith(dir, otherRoots)
}

// An administrator whose keys are away signs the next version: only the document goes to and fro.
func TestTheNextVersionIsSignedElsewhere(t *testing.T) {
	s := newServer(t)
	have := s.doc()
	dir := s.away()
	s.at = day.Add(70 * oneDay)
	next, err := s.Next(Change{})
	if err != nil || next.Version != 2 || len(next.envelope.Signatures) != 0 {
		t.Fatalf("%+v, %v", next, err)
	}
	if _, err := s.Load(next.Envelope()); err == nil || s.doc().Version != 1 {
		t.Errorf("not signed, and loaded: %v", err)
	}
	second, err := signed(t, next.Envelope(), dir, false)
	if lines := second.Lines(); err != nil || !lines[0].Signed {
		t.Fatalf("%v, %v", lines, err)
	}
	if _, err := Next(second.Envelope(), have); err != nil {
		t.Error(err)
	}
	if _, err := s.Load(second.Envelope()); err != nil {
		t.Fatal(err)
	}
	s.at = day.Add(85 * oneDay)
	if id, _, err := s.TaskKey(); err != nil || id != next.TaskKeys[1].ID || s.doc().Version != 2 {
		t.Errorf("%s, %v", id, err)
	}
	// what was signed before bounds what is signed next
	third, err := s.Next(Change{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signed(t, third.Envelope(), dir, false); err != nil {
		t.Fatal(err)
	}
	other, err := s.Next(Change{})
	if err != nil {
		t.Fatal(err)
	}
	if other.Expires = other.Expires.Add(time.Hour); other.seal() != nil {
		t.Fatal("seal")
	}
	if _, err := signed(t, other.Envelope(), dir, false); err == nil ||
		!strings.Contains(err.Error(), "another version 3") {
		t.Errorf("%v", err)
	}
	if _, err := signed(t, second.Envelope(), dir, false); err == nil || !strings.Contains(err.Error(), "older than") {
		t.Errorf("%v", err)
	}
	if _, err := signed(t, third.Envelope(), t.TempDir(), false); err == nil {
		t.Error("signed without what was signed before")
	}
	if _, err := signed(t, third.Envelope(), t.TempDir(), true); err == nil ||
		!strings.Contains(err.Error(), "no root key") {
		t.Errorf("%v", err)
	}
}

// Roots change with the signatures of the old and of the new ones; both folders agree to it by name. A document of more
// roots and another threshold is the same thing.
func TestRootsAreChanged(t *testing.T) {
	s := newServer(t)
	have, old := s.doc(), s.away()
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	var from []*Document
	for _, dir := range []string{a, b} {
		d, err := Init(dir, day)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Init(dir, day); err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("%v", err)
		}
		from = append(from, d)
	}
	next, err := s.Next(Change{Roots: from, Threshold: 2, Drop: []string{have.PackKeys[0].ID[:10]}})
	if err != nil || len(next.Roots) != 2 || next.Threshold != 2 || len(next.PackKeys) != 2 {
		t.Fatalf("%+v, %v", next, err)
	}
	text := next.Envelope()
	for i, dir := range []string{a, b, old} {
		if _, err := signed(t, text, dir, false); err == nil || !strings.Contains(err.Error(), "--other-roots") {
			t.Errorf("%s: %v", dir, err)
		}
		if _, err := s.Load(text); err == nil {
			t.Errorf("loaded with %d of 3 signatures", i)
		}
		d, err := signed(t, text, dir, true)
		if err != nil {
			t.Fatal(err)
		}
		text = d.Envelope()
	}
	if _, err := s.Load(text); err != nil {
		t.Fatal(err)
	}
	if got := s.RootIDs(); slices.Equal(got, have.RootIDs()) || len(got) != 2 {
		t.Errorf("%v", got)
	}
	if _, err := Next(s.doc().Envelope(), have); err != nil {
		t.Error(err)
	}
	again, err := s.Next(Change{Packs: []*Document{have, from[0]}})
	if err != nil || len(again.PackKeys) != 3 || !slices.Equal(again.RootIDs(), s.RootIDs()) {
		t.Errorf("%+v, %v", again, err)
	}
	for _, drop := range []string{"", "0123456", have.TaskKeys[0].ID[:7], "zzzzzzzz"} {
		if _, err := s.Next(Change{Drop: []string{drop}}); err == nil {
			t.Errorf("dropped %q", drop)
		}
	}
	if _, err := s.Next(Change{Drop: []string{s.RootIDs()[0]}}); err == nil || !strings.Contains(err.Error(),
		"threshold") {
		t.Errorf("%v", err)
	}
}

// A document that would leave the site without a task key, or has ended, is not loaded.
func TestADocumentThatHelpsNobodyIsNotLoaded(t *testing.T) {
	s := newServer(t)
	next, err := s.Next(Change{})
	if err != nil {
		t.Fatal(err)
	}
	s.at = day.Add(documentLife)
	if _, err := s.Load(next.Envelope()); err == nil || !strings.Contains(err.Error(), "ended on 2027-11-29") {
		t.Errorf("%v", err)
	}
	s.at = day
	for _, key := range next.TaskKeys {
		if err := os.Remove(s.path(keyFile("task", key.ID))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Load(next.Envelope()); err == nil || !strings.Contains(err.Error(), "no task key") {
		t.Errorf("%v", err)
	}
}

// Another process may take keys away or load a document while a site runs; it is seen at the next call.
func TestARunningSiteSeesWhatAnotherProcessDoes(t *testing.T) {
	s := newServer(t)
	other := &server{Keys: s.open(s.dir), t: t}
	next, err := other.Next(Change{Drop: []string{s.doc().TaskKeys[0].ID}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Load(next.Envelope()); err != nil {
		t.Fatal(err)
	}
	if id, _, err := s.TaskKey(); err != nil || s.doc().Version != 2 || id != next.TaskKeys[0].ID ||
		len(next.TaskKeys) != 1 {
		t.Errorf("%s, %v", id, err)
	}
	if _, err := s.takeOffline(filepath.Join(t.TempDir(), "away")); err != nil {
		t.Fatal(err)
	}
	if st := s.standing(); !st.Offline() {
		t.Errorf("%+v", st)
	}
}
