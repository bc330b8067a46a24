package identity

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// stateFile holds what was issued and to whom.
const stateFile = "identity.db"

// batchDelay is how long who is to get a certificate waits for others, to be written to disk with them.
const batchDelay = 2 * time.Millisecond

// Buckets of the state file. Values are JSON.
var (
	bucketMeta     = []byte("meta")
	bucketHolders  = []byte("holders")       // by Caller.Key: who has certificates
	bucketIssued   = []byte("certificates")  // by number, big endian
	bucketKeys     = []byte("keys")          // SHA-256 of a public key → number of the certificate issued for it
	bucketTokens   = []byte("enroll_tokens") // by id
	bucketPending  = []byte("pending")       // by id
	bucketJoins    = []byte("joins")         // by Caller.Key: the list that a client is yet to be put into
	allBuckets     = [][]byte{bucketMeta, bucketHolders, bucketIssued, bucketKeys, bucketTokens, bucketPending, bucketJoins}
	metaNumber     = []byte("number") // of the last certificate
	metaPaused     = []byte("paused")
	metaAuthority  = []byte("authority") // the pin for which unused tokens are good
	metaStagedTime = []byte("staged")
	metaFirst      = []byte("first token") // it was made
	metaTidied     = []byte("tidied")      // the time by which old state was forgotten
)

// holder is a client or a role that has, or had, certificates.
type holder struct {
	Client   string    `json:"client,omitempty"` // the UUID of a client
	Role     string    `json:"role,omitempty"`
	Name     string    `json:"name,omitempty"`    // of the computer, or of the role
	Version  string    `json:"version,omitempty"` // of the client's program
	Enrolled time.Time `json:"enrolled"`          // the last enrolment
	Newest   uint64    `json:"newest"`            // number of the last certificate
	NotAfter time.Time `json:"not_after"`         // of that certificate
	// Used is the greatest number with which the holder was seen. A certificate below it is superseded.
	Used uint64 `json:"used,omitempty"`
	// Below is up to which number certificates are denied; 0 denies none. The line is kept until Until.
	Below   uint64      `json:"below,omitempty"`
	Until   time.Time   `json:"until,omitzero"`
	Revoked *revocation `json:"revoked,omitempty"`
	Shared  time.Time   `json:"shared,omitzero"` // when a superseded certificate was last shown for a renewal
	Last    uint64      `json:"last,omitempty"`  // NextSerial of the last enrolment
	// Renewals is how many certificates it got by renewal in the hour that began at Renewing.
	Renewals int       `json:"renewals,omitempty"`
	Renewing time.Time `json:"renewing,omitzero"`
}

// revocation is what is known of one.
type revocation struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

// issued is one certificate. It is kept until it has been expired for longer than the grace.
type issued struct {
	Holder   string    `json:"holder"` // Caller.Key
	Token    string    `json:"token,omitempty"`
	After    uint64    `json:"after,omitempty"` // the certificate that it renewed
	Key      []byte    `json:"key"`             // SHA-256 of its public key
	PEM      []byte    `json:"pem"`
	At       time.Time `json:"at"`
	NotAfter time.Time `json:"not_after"`
	Next     uint64    `json:"next_serial,omitempty"` // as it was answered
}

// openState opens the file, which one process may have.
func openState(dir string) (*bbolt.DB, error) {
	path := filepath.Join(dir, stateFile)
	if _, err := os.Stat(path); err == nil {
		if err := private(path); err != nil {
			return nil, err
		}
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 5 * time.Second, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is in use by another process: it runs the identity role", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w; restore it from a backup", path, err)
	}
	db.MaxBatchDelay = batchDelay
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range allBuckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return db, nil
}

// get reads a value, and says whether there is one.
func get[T any](tx *bbolt.Tx, bucket, key []byte) (value T, ok bool, err error) {
	text := tx.Bucket(bucket).Get(key)
	if text == nil {
		return value, false, nil
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return value, false, fmt.Errorf("read %s %x of %s: %w", bucket, key, stateFile, err)
	}
	return value, true, nil
}

func put(tx *bbolt.Tx, bucket, key []byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return tx.Bucket(bucket).Put(key, text)
}

// each reads all values of a bucket, in the order of their keys.
func each[T any](tx *bbolt.Tx, bucket []byte, do func(key []byte, value T) error) error {
	return tx.Bucket(bucket).ForEach(func(key, text []byte) error {
		var value T
		if err := json.Unmarshal(text, &value); err != nil {
			return fmt.Errorf("read %s %x of %s: %w", bucket, key, stateFile, err)
		}
		return do(key, value)
	})
}

func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// nextNumber is the number of the next certificate. Numbers grow even when the file came from an old backup: they are
// no less than the time in milliseconds.
func nextNumber(tx *bbolt.Tx, now time.Time) (uint64, error) {
	last, _, err := get[uint64](tx, bucketMeta, metaNumber)
	if err != nil {
		return 0, err
	}
	number := max(last+1, uint64(max(now.UnixMilli(), 1)))
	return number, put(tx, bucketMeta, metaNumber, number)
}
