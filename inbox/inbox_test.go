//go:build linux || darwin

package inbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
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
	for _, field := range []string{"MaxFileBytes", "PollInterval", "StatsInterval", "Settle", "RetryMin", "ProbeInterval"} {
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
	if data, _ := (onDisk{d.Root()}).read(folder(High), name); string(data) != "x" {
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
	path := filepath.Join(d.Root(), folder(Normal).String(), taken)
	check(t, os.WriteFile(path, []byte("old"), 0o600))
	name, err := d.Put(Normal, []byte("new"), at)
	check(t, err)
	if old, _ := os.ReadFile(path); name == taken || string(old) != "old" {
		t.Errorf("put as %s; what was there is now %q", name, old)
	}
	if err := d.disk.rename(folder(Normal), name, folder(Normal), taken); !errors.Is(err, fs.ErrExist) {
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
	if got := len(onDisk{d.Root()}.list(folder(Normal))); got != 128 {
		t.Errorf("%d files of 128 puts", got)
	}
}

func TestCopyKeepsBytesAndName(t *testing.T) {
	d := open(t)
	dir := t.TempDir()
	utf16 := []byte("\xff\xfe<\x00R\x00")
	digest := fmt.Sprintf("%x", sha256.Sum256(utf16))
	putLike := "20260131T220000.000005Z-" + digest + ".SMX"
	wrong := "20260131T220000.000005Z-" + strings.Repeat("0", 64) + ".SMX"
	long := strings.Repeat("é", 120) + ".smx"
	tests := []struct{ name, file, want string }{
		{"its own name", "ABC.SMX", "ABC.SMX"},
		{"a second of the same name gets one close to it", "ABC.SMX", "ABC~2.SMX"},
		{"a third too", "ABC.SMX", "ABC~3.SMX"},
		{"lower case", "abc.smx", "abc.smx"},
		{"a child site's copy", "abc.SMW", "abc.SMW"},
		{"another suffix gets ours", "report.xml", "report.xml.SMX"},
		{"a hidden file is shown", ".hidden.SMX", "hidden.SMX"},
		{"a relay's file keeps its name", putLike, putLike},
		{"a relay's name over other bytes is none", wrong, "edited-" + wrong},
		{"a name too long is cut between characters", long, shortened(long)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(dir, test.file)
			check(t, os.WriteFile(path, utf16, 0o600))
			name, err := d.Copy(context.Background(), path)
			check(t, err)
			data, _ := onDisk{d.Root()}.read(folder(Normal), name)
			if name != test.want || !bytes.Equal(data, utf16) {
				t.Errorf("got %s with %q, want %s", name, data, test.want)
			}
		})
	}
	check(t, os.WriteFile(filepath.Join(dir, "many.SMX"), nil, 0o600))
	names := map[string]bool{}
	for range 30 {
		name, err := d.Copy(context.Background(), filepath.Join(dir, "many.SMX"))
		check(t, err)
		names[name] = true
	}
	if len(names) != 30 {
		t.Errorf("30 copies have %d names", len(names))
	}
}

func TestCopyRefuses(t *testing.T) {
	config := quick()
	config.MaxFileBytes = 10
	d, err := config.Open(filepath.Join(t.TempDir(), "box"), slog.New(slog.DiscardHandler))
	check(t, err)
	defer d.Close()
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "big.SMX"), make([]byte, 11), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "ok.SMX"), make([]byte, 10), 0o600))
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	tests := []struct {
		name, path string
		ctx        context.Context
		want       error
	}{
		{"a file that is too large", "big.SMX", context.Background(), ErrTooLarge},
		{"a file that is not there", "no.SMX", context.Background(), fs.ErrNotExist},
		{"a folder", ".", context.Background(), nil},
		{"when told to stop", "ok.SMX", cancelled, context.Canceled},
	}
	for _, test := range tests {
		_, err := d.Copy(test.ctx, filepath.Join(dir, test.path))
		if err == nil || (test.want != nil && !errors.Is(err, test.want)) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if _, err := d.Put(Normal, make([]byte, 11), time.Now()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("put over the limit: %v", err)
	}
	if left := (onDisk{d.Root()}).list(folder(Normal)); len(left) > 0 {
		t.Errorf("refused files are there: %v", left)
	}
	check(t, d.Ready()) // none of it is the disk's fault
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
				if err := d.Ready(); !errors.Is(err, ErrMoved) {
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
	kept := []string{odd + "/folder", tmp + "/operator/notes.tmp", filepath.Join(alive.disk.(*unixDisk).own.Load().path, temp)}
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
	for at := range folder(folders) {
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

func FuzzNames(f *testing.F) {
	f.Add("ABC.SMX")
	f.Add("..")
	f.Add(strings.Repeat("\xff", 300))
	f.Add("20260131T220000.000005Z-" + strings.Repeat("0", 64) + ".SMX")
	f.Fuzz(func(t *testing.T, name string) {
		if strings.ContainsAny(name, "/\x00") || name == "" {
			t.Skip()
		}
		sum := sha256.Sum256([]byte("bytes"))
		for n := range 12 {
			got := near(spelled(name, sum), n)
			if kind := foreign(dirEntry{got, regular}); kind != "" || len(got) > maxNameBytes+len("~00000000") {
				t.Fatalf("%q becomes %q: %d bytes, %q", name, got, len(got), kind)
			}
			if _, want, ok := parsePutName(got); ok && want != sum {
				t.Fatalf("%q becomes %q, which claims another hash", name, got)
			}
		}
		if at, sum, ok := parsePutName(name); ok && putName(at, sum) != name && !strings.EqualFold(putName(at, sum), name) {
			t.Fatalf("%q reads as %v %x", name, at, sum)
		}
	})
}
