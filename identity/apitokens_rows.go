package identity

import (
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

func putAPIToken(tx *bbolt.Tx, k keptToken) error {
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketAPITokens).Put([]byte(k.ID), text)
}

// getAPIToken reads a row, and says whether there is one.
func getAPIToken(tx *bbolt.Tx, id string) (k keptToken, ok bool, err error) {
	text := tx.Bucket(bucketAPITokens).Get([]byte(id))
	if text == nil {
		return k, false, nil
	}
	if err := json.Unmarshal(text, &k); err != nil {
		return k, false, fmt.Errorf("read token %s: %w", id, err)
	}
	return k, true, nil
}

func eachAPIToken(tx *bbolt.Tx, do func(keptToken) error) error {
	return tx.Bucket(bucketAPITokens).ForEach(func(id, text []byte) error {
		var k keptToken
		if err := json.Unmarshal(text, &k); err != nil {
			return fmt.Errorf("read token %s: %w", id, err)
		}
		return do(k)
	})
}

// tidyAPITokens removes what nobody can use for long.
func tidyAPITokens(tx *bbolt.Tx, now time.Time) error {
	var gone [][]byte
	err := eachAPIToken(tx, func(k keptToken) error {
		if now.Sub(k.Expires) > apiTokenKept {
			gone = append(gone, []byte(k.ID))
		}
		return nil
	})
	for _, id := range gone {
		if err == nil {
			err = tx.Bucket(bucketAPITokens).Delete(id)
		}
	}
	return err
}
