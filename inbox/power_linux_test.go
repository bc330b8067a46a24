package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"statewire/inbox/disk"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rootOnly skips a test that mounts file systems where that can't be, and says why. In CI, as root, it fails instead.
func rootOnly(t *testing.T, tools ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("mounts a file system")
	}
	if os.Geteuid() != 0 {
		t.Skip("mounts file systems: needs root")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			unable(t, err)
		}
	}
}

func unable(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// battery is a file system whose power can be cut.
type battery struct {
	kind, device, path string
}

func newBattery(t *testing.T, kind string) *battery {
	rootOnly(t, "mkfs."+kind, "losetup")
	dir := memoryDir(t)
	image := filepath.Join(dir, "image")
	check(t, os.WriteFile(image, nil, 0o600))
	check(t, os.Truncate(image, 320<<20)) // the least xfs takes
	run(t, "mkfs."+kind, "-q", image)
	out, err := exec.Command("losetup", "-f", "--show", image).Output()
	if err != nil {
		unable(t, fmt.Errorf("losetup: %w", err))
	}
	b := &battery{kind: kind, device: strings.TrimSpace(string(out)), path: filepath.Join(dir, "mnt")}
	t.Cleanup(func() { run(t, "losetup", "-d", b.device) })
	check(t, os.Mkdir(b.path, 0o700))
	if err := b.mount(); err != nil {
		unable(t, fmt.Errorf("mount %s: %w", kind, err))
	}
	t.Cleanup(func() { check(t, unix.Unmount(b.path, unix.MNT_DETACH)) })
	return b
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

func (b *battery) mount() error { return unix.Mount(b.device, b.path, b.kind, 0, "") }

// cut makes the file system forget everything that is not on its disk, now.
func (b *battery) cut(t *testing.T) {
	t.Helper()
	const shutdown, dropLogAndData = 0x8004587D, 2
	f, err := os.Open(b.path)
	check(t, err)
	defer f.Close()
	check(t, unix.IoctlSetPointerInt(int(f.Fd()), shutdown, dropLogAndData))
}

// restore mounts what the cut left.
func (b *battery) restore(t *testing.T) {
	t.Helper()
	check(t, unix.Unmount(b.path, 0))
	check(t, b.mount())
}

// promise is one thing that an inbox acknowledges.
type promise struct {
	name string
	cuts int
	// prepare makes what is durable before; keep asks for the one acknowledgement, after which power fails.
	prepare func(t *testing.T, d *Dir, text string)
	keep    func(t *testing.T, d *Dir, g *ledger, text string)
}

var promises = []promise{
	{"put", 50, nothing, func(t *testing.T, d *Dir, g *ledger, text string) {
		put(t, d, Lane(len(text)%3), text)
		g.accept(text)
	}},
	{"copy", 10, nothing, func(t *testing.T, d *Dir, g *ledger, text string) {
		path := filepath.Join(t.TempDir(), "A.SMX")
		check(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := d.Copy(context.Background(), path)
		check(t, err)
		g.accept(text)
	}},
	{"claim", 10, dropDurably, func(t *testing.T, d *Dir, g *ledger, text string) {
		l := loader(t, d, 1, 1)
		defer l.leave()
		c := claim(t, l)
		g.accept(text)
		g.claimed[text] = c.Files[0].Claimed
	}},
	{"set aside", 10, dropDurably, func(t *testing.T, d *Dir, g *ledger, text string) {
		l := loader(t, d, 1, 1)
		defer l.leave()
		c := claim(t, l)
		check(t, c.SetAside(c.Files[0], Reason{Code: "test"}))
		g.accept(text)
		g.aside[text] = true
	}},
	{"set a record aside", 10, dropDurably, func(t *testing.T, d *Dir, g *ledger, text string) {
		l := loader(t, d, 1, 1)
		defer l.leave()
		c := claim(t, l)
		g.accept(text)
		g.offer("record")
		check(t, setRecordAside(c, c.Files[0], 3, []byte("record"), Reason{Code: "test"}))
		g.records[c.Files[0].Name+".3.SMX"] = "record"
	}},
	{"replay", 10, func(t *testing.T, d *Dir, text string) {
		dropDurably(t, d, text)
		l := loader(t, d, 1, 1)
		defer l.leave()
		c := claim(t, l)
		check(t, c.SetAside(c.Files[0], Reason{Code: "test"}))
	}, func(t *testing.T, d *Dir, g *ledger, text string) {
		for bad := range d.BadFiles() {
			if bad.Name == fileOf(text) {
				bad, err := d.Bad(bad.Name)
				check(t, err)
				_, err = d.Replay(bad, []byte(text))
				check(t, err)
			}
		}
		g.accept(text)
	}},
}

func nothing(*testing.T, *Dir, string) {}

func fileOf(text string) string { return strings.ReplaceAll(text, " ", "-") + ".SMX" }

func dropDurably(t *testing.T, d *Dir, text string) {
	dropAt(t, d, Normal, fileOf(text), text)
	check(t, unix.Syncfs(d.disk.(*disk.Unix).Fd(disk.Folder(Normal))))
}

func TestEveryAcknowledgementOutlivesAPowerCut(t *testing.T) {
	for _, kind := range []string{"ext4", "xfs"} {
		t.Run(kind, func(t *testing.T) {
			b := newBattery(t, kind)
			for _, p := range promises {
				began := time.Now()
				for i := range p.cuts {
					b.outlives(t, p, fmt.Sprintf("%s %d", p.name, i))
				}
				t.Logf("%s: %d cuts in %v", p.name, p.cuts, time.Since(began))
			}
		})
	}
}

func (b *battery) outlives(t *testing.T, p promise, text string) {
	t.Helper()
	v := onDisk{filepath.Join(b.path, "box")}
	d, err := quick().Open(v.root, slog.New(slog.DiscardHandler))
	check(t, err)
	p.prepare(t, d, text)
	// A fresh inbox, so that no lock of the preparation is in the way.
	d.leave()
	d, err = quick().Open(v.root, slog.New(slog.DiscardHandler))
	check(t, err)
	g := newLedger()
	g.offer(text)
	p.keep(t, d, g, text)
	b.cut(t)
	d.leave()
	b.restore(t)
	g.everything(v)
	if err := g.check(v); err != nil {
		t.Fatalf("power cut after %s: %v", text, err)
	}
}

func TestAPowerCutBetweenAnyTwoStepsBreaksNoPromise(t *testing.T) {
	for _, kind := range []string{"ext4", "xfs"} {
		t.Run(kind, func(t *testing.T) {
			b := newBattery(t, kind)
			for step := 0; b.cutAt(t, step); step++ {
			}
		})
	}
}

// cutAt cuts the power before a step of an inbox's life; ok is false when there is no such step.
func (b *battery) cutAt(t *testing.T, step int) (ok bool) {
	t.Helper()
	v := onDisk{filepath.Join(b.path, fmt.Sprint("box", step))}
	d, err := quick().Open(v.root, slog.New(slog.DiscardHandler))
	check(t, err)
	g := newLedger()
	for i := range 2 {
		text := fmt.Sprint("dropped ", i)
		dropDurably(t, d, text)
		g.accept(text)
	}
	inner, n := d.disk.(*disk.Unix), 0
	d.disk = &steps{inner, func(string) error {
		if n++; n == step+1 {
			b.cut(t)
		}
		return nil
	}}
	err = life(d, g.hear)
	d.disk = inner
	if n <= step {
		check(t, errors.Join(err, d.Close()))
		return false
	}
	d.leave()
	b.restore(t)
	if err := g.check(v); err != nil {
		t.Fatalf("power cut before step %d: %v", step, err)
	}
	check(t, os.RemoveAll(v.root))
	return true
}

// everything lets the ledger know the texts of earlier cuts that lie in corrupt.
func (g *ledger) everything(v view) {
	for _, name := range v.list(disk.CorruptFolder) {
		if data, ok := v.read(disk.CorruptFolder, name); ok && len(data) > 0 {
			g.offer(string(data))
		}
	}
}

// leave lets go of an inbox as the end of a process does.
func (d *Dir) leave() {
	k := d.disk.(*disk.Unix)
	var errs []error
	for _, dir := range k.Dirs {
		errs = append(errs, dir.Close())
	}
	_ = errors.Join(append(errs, k.Own.Load().Lock.Close(), k.Own.Load().Dir.Close())...) // nobody hears a dead process
}
