package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"statewire/internal/durable"

	"github.com/google/uuid"
)

// MarkName is the file in the data directory, outside the store's folder, that
// remembers which store belongs there and what it held.
const MarkName = "store.mark"

// markFormat is the form of the mark that this program writes.
const markFormat = 1

// mark never claims more than the store has on its disk: it is written after what it
// tells of. A crash before that leaves an older mark, which is true as well.
type mark struct {
	Format int               `json:"format"`
	Store  uuid.UUID         `json:"store"`  // zero: no store was made here yet
	Number uint64            `json:"number"` // grows with every mark; stands in the store as well
	Time   time.Time         `json:"time"`
	Tables map[string][]part `json:"tables"`
}

// ErrNewStore says that the store is not the one that belongs to the data directory:
// it is new and empty, or another site's.
var ErrNewStore = errors.New("the data folder is in use, and its store is not there")

// refuseNew says what is wrong with the store in dir, and which command accepts it.
func refuseNew(dir, found string) error {
	return fmt.Errorf("%w: %s is %s; stop the site and put the site's own store there, or accept this one with "+
		"`statewire serve --new-store`, and every client is asked for its states again; see \"When the store is damaged\" "+
		"in docs/store.md",
		ErrNewStore, filepath.Join(dir, "store"), found)
}

// Prepare notes in a data directory that has no store, and never had one, that this is
// so: the first store is welcome whatever other roles make there before it. Call it
// before anything else is made there. A mark that is there is left to Open: one that
// cannot be read keeps no relay from starting.
func Prepare(dir string) error {
	_, err := os.Lstat(filepath.Join(dir, MarkName))
	if !errors.Is(err, fs.ErrNotExist) || used(dir) || hasStore(dir) {
		return nil
	}
	return writeMark(dir, mark{})
}

// Expect refuses a data directory whose mark cannot be read, and, with ErrNewStore, one
// whose store is not there although it had one.
func Expect(dir string) error {
	m, found, err := readMark(dir)
	if err != nil || hasStore(dir) {
		return err
	}
	return refuseUnlessFirst(dir, m, found)
}

// refuseUnlessFirst lets a new store begin only where none was before.
func refuseUnlessFirst(dir string, m mark, found bool) error {
	if found && m.Store != uuid.Nil || !found && used(dir) {
		return refuseNew(dir, "new and empty")
	}
	return nil
}

// used says whether a data directory without a mark has had a store: earlier versions
// wrote no mark. Their relay made identity, and without what a command leaves there now; a loader has written its
// number into its lock.
func used(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "identity"))
	if _, state := os.Lstat(filepath.Join(dir, "identity", "identity.db")); state == nil {
		err = fs.ErrNotExist // a token was made, or a backup restored, before the first start
	}
	lock, lockErr := os.Lstat(filepath.Join(dir, "inboxes", "auth", "statesys.box", "loader.lock"))
	return err == nil || lockErr == nil && lock.Size() > 0
}

// hasStore says whether the embedded engine has written anything in a data directory.
func hasStore(dir string) bool {
	entries, err := os.ReadDir(filepath.Join(dir, "store"))
	return err == nil && slices.ContainsFunc(entries, fs.DirEntry.IsDir) || err != nil && !errors.Is(err, fs.ErrNotExist)
}

// readMark is the mark of a data directory; false when there is none.
func readMark(dir string) (mark, bool, error) {
	path := filepath.Join(dir, MarkName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return mark{}, false, nil
	}
	if err != nil {
		return mark{}, false, fmt.Errorf("read the store's mark: %w", err)
	}
	var m mark
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&m); err != nil {
		return mark{}, false, fmt.Errorf(
			"read the store's mark %s: %w; if the store is whole, remove the file: the next start makes it anew", path, err)
	}
	if m.Format != markFormat {
		return mark{}, false, fmt.Errorf(
			"the store's mark %s has format %d, this program knows %d; start the version of statewire that last ran here", path, m.Format, markFormat)
	}
	return m, true, nil
}

// writeMark replaces the mark; it is on the disk when it returns nil.
func writeMark(dir string, m mark) (err error) {
	m.Format = markFormat
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write the store's mark: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the store's mark: %w", err)
		}
	}()
	file, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf(".%s-%d", MarkName, os.Getpid())),
		os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.Write(append(text, '\n')); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), filepath.Join(dir, MarkName)); err != nil {
		return err
	}
	return durable.SyncFolder(dir)
}
