package cache

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// PutNote keeps, in a bucket beside the clients', what the program that uses the file wants to know of itself.
func (f *File) PutNote(bucket, key string, value []byte) error {
	return f.db.Update(func(tx *bbolt.Tx) error {
		notes, err := tx.CreateBucketIfNotExists([]byte(bucket))
		if err != nil {
			return err
		}
		return notes.Put([]byte(key), value)
	})
}

// Note is what PutNote kept; nil when there is nothing.
func (f *File) Note(bucket, key string) (value []byte, err error) {
	err = f.db.View(func(tx *bbolt.Tx) error {
		if notes := tx.Bucket([]byte(bucket)); notes != nil {
			value = bytes.Clone(notes.Get([]byte(key)))
		}
		return nil
	})
	return value, err
}
