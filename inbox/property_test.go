//go:build linux || darwin

package inbox

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"statewire/inbox/disk"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// TestNothingDisappearsWhateverLiesInAFolder fills lanes with anything a folder can hold and drains them.
func TestNothingDisappearsWhateverLiesInAFolder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("/dev/shm", "inbox")
		if err != nil {
			dir, err = os.MkdirTemp("", "inbox")
		}
		ok(t, err)
		defer os.RemoveAll(dir)
		d, err := quick().Open(filepath.Join(dir, "box"), slog.New(slog.DiscardHandler))
		ok(t, err)
		defer d.Close()
		var left, gone, aside []string
		for i := range rapid.IntRange(0, 30).Draw(t, "entries") {
			path := filepath.Join(d.Root(), disk.Folder(rapid.IntRange(0, 2).Draw(t, "lane")).String(), drawName(t, i))
			switch kind := drawEntry(t, path); {
			case kind == disk.Regular && isReport(path) && !strings.HasPrefix(filepath.Base(path), "."):
				if data, _ := os.ReadFile(path); strings.HasPrefix(string(data), "bad") {
					aside = append(aside, string(data))
				} else {
					gone = append(gone, path)
				}
			case kind != "":
				left = append(left, path)
			}
		}
		restarts := rapid.IntRange(0, 3).Draw(t, "restarts")
		drain(t, d, restarts)
		for _, path := range left {
			if _, err := os.Lstat(path); err != nil {
				t.Errorf("a foreign entry is gone: %v", err)
			}
		}
		for _, path := range gone {
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s was done and is there: %v", path, err)
			}
		}
		var corrupt []string
		for bad, err := range d.BadFiles() {
			ok(t, err)
			data, err := d.ReadBad(bad.Name)
			ok(t, err)
			corrupt = append(corrupt, string(data))
			if bad.Reason.Code != "test" {
				t.Errorf("%s has the reason %+v", bad.Name, bad.Reason)
			}
		}
		slices.Sort(aside)
		slices.Sort(corrupt)
		if !slices.Equal(slices.Compact(aside), slices.Compact(corrupt)) {
			t.Errorf("bad files %q, in corrupt %q", aside, corrupt)
		}
		s, err := d.Stats()
		ok(t, err)
		foreign := 0
		for _, n := range s.Foreign {
			foreign += n
		}
		if foreign != len(left) || s.Waiting().Files != 0 {
			t.Errorf("%d foreign entries reported of %d, %d waiting", foreign, len(left), s.Waiting().Files)
		}
	})
}

func ok(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func drawName(t *rapid.T, i int) string {
	stem := rapid.StringMatching(`[.]?[a-z ;'"$\n\x80-\xff]{0,6}`).Draw(t, "stem")
	ext := rapid.SampledFrom([]string{".SMX", ".smx", ".SMW", ".sMx", ".tmp", ".SMX.tmp", ".txt", "", "."}).Draw(t,
		"suffix")
	return fmt.Sprintf("%s%d%s", stem, i, ext)
}

// drawEntry makes an entry and returns its kind, "" when there is none.
func drawEntry(t *rapid.T, path string) string {
	kind := rapid.SampledFrom([]string{disk.Regular, disk.Regular, disk.Regular, "dir", "symlink", "fifo", "socket"}).Draw(
		t, "kind")
	var err error
	switch kind {
	case disk.Regular:
		text := rapid.SampledFrom([]string{"", "good", "bad", "bad 2", "<Report/>"}).Draw(t, "text")
		err = os.WriteFile(path, []byte(text), 0o600)
	case "dir":
		err = os.Mkdir(path, 0o700)
	case "symlink":
		err = os.Symlink(rapid.SampledFrom([]string{"/dev/zero", "/nowhere", "."}).Draw(t, "target"), path)
	case "fifo":
		err = unix.Mkfifo(path, 0o600)
	case "socket":
		err = unix.Mknod(path, unix.S_IFSOCK|0o600, 0)
	}
	ok(t, err)
	return kind
}

// drain ends every file, now and then with a loader that forgets what it claimed.
func drain(t *rapid.T, d *Dir, restarts int) {
	for {
		l, err := d.Loader(rapid.IntRange(1, 5).Draw(t, "chunk"), rapid.IntRange(1, 3).Draw(t, "chunks"))
		ok(t, err)
		for {
			c, err := l.Claim()
			ok(t, err)
			if c == nil {
				ok(t, l.Close())
				return
			}
			if restarts > 0 && rapid.Bool().Draw(t, "restart") {
				restarts--
				break
			}
			for _, f := range c.Files {
				data, err := f.Read(nil)
				ok(t, err)
				if strings.HasPrefix(string(data), "bad") {
					ok(t, c.SetAside(f, Reason{Code: "test"}))
				} else {
					ok(t, c.Done(f))
				}
			}
		}
		ok(t, l.Close())
	}
}

// TestNoHistoryBreaksThePromises lets arrivals, loading and power cuts happen in any order.
func TestNoHistoryBreaksThePromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &history{m: newModel(), g: newLedger()}
		h.start(t)
		t.Repeat(map[string]func(*rapid.T){
			"put":       h.put,
			"drop":      h.drop,
			"claim":     h.claim,
			"done":      h.done,
			"set aside": h.setAside,
			"release":   h.release,
			"postpone":  h.postpone,
			"crash":     h.crash,
			"":          func(t *rapid.T) { ok(t, h.g.check(h.m.copy())) },
		})
	})
}

// history is one run of an inbox and what is known about it.
type history struct {
	m     *model
	g     *ledger
	d     *Dir
	l     *Loader
	chunk *Chunk
	open  []File
	files int
}

func (h *history) start(t *rapid.T) {
	config := quick()
	config.RetryMin, config.RetryMax = 1, 1
	h.d = newDir(config, "/model", h.m, slog.New(slog.DiscardHandler))
	l, err := h.d.Loader(3, 2)
	ok(t, err)
	h.l, h.chunk, h.open = l, nil, nil
}

func (h *history) text() string {
	h.files++
	return fmt.Sprint("file ", h.files)
}

func (h *history) put(t *rapid.T) {
	text := h.text()
	h.g.offer(text)
	_, err := h.d.Put(Lane(rapid.IntRange(0, 2).Draw(t, "lane")), []byte(text), time.Now())
	ok(t, err)
	h.g.accept(text)
}

func (h *history) drop(t *rapid.T) {
	text := h.text()
	h.m.drop(disk.Folder(Normal), fmt.Sprintf("%d.SMX", h.files), text)
	h.g.accept(text)
}

func (h *history) claim(t *rapid.T) {
	if len(h.open) > 0 {
		t.Skip("a chunk is open")
	}
	c, err := h.l.Claim()
	ok(t, err)
	if c == nil {
		return
	}
	h.chunk, h.open = c, slices.Clone(c.Files)
	for _, f := range c.Files {
		data, err := f.Read(nil)
		ok(t, err)
		if before, seen := h.g.claimed[string(data)]; seen && !before.Equal(f.Claimed) {
			t.Fatalf("%q was claimed at %v and at %v", data, before, f.Claimed)
		}
		h.g.claimed[string(data)] = f.Claimed
	}
}

// take removes a file from those the test knows to be in the chunk.
func (h *history) take(t *rapid.T) (f File, text string) {
	if len(h.open) == 0 {
		t.Skip("nothing is claimed")
	}
	i := rapid.IntRange(0, len(h.open)-1).Draw(t, "file")
	f = h.open[i]
	h.open = slices.Delete(h.open, i, i+1)
	data, err := f.Read(nil)
	ok(t, err)
	return f, string(data)
}

func (h *history) done(t *rapid.T) {
	f, text := h.take(t)
	delete(h.g.kept, text)
	ok(t, h.chunk.Done(f))
}

func (h *history) setAside(t *rapid.T) {
	f, text := h.take(t)
	ok(t, h.chunk.SetAside(f, Reason{Code: "test"}))
	h.g.aside[text] = true
}

func (h *history) postpone(t *rapid.T) {
	f, _ := h.take(t)
	h.chunk.Postpone(f)
}

func (h *history) release(t *rapid.T) {
	if h.chunk == nil {
		t.Skip("nothing is claimed")
	}
	ok(t, h.chunk.Release())
	h.open = nil
}

// crash goes on with one of the states a power cut may leave.
func (h *history) crash(t *rapid.T) {
	h.m = h.m.cut(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "what is left") })
	h.start(t)
}
