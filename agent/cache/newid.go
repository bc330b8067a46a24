package cache

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"statewire/smx"
)

// NewID gives the machine's own client a new random id. It keeps what it holds, which waits to be sent under the new id
// from serial 1 on, and the states that no relay took. Its policy, what it sent and its serials were the old id's. All
// of it happens, or nothing.
func (f *File) NewID() (old, own smx.ClientID, err error) {
	old, own = f.own, newClientID()
	err = f.db.Update(func(tx *bbolt.Tx) error {
		clients := tx.Bucket(bucketClients)
		bucket, err := clients.CreateBucket(own[:])
		if err != nil {
			return err
		}
		if from := clients.Bucket(old[:]); from != nil {
			if err := inherit(bucketRecords{from}, bucketRecords{bucket}); err != nil {
				return err
			}
			if err := clients.DeleteBucket(old[:]); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketStore).Put(keyOwn, own[:])
	})
	if err != nil {
		return old, old, fmt.Errorf("give the client of %s a new id: %w", f.path, err)
	}
	f.own = own
	return old, own, nil
}

// inherit puts what a client holds into an empty store, as if it had just been raised, in the order in which it was.
func inherit(from, to records) error {
	states, err := holdings(from)
	if err != nil {
		return err
	}
	was, err := readMeta(from.get([]byte{keyMeta}))
	if err != nil {
		return err
	}
	m := meta{dead: was.dead}
	for i := range states {
		if err := putState(to, &m, states[i]); err != nil && !(states[i].Instant && errors.Is(err, ErrFull)) {
			return err
		}
	}
	err = from.ascend([]byte{keyDead}, func(key, value []byte) (bool, error) {
		return true, to.put(bytes.Clone(key), bytes.Clone(value))
	})
	return errors.Join(err, inheritTrust(from, to), to.put([]byte{keyMeta}, m.record()))
}

// holdings are the states of the cache, the instant ones that wait, and those on their way in a report, which the cache
// has forgotten.
func holdings(s records) (states []State, err error) {
	for _, kind := range []byte{keyState, keyInstant} {
		err := s.ascend([]byte{kind}, func(key, value []byte) (bool, error) {
			state, err := readState(key, value)
			states = append(states, state)
			return true, err
		})
		if err != nil {
			return nil, err
		}
	}
	err = s.ascend([]byte{keyPending}, func(key, value []byte) (bool, error) {
		report, err := readReport(key, value)
		if err != nil {
			return false, err
		}
		for _, state := range report.States {
			if state.Instant && s.get(stateKey(&state)) == nil {
				states = append(states, state)
			}
		}
		return true, nil
	})
	slices.SortStableFunc(states, func(a, b State) int { return cmp.Compare(a.order, b.order) })
	return states, err
}
