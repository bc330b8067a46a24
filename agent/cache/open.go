package cache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"statewire/internal/durable"
	"statewire/smx"
)

// Buckets and keys of a store file; docs/agent.md describes them.
var (
	bucketStore   = []byte("statewire") // what the file is
	bucketClients = []byte("clients")   // a bucket per client, by its id's 16 bytes
	keyFormat     = []byte("format")
	keyOwn        = []byte("client")
)

// storeFormat is the version of the layout. A later one may be read by no earlier program.
const storeFormat = 1

// create makes a store file where there is none: written under another name first, so that a file of this name is
// always whole.
func create(path string, o Options) error {
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return err
	}
	own := o.Client
	if own == (smx.ClientID{}) {
		own = newClientID()
	}
	unfinished := path + ".new"
	if err := os.Remove(unfinished); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := bbolt.Open(unfinished, 0o600, &bbolt.Options{Timeout: lockPatience})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		store, err := tx.CreateBucket(bucketStore)
		if err != nil {
			return err
		}
		_, err = tx.CreateBucket(bucketClients)
		return errors.Join(err, store.Put(keyFormat, []byte(strconv.Itoa(storeFormat))), store.Put(keyOwn, own[:]))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Rename(unfinished, path); err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(path))
}

// newClientID is a random GUID, version 4.
func newClientID() (id smx.ClientID) {
	_, _ = rand.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// openChecked opens a store file and reads all of it once.
func openChecked(path string, noSync bool) (*bbolt.DB, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open the agent's store: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("open the agent's store %s: it is no file", path)
	}
	if info.Size() == 0 {
		return nil, damaged(path, errors.New("it is empty"))
	}
	var db *bbolt.DB
	err = guarded(func() (err error) {
		if db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockPatience, NoSync: noSync,
			FreelistType: bbolt.FreelistMapType}); err != nil {
			return err
		}
		return db.View(checkFile)
	})
	var format *formatError
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("the agent's store %s is in use: another agent runs on it; stop that one first", path)
	case errors.As(err, new(syscall.Errno)): // the system's refusal says nothing of what is in the file
		err = fmt.Errorf("open the agent's store %s: %w", path, err)
	case errors.As(err, &format):
		err = fmt.Errorf("the agent's store %s %w", path, err)
	default:
		err = damaged(path, err)
	}
	if db != nil {
		_ = guarded(db.Close) // of no use any more
	}
	return nil, err
}

// errPages is a file whose structure leads nowhere.
var errPages = errors.New("its pages make no sense; it was cut short or overwritten")

// guarded runs fn and returns as an error what a damaged file makes of it: bbolt panics on pages that make no sense,
// and a file cut short ends in a memory fault.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = errPages // what bbolt or the machine says of it helps nobody
		}
	}()
	return fn()
}

// formatError is a file that is sound but not ours to use.
type formatError struct{ text string }

func (e *formatError) Error() string { return e.text }

// checkFile reads every record, and then has bbolt check its pages.
func checkFile(tx *bbolt.Tx) error {
	store, clients := tx.Bucket(bucketStore), tx.Bucket(bucketClients)
	if store == nil || clients == nil {
		return &formatError{"is no agent's store but another program's file: name another place for the store"}
	}
	switch format, err := strconv.Atoi(string(store.Get(keyFormat))); {
	case err != nil || len(store.Get(keyOwn)) != len(smx.ClientID{}):
		return errors.New("its first record makes no sense")
	case format != storeFormat:
		return &formatError{fmt.Sprintf("has format %d and this program knows format %d only: run the version that "+
			"wrote it, or a later one", format, storeFormat)}
	}
	err := clients.ForEachBucket(func(id []byte) error {
		if len(id) != len(smx.ClientID{}) {
			return errors.New("it holds a client without an id")
		}
		return clients.Bucket(id).ForEach(func(key, value []byte) error { return checkRecord(key, value) })
	})
	if err != nil {
		return err // the pages' own check would follow them outside the file
	}
	for range tx.Check() { // its words are a programmer's, and may be a panic's
		err = errPages
	}
	return err
}

// checkRecord looks at a record's checksum; places in a waiting line have none.
func checkRecord(key, value []byte) error {
	if key[0] == keyWaiting || key[0] == keyAnswer {
		return nil
	}
	if openRecord(value).bad {
		return errDamaged
	}
	return nil
}

// damaged is what a store file ends with that cannot be trusted.
func damaged(path string, err error) error {
	return fmt.Errorf("the agent's store %s is damaged (%w): restore it from a backup, or move it away and start the "+
		"agent with the same client id; "+
		"the site then sees serials used again and asks for everything once more", path, err)
}
