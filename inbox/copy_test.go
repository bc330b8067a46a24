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
	"statewire/inbox/disk"
	"strings"
	"testing"
	"time"
)

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
		{"however many dots it begins with", "..hidden.SMX", "hidden~2.SMX"},
		{"a relay's file keeps its name", putLike, putLike},
		{"a relay's name over other bytes too, for the loader to see", wrong, wrong},
		{"a name too long is cut between characters", long, shortened(long)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(dir, test.file)
			check(t, os.WriteFile(path, utf16, 0o600))
			name, err := d.Copy(context.Background(), path)
			check(t, err)
			data, _ := onDisk{d.Root()}.read(disk.Folder(Normal), name)
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
	if left := (onDisk{d.Root()}).list(disk.Folder(Normal)); len(left) > 0 {
		t.Errorf("refused files are there: %v", left)
	}
	check(t, d.Ready()) // none of it is the disk's fault
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
		for n := range 12 {
			got := near(spelled(name), n)
			if kind := foreign(disk.Entry{Name: got, Kind: disk.Regular}); kind != "" || len(got) > maxNameBytes+
				len("~00000000") {
				t.Fatalf("%q becomes %q: %d bytes, %q", name, got, len(got), kind)
			}
		}
		if at, sum, ok := parsePutName(name); ok && putName(at, sum) != name && !strings.EqualFold(putName(at, sum), name) {
			t.Fatalf("%q reads as %v %x", name, at, sum)
		}
	})
}
