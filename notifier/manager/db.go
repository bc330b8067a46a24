package manager

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
	"unique"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"statewire/internal/durable"
)

// stateFile holds what the manager knows. The tables are its mirror.
const stateFile = "tasks.db"

// Buckets of the state file. Values are JSON.
var (
	bucketMeta     = []byte("meta")
	bucketServers  = []byte("servers")  // by id
	bucketClients  = []byte("clients")  // by id
	bucketHistory  = []byte("history")  // by version: waits for the table
	bucketMessages = []byte("messages") // by number: waits for the table
	bucketTold     = []byte("told")     // by message: when it was last told
	bucketWakes    = []byte("wakes")    // by client: when it was asked for
	allBuckets     = [][]byte{bucketMeta, bucketServers, bucketClients, bucketHistory, bucketMessages, bucketTold,
		bucketWakes, bucketTasks, bucketTaskIDs, bucketSteps, bucketOutputs, bucketUnsolicited, bucketTaskWaits,
		bucketStepWaits}
	metaCounter  = []byte("counter")  // of versions
	metaMirrored = []byte("mirrored") // the version up to which clients are in the table
)

// openState opens the file, which one process may have.
func openState(dir string) (*bbolt.DB, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the notification manager: %w", err)
	}
	path := filepath.Join(dir, stateFile)
	if _, err := os.Stat(path); err == nil {
		if err := durable.Private(path); err != nil {
			return nil, err
		}
	}
	db, err := openFile(path)
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is in use by another process: it runs the notification manager", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w; move it away, and presence is learned anew", path, err)
	}
	err = guarded(func() error { return db.Update(makeBuckets) })
	if errors.Is(err, errDamaged) {
		err = fmt.Errorf("%w; move it away, and presence is learned anew", err)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), guarded(db.Close))
	}
	return db, durable.SyncFolder(dir)
}

func makeBuckets(tx *bbolt.Tx) error {
	for _, name := range allBuckets {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func serverKey(id uint32) []byte { return binary.BigEndian.AppendUint32(nil, id) }

func put(tx *bbolt.Tx, bucket, key []byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return tx.Bucket(bucket).Put(key, text)
}

// get reads a value; what is not there is zero.
func get[T any](tx *bbolt.Tx, bucket, key []byte) (value T, err error) {
	text := tx.Bucket(bucket).Get(key)
	if text == nil {
		return value, nil
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return value, fmt.Errorf("read %s %x of %s: %w", bucket, key, stateFile, err)
	}
	return value, nil
}

// each reads the values of a bucket in the order of their keys, as long as take says so.
func each[T any](tx *bbolt.Tx, bucket []byte, take func(key []byte, value T) bool) error {
	at := tx.Bucket(bucket).Cursor()
	for key, text := at.First(); key != nil; key, text = at.Next() {
		var value T
		if err := json.Unmarshal(text, &value); err != nil {
			return fmt.Errorf("read %s %x of %s: %w", bucket, key, stateFile, err)
		}
		if !take(key, value) {
			return nil
		}
	}
	return nil
}

// load fills the memory from the file.
func (m *Manager) load() error {
	return m.db.View(func(tx *bbolt.Tx) (err error) {
		if m.counter, err = get[uint64](tx, bucketMeta, metaCounter); err != nil {
			return err
		}
		if m.mirrored, err = get[uint64](tx, bucketMeta, metaMirrored); err != nil {
			return err
		}
		m.history.Store(int64(tx.Bucket(bucketHistory).Stats().KeyN))
		return errors.Join(
			m.loadTasks(tx),
			each(tx, bucketServers, func(_ []byte, s server) bool {
				s.Owes = true // what it was to be told of its clients may be lost: a full report shows who is to be told
				m.servers[s.ID] = &s
				return true
			}),
			each(tx, bucketClients, func(key []byte, c client) bool {
				c.Reason = unique.Make(c.Reason).Value() // one of a few: each is kept once
				m.clients[uuid.UUID(key)] = &c
				if c.Version > m.mirrored {
					m.unmirrored[uuid.UUID(key)] = struct{}{}
				}
				return true
			}),
			each(tx, bucketTold, func(key []byte, at time.Time) bool { m.told[string(key)] = at; return true }),
			each(tx, bucketWakes, func(key []byte, n uint64) bool {
				m.wakes[uuid.UUID(key)] = n
				m.wakeNumber = max(m.wakeNumber, n)
				return true
			}))
	})
}

// write puts a change into the file: one transaction, one sync.
func (m *Manager) write(c *change) error {
	kept := min(len(c.history), max(0, maxHistory-int(m.history.Load())))
	err := m.db.Update(func(tx *bbolt.Tx) error {
		var errs []error
		for _, s := range c.servers {
			errs = append(errs, put(tx, bucketServers, serverKey(s.ID), s))
		}
		ids := slices.SortedFunc(maps.Keys(c.clients), compareIDs) // neighbours lie on one page
		for _, id := range ids {
			if one := c.clients[id]; one != nil {
				errs = append(errs, put(tx, bucketClients, id[:], one))
			} else {
				errs = append(errs, tx.Bucket(bucketClients).Delete(id[:]))
			}
		}
		errs = append(errs, forgetHistory(tx, c))
		for _, h := range c.history[:kept] {
			errs = append(errs, put(tx, bucketHistory, numberKey(h.Version), h))
		}
		for _, id := range slices.SortedFunc(maps.Keys(c.wakes), compareIDs) { // in no order, 100,000 take nine seconds
			if n := c.wakes[id]; n > 0 {
				errs = append(errs, put(tx, bucketWakes, id[:], n))
			} else {
				errs = append(errs, tx.Bucket(bucketWakes).Delete(id[:]))
			}
		}
		errs = append(errs, c.writeTasks(tx), m.writeMessages(tx, c), put(tx, bucketMeta, metaCounter, c.counter))
		return errors.Join(errs...)
	})
	if err != nil {
		return fmt.Errorf("write %s: %w", stateFile, err)
	}
	m.history.Add(int64(kept))
	m.metrics.historyLost.Add(float64(len(c.history) - kept))
	return nil
}

// forgetHistory drops what waits for the table of clients that are forgotten.
func forgetHistory(tx *bbolt.Tx, c *change) error {
	var keys [][]byte
	for _, one := range c.clients {
		if one != nil {
			continue
		}
		err := each(tx, bucketHistory, func(key []byte, h connected) bool {
			if of, changed := c.clients[h.Client]; changed && of == nil {
				keys = append(keys, slices.Clone(key))
			}
			return true
		})
		if err != nil {
			return err
		}
		break
	}
	for _, key := range keys {
		if err := tx.Bucket(bucketHistory).Delete(key); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) writeMessages(tx *bbolt.Tx, c *change) error {
	var errs []error
	for _, key := range c.untold {
		errs = append(errs, tx.Bucket(bucketTold).Delete([]byte(key)))
	}
	for key, at := range c.told {
		errs = append(errs, put(tx, bucketTold, []byte(key), at))
	}
	for _, message := range c.messages {
		n, err := tx.Bucket(bucketMessages).NextSequence()
		errs = append(errs, err, put(tx, bucketMessages, numberKey(n), message))
	}
	return errors.Join(errs...)
}

func compareIDs(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }

func unmarshal(text []byte, into any) error { return json.Unmarshal(text, into) }
