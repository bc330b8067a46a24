package inbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLookingChangesNothing(t *testing.T) {
	root := filepath.Join(t.TempDir(), "statesys.box")
	if _, err := DefaultConfig().Look(root, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("without an inbox: %v", err)
	}
	if _, err := os.Lstat(root); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("it made the inbox: %v", err)
	}
	d := openAt(t, root)
	dropAt(t, d, Normal, "a.SMX", "a")
	check(t, d.Close())
	before := everything(t, root)
	d, err := DefaultConfig().Look(root, nil)
	check(t, err)
	defer d.Close()
	if s, err := d.Stats(); err != nil || s.Normal.Files != 1 {
		t.Errorf("%d files, %v", s.Normal.Files, err)
	}
	_, err = d.Loader(1, 1)
	_, putErr := d.Put(High, []byte("text"), time.Now())
	_, replayErr := d.Replay(BadFile{Name: "x.SMX"}, []byte("text"))
	for _, err := range []error{err, putErr, replayErr} {
		if !errors.Is(err, ErrOnlyLooking) {
			t.Errorf("%v, want ErrOnlyLooking", err)
		}
	}
	if after := everything(t, root); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

// everything is each path below root with its times.
func everything(t *testing.T, root string) (all string) {
	t.Helper()
	check(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		all += path + " " + info.ModTime().String() + "\n"
		return err
	}))
	return all
}
