//go:build linux || darwin

package inbox

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"statewire/inbox/disk"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLaneForPriority(t *testing.T) {
	tests := []struct {
		name     string
		priority int
		present  bool
		want     Lane
	}{
		{"none is normal", 0, false, Normal},
		{"5 is normal", 5, true, Normal},
		{"below 5 is high", 4, true, High},
		{"0, when present, is high", 0, true, High},
		{"above 5 is low", 6, true, Low},
	}
	for _, test := range tests {
		if got := LaneFor(test.priority, test.present); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}

func TestConfigReportsEveryProblemAtOnce(t *testing.T) {
	check(t, DefaultConfig().Validate())
	err := Config{StatsInterval: -1, Settle: -1}.Validate()
	for _, field := range []string{"MaxFileBytes", "PollInterval", "StatsInterval", "Settle", "RetryMin",
		"ProbeInterval"} {
		if !strings.Contains(fmt.Sprint(err), field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
	if _, err := (Config{}).Open(t.TempDir(), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an inbox opened with a configuration that is not valid")
	}
}

func TestPutNamesSortByTimeAndCarryTheHash(t *testing.T) {
	d := open(t)
	at := time.Date(2026, 1, 31, 23, 0, 0, 5000, time.FixedZone("", 3600))
	name, err := d.Put(High, []byte("x"), at)
	check(t, err)
	if want := fmt.Sprintf("20260131T220000.000005Z-%x.SMX", sha256.Sum256([]byte("x"))); name != want {
		t.Errorf("name %s, want %s", name, want)
	}
	if data, _ := (onDisk{d.Root()}).read(disk.Folder(High), name); string(data) != "x" {
		t.Errorf("incoming/high/%s holds %q", name, data)
	}
	later, err := d.Put(High, []byte("x"), at.Add(time.Microsecond))
	check(t, err)
	if later <= name {
		t.Errorf("%s, put a microsecond later, sorts before %s", later, name)
	}
	got, sum, ok := parsePutName(name)
	if !ok || !got.Equal(at) || sum != sha256.Sum256([]byte("x")) {
		t.Errorf("parsePutName(%s) = %v, %x, %v", name, got, sum, ok)
	}
	if _, err := d.Put(Lane(3), nil, at); err == nil {
		t.Error("put in a lane that does not exist")
	}
}

func TestAFinalNameIsNeverReplaced(t *testing.T) {
	d := open(t)
	at := time.Now()
	taken := putName(at, sha256.Sum256([]byte("new")))
	path := filepath.Join(d.Root(), disk.Folder(Normal).String(), taken)
	check(t, os.WriteFile(path, []byte("old"), 0o600))
	name, err := d.Put(Normal, []byte("new"), at)
	check(t, err)
	if old, _ := os.ReadFile(path); name == taken || string(old) != "old" {
		t.Errorf("put as %s; what was there is now %q", name, old)
	}
	if err := d.disk.Rename(disk.Folder(Normal), name, disk.Folder(Normal), taken); !errors.Is(err, fs.ErrExist) {
		t.Errorf("rename to a taken name: %v", err)
	}
}

func TestManyPutsAtOnceLoseNothing(t *testing.T) {
	d := open(t)
	at := time.Now()
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() {
			for j := range 8 {
				if _, err := d.Put(Normal, fmt.Append(nil, i/2, j), at); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if got := len(onDisk{d.Root()}.list(disk.Folder(Normal))); got != 128 {
		t.Errorf("%d files of 128 puts", got)
	}
}

func TestAFolderThatWasMovedAwayIsNoticed(t *testing.T) {
	tests := []struct {
		name string
		away string
		lane Lane
	}{
		{"the lane", "incoming/low", Low},
		{"the folder above the lane", "incoming", High},
		{"the whole inbox", ".", Normal},
	}
	for _, test := range tests {
		for _, how := range []string{"renamed", "renamed and made again", "deleted"} {
			t.Run(test.name+" "+how, func(t *testing.T) {
				d := open(t)
				path := filepath.Join(d.Root(), test.away)
				moveAway(t, path, how)
				if _, err := d.Put(test.lane, []byte("x"), time.Now()); !errors.Is(err, ErrMoved) {
					t.Errorf("Put = %v", err)
				}
				whole := how == "renamed and made again" && test.away != "." // not all of the inbox was made again
				if err := d.Ready(); !errors.Is(err, ErrMoved) && !whole || err != nil && whole {
					t.Errorf("Ready = %v", err)
				}
				if how == "renamed" {
					check(t, os.Rename(path+".away", path))
					put(t, d, test.lane, "y")
					check(t, d.Ready())
				}
			})
		}
	}
}

func moveAway(t *testing.T, path, how string) {
	t.Helper()
	if how == "deleted" {
		check(t, os.RemoveAll(path))
		return
	}
	check(t, os.Rename(path, path+".away"))
	if how == "renamed and made again" {
		check(t, os.MkdirAll(path, 0o700))
		check(t, os.MkdirAll(filepath.Join(path, "high"), 0o700))
	}
}

func TestTemporaryFilesOfDeadProcessesAreSwept(t *testing.T) {
	root := filepath.Join(t.TempDir(), "box")
	alive := openAt(t, root)
	tmp := filepath.Join(root, "tmp")
	dead := filepath.Join(tmp, "99-00112233aabbccdd")
	odd := filepath.Join(tmp, "98-00112233aabbccdd")
	for _, path := range []string{dead, filepath.Join(odd, "folder"), filepath.Join(tmp, "operator")} {
		check(t, os.MkdirAll(path, 0o700))
	}
	for _, path := range []string{dead + "/99-1.tmp", odd + "/98-1.tmp", tmp + "/operator/notes.tmp"} {
		check(t, os.WriteFile(path, []byte("x"), 0o600))
	}
	temp, err := alive.stage(bytes.NewReader([]byte("being written")))
	check(t, err)
	openAt(t, root)
	gone := []string{dead, odd + "/98-1.tmp"}
	kept := []string{odd + "/folder", tmp + "/operator/notes.tmp", filepath.Join(alive.disk.(*disk.Unix).Own.Load().Path,
		temp)}
	for _, path := range gone {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s stays", path)
		}
	}
	for _, path := range kept {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("swept what is not garbage: %v", err)
		}
	}
}

func TestFoldersAreOursAlone(t *testing.T) {
	d := open(t)
	for at := range disk.Folder(disk.Folders) {
		info, err := os.Stat(filepath.Join(d.Root(), at.String()))
		check(t, err)
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%v has mode %v", at, info.Mode())
		}
	}
	name := put(t, d, Normal, "x")
	info, err := os.Stat(filepath.Join(d.Root(), "incoming", name))
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("a file has mode %v", info.Mode())
	}
}

func TestALinkInPlaceOfAFolderIsRefused(t *testing.T) {
	root := filepath.Join(t.TempDir(), "box")
	check(t, os.MkdirAll(filepath.Join(root, "incoming"), 0o700))
	check(t, os.Symlink(t.TempDir(), filepath.Join(root, "incoming", "high")))
	if _, err := Open(root, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened an inbox whose lane is a link")
	}
}

func TestFreeSpaceIsThatOfTheDisk(t *testing.T) {
	bytes, inodes, err := open(t).Free()
	check(t, err)
	if bytes == 0 || inodes == 0 {
		t.Errorf("%d bytes, %d inodes", bytes, inodes)
	}
}

func TestClosingLeavesNothingInTmp(t *testing.T) {
	d := open(t)
	put(t, d, Normal, "x")
	check(t, d.Close())
	entries, err := os.ReadDir(filepath.Join(d.Root(), "tmp"))
	check(t, err)
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == ".guard.lock" })
	if len(entries) > 0 {
		t.Errorf("tmp holds %v", entries)
	}
}
