package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"statewire/smx"
)

// File is a store file: one client's, or those of a whole fleet. What a call has written is on disk when it returns,
// and a power cut in the middle leaves what was there before it.
type File struct {
	// Constant after Open.
	db       *bbolt.DB
	path     string
	own      smx.ClientID
	keepSent uint64

	coalesce bool // changes while nobody writes

	failed   atomic.Pointer[error] // why the file takes no more writes
	failedAt chan struct{}         // closed then
}

// Options is how a store file is opened. The zero value is right for a machine's own agent.
type Options struct {
	// Client is the machine's own client id. Zero takes the one in the file; a new file gets a random one.
	Client smx.ClientID
	// KeepSent bounds, per client, the list of messages that were sent. 0 = 10000; below 0 keeps none.
	KeepSent int
	// Coalesce lets the writes of many clients at once share one commit; each then waits a few milliseconds for others.
	Coalesce bool
	// NoSync leaves it to the system when what was written reaches the disk: right for simulated clients, whose serials
	// may be used again after a power cut. A killed process loses nothing either way.
	NoSync bool
}

const (
	defaultKeepSent = 10_000
	lockPatience    = time.Second
	batchDelay      = 2 * time.Millisecond
)

// Open opens the store file at path, and makes it when there is none. A file that is damaged, of a later version or no
// store at all is refused as it is: starting anew in its place would use its serials again.
func Open(path string, o Options) (*File, error) {
	if err := create(path, o); err != nil {
		return nil, fmt.Errorf("create the agent's store %s: %w", path, err)
	}
	db, err := openChecked(path, o.NoSync)
	if err != nil {
		return nil, err
	}
	f := &File{db: db, path: path, coalesce: o.Coalesce, keepSent: defaultKeepSent, failedAt: make(chan struct{})}
	if o.KeepSent != 0 {
		f.keepSent = uint64(max(o.KeepSent, 0))
	}
	db.MaxBatchDelay = batchDelay
	if err := f.identify(o.Client); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return f, nil
}

// Close closes the file. A client's call after it is an error.
func (f *File) Close() error {
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("close the agent's store %s: %w", f.path, err)
	}
	return nil
}

// Guard returns an error when the file takes no more writes, and nil when ctx ends. Only opening it anew helps then: a
// process that went on with it would refuse every state although the disk may be well again.
func (f *File) Guard(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-f.failedAt:
		return fmt.Errorf("write the agent's store %s: %w", f.path, *f.failed.Load())
	}
}

func (f *File) fail(err error) {
	if f.failed.CompareAndSwap(nil, &err) {
		close(f.failedAt)
	}
}

// Path is the file's.
func (f *File) Path() string { return f.path }

// Coalesce says whether the writes of many clients at once share one commit. Call it while nobody writes.
func (f *File) Coalesce(on bool) { f.coalesce = on }

// Own is the machine's own client id.
func (f *File) Own() smx.ClientID { return f.own }

// identify reads the machine's own client id, and refuses another one.
func (f *File) identify(want smx.ClientID) error {
	err := f.db.View(func(tx *bbolt.Tx) error {
		copy(f.own[:], tx.Bucket(bucketStore).Get(keyOwn))
		return nil
	})
	if err == nil && want != (smx.ClientID{}) && want != f.own {
		err = fmt.Errorf("the agent's store %s belongs to client %s, not to %s: give the agent a store of its own, "+
			"or that client's id", f.path, f.own, want)
	}
	return err
}

// Client is the store of one client in a File. It is safe for concurrent use.
type Client struct{ store }

// Client returns the store of a client; one never seen before is empty. Nothing is written until the client writes.
func (f *File) Client(id smx.ClientID) *Client {
	return &Client{store{engine: &fileEngine{file: f, id: id}, sentKept: f.keepSent}}
}

// Clients are the ids of all clients that have written something.
func (f *File) Clients() (ids []smx.ClientID, err error) {
	err = f.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketClients).ForEachBucket(func(key []byte) error {
			ids = append(ids, smx.ClientID(key))
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list the clients in %s: %w", f.path, err)
	}
	return ids, nil
}

// Image returns a copy of everything the client keeps, to restore it from.
func (c *Client) Image() (image Image, err error) {
	err = c.view(func(s records) error {
		image = nil
		return s.ascend(nil, func(key, value []byte) (bool, error) {
			image = append(image, record{bytes.Clone(key), bytes.Clone(value)})
			return true, nil
		})
	})
	return image, err
}

// Restore makes the client's store what it was when the image was made, as when a machine is restored from a backup. A
// nil image empties it, as when the client is installed anew. An Agent on this store must be made anew afterwards.
func (c *Client) Restore(image Image) error {
	return c.update(func(s records) error {
		var keys [][]byte
		if err := s.ascend(nil, func(key, _ []byte) (bool, error) {
			keys = append(keys, bytes.Clone(key))
			return true, nil
		}); err != nil {
			return err
		}
		for _, key := range keys {
			if err := s.delete(key); err != nil {
				return err
			}
		}
		for _, r := range image {
			if err := s.put(r.key, r.value); err != nil {
				return err
			}
		}
		return nil
	})
}

// fileEngine runs a client's transactions on its bucket.
type fileEngine struct {
	file *File
	id   smx.ClientID
}

func (e *fileEngine) view(fn func(records) error) error {
	err := e.file.db.View(func(tx *bbolt.Tx) error {
		return fn(bucketRecords{tx.Bucket(bucketClients).Bucket(e.id[:])})
	})
	return e.explain("read", err)
}

// update runs a transaction. After a commit that failed nobody can tell what is on the disk, and a system that failed
// to write once may call the same pages clean the next time: from then on the file takes no more writes, until it is
// opened anew.
func (e *fileEngine) update(fn func(records) error) error {
	if failed := e.file.failed.Load(); failed != nil {
		return fmt.Errorf("the agent's store %s failed before; start the agent again once the disk is well and has "+
			"space: %w", e.file.path, *failed)
	}
	run := e.file.db.Update
	if e.file.coalesce {
		run = e.file.db.Batch
	}
	var refused error // by fn: nothing was to be written
	err := run(func(tx *bbolt.Tx) error {
		var bucket *bbolt.Bucket
		if bucket, refused = tx.Bucket(bucketClients).CreateBucketIfNotExists(e.id[:]); refused == nil {
			refused = fn(bucketRecords{bucket})
		}
		return refused
	})
	if err != nil && refused == nil {
		e.file.fail(err)
	}
	return e.explain("write", err)
}

func (e *fileEngine) explain(doing string, err error) error {
	switch {
	case err == nil, errors.Is(err, ErrFull), errors.Is(err, ErrUsedUp):
		return err
	case errors.Is(err, errDamaged):
		return damaged(e.file.path, err)
	}
	return fmt.Errorf("%s the agent's store %s: %w", doing, e.file.path, err)
}

// bucketRecords is a client's bucket; nil = the client has none yet.
type bucketRecords struct{ bucket *bbolt.Bucket }

func (s bucketRecords) get(key []byte) []byte {
	if s.bucket == nil {
		return nil
	}
	return s.bucket.Get(key)
}

func (s bucketRecords) put(key, value []byte) error { return s.bucket.Put(key, value) }
func (s bucketRecords) delete(key []byte) error     { return s.bucket.Delete(key) }

func (s bucketRecords) ascend(prefix []byte, fn func(key, value []byte) (bool, error)) error {
	if s.bucket == nil {
		return nil
	}
	cursor := s.bucket.Cursor()
	for key, value := cursor.Seek(prefix); key != nil && bytes.HasPrefix(key, prefix); key, value = cursor.Next() {
		if more, err := fn(key, value); err != nil || !more {
			return err
		}
	}
	return nil
}
