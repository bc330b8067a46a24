package inbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"statewire/inbox/disk"
	"strings"
	"testing"
	"time"
)

func TestAClaimOutlivesTheLoader(t *testing.T) {
	d := open(t)
	for _, name := range []string{"a.SMX", "b.SMX", "c.SMX", "\xff\n.SMX"} {
		dropAt(t, d, Normal, name, "first "+name)
	}
	l := loader(t, d, 4, 1)
	first := claim(t, l)
	at := first.Files[0].Claimed
	check(t, l.Close()) // as if it had died: nothing was done
	check(t, os.Remove(filepath.Join(d.Root(), "incoming", "a.SMX")))
	check(t, os.Remove(filepath.Join(d.Root(), "incoming", "b.SMX")))
	dropAt(t, d, Normal, "b.SMX", "another file of that name")
	check(t, os.WriteFile(filepath.Join(d.Root(), "incoming", "d.SMX"), []byte("later"), 0o600))

	l = loader(t, d, 10, 1)
	defer l.Close()
	recovered := claim(t, l)
	if got := names(recovered); !slices.Equal(got, []string{"\xff\n.SMX", "c.SMX"}) &&
		!slices.Equal(got, []string{"c.SMX", "\xff\n.SMX"}) {
		t.Fatalf("recovered %q", got)
	}
	for _, f := range recovered.Files {
		if !f.Claimed.Equal(at) {
			t.Errorf("%q was first claimed at %v, now %v", f.Name, at, f.Claimed)
		}
	}
	fresh := claim(t, l)
	if got := names(fresh); len(got) != 2 || !slices.Contains(got, "b.SMX") || !slices.Contains(got, "d.SMX") {
		t.Fatalf("claimed %q", got)
	}
	for _, f := range fresh.Files {
		if !f.Claimed.After(at) {
			t.Errorf("%s is a new file and has the old claim time", f.Name)
		}
	}
	check(t, errors.Join(recovered.Done(recovered.Files...), fresh.Done(fresh.Files...)))
	if c := claim(t, l); c != nil {
		t.Errorf("claimed %v of nothing", names(c))
	}
	if left := (onDisk{d.Root()}).list(disk.ProcessFolder); len(left) > 0 {
		t.Errorf("lists stay: %v", left)
	}
}

func TestReleasedFilesComeBackUnderTheirClaimTimes(t *testing.T) {
	d := open(t)
	for i := range 5 {
		dropAt(t, d, Normal, fmt.Sprintf("%d.SMX", i), "x")
	}
	l := loader(t, d, 5, 1)
	defer l.Close()
	c := claim(t, l)
	at := c.Files[0].Claimed
	check(t, c.Done(c.Files[0]))
	check(t, c.Release())
	check(t, c.Done(c.Files[1])) // no longer in the chunk: nothing happens
	again := claim(t, l)
	if len(again.Files) != 4 || !again.Files[0].Claimed.Equal(at) {
		t.Errorf("claimed %v again, at %v, first at %v", names(again), again.Files[0].Claimed, at)
	}
	if _, ok := (onDisk{d.Root()}).read(disk.Folder(Normal), c.Files[1].Name); !ok {
		t.Error("a released file was deleted by its former chunk")
	}
}

func TestReportsFoundInProcessGoBackToWaiting(t *testing.T) {
	d := open(t)
	process := filepath.Join(d.Root(), "process")
	check(t, os.WriteFile(filepath.Join(process, "A.SMX"), []byte("moved"), 0o600))
	check(t, os.WriteFile(filepath.Join(process, "notes.txt"), []byte("an operator's"), 0o600))
	dropAt(t, d, Normal, "A.SMX", "waiting")
	l := loader(t, d, 5, 1)
	defer l.Close()
	if got := names(claim(t, l)); len(got) != 2 || !slices.Contains(got, "A~2.SMX") {
		t.Errorf("claimed %v", got)
	}
	if got := (onDisk{d.Root()}).list(disk.ProcessFolder); !slices.Contains(got, "notes.txt") {
		t.Errorf("process holds %v", got)
	}
}

func TestAListOfANewerVersionStopsTheStartAndABrokenOneIsSetAside(t *testing.T) {
	d := open(t)
	process := filepath.Join(d.Root(), "process")
	dropAt(t, d, Normal, "A.SMX", "x")
	broken := filepath.Join(process, "1.claim")
	check(t, os.WriteFile(broken, []byte(`{"statewire_claim":1,"files":2}{"lane":"normal","name":"A.SMX"}`), 0o600))
	l := loader(t, d, 5, 1)
	if got := names(claim(t, l)); !slices.Equal(got, []string{"A.SMX"}) {
		t.Errorf("claimed %v", got)
	}
	check(t, l.Close())
	if got := (onDisk{d.Root()}).list(disk.CorruptFolder); !slices.Equal(got, []string{"1.claim", "1.claim.reason.json"}) {
		t.Errorf("corrupt holds %v", got)
	}
	check(t, os.WriteFile(filepath.Join(process, "2.claim"), []byte(`{"statewire_claim":2,"files":0}`), 0o600))
	if _, err := d.Loader(1, 1); !errors.Is(err, errListVersion) || !strings.Contains(err.Error(), "2.claim") {
		t.Errorf("a list of a newer version: %v", err)
	}
	check(t, os.Remove(filepath.Join(process, "2.claim")))
	check(t, loader(t, d, 1, 1).Close()) // the refusal gave the lock back
}

func FuzzClaimList(f *testing.F) {
	f.Add([]byte(`{"statewire_claim":1,"pid":1,"files":0}`))
	e := &entry{lane: High, name: "\xff.SMX", id: disk.Identity{Inode: 1, Size: 2, Mtime: 3},
		claimed: time.Unix(1, 1000).UTC()}
	f.Add(encodeList(4711, []*entry{e}))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := decodeList(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := decodeList(bytes.NewReader(encodeList(1, entries)))
		check(t, err)
		for i := range entries {
			if *again[i] != *entries[i] {
				t.Fatalf("%+v becomes %+v", entries[i], again[i])
			}
			if strings.ContainsAny(entries[i].name, "/\x00") {
				t.Fatalf("a list leads to %q", entries[i].name)
			}
		}
	})
}
