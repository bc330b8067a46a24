package trust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// PayloadType is what the envelope of a trust document says it holds.
const PayloadType = "application/vnd.statewire.trust+json"

// Limits of a trust document. A site has a handful of keys; whoever sends more wants something else.
const (
	MaxDocumentBytes = 64 << 10 // of the envelope
	maxKeys          = 32       // of a kind
	maxPrefixes      = 64       // of a pack key
	maxText          = 256      // bytes of a prefix and of a site's name
)

// Document says which keys a site's agents believe, until when, and who may replace it. It is what the envelope's
// payload holds; a Document that this package returns was verified.
type Document struct {
	Version   uint64    `json:"version"` // from 1; only a greater one replaces it
	Expires   time.Time `json:"expires"` // after it nothing new is allowed: no pack, no task
	Roots     []Key     `json:"roots"`   // who signs trust documents
	PackKeys  []PackKey `json:"pack_keys"`
	TaskKeys  []TaskKey `json:"task_keys"`
	Threshold int       `json:"threshold"` // how many of the roots must sign

	envelope dsse.Envelope
	payload  []byte
}

// Key is an Ed25519 key that a trust document names.
type Key struct {
	ID  string `json:"id"`  // hex SHA-256 of Key
	Key []byte `json:"key"` // its SubjectPublicKeyInfo (DER); base64 in JSON
}

// PackKey signs packs whose id begins with one of its prefixes; an empty prefix fits every pack.
type PackKey struct {
	ID       string    `json:"id"`
	Key      []byte    `json:"key"`
	NotAfter time.Time `json:"not_after"`
	Prefixes []string  `json:"prefixes"`
}

// TaskKey signs tasks of a site. It is on the server, and can start only what a pack defines.
type TaskKey struct {
	ID       string    `json:"id"`
	Key      []byte    `json:"key"`
	NotAfter time.Time `json:"not_after"`
	Site     string    `json:"site"`
}

// Expired says that the document allows no new pack and no new task. What was allowed before goes on, and a newer
// document may still replace it.
func (d *Document) Expired(now time.Time) bool { return !now.Before(d.Expires) }

// RootIDs are the sorted ids of the roots; PinOf makes the second half of a pin of them.
func (d *Document) RootIDs() []string {
	ids := make([]string, len(d.Roots))
	for i, root := range d.Roots {
		ids[i] = root.ID
	}
	slices.Sort(ids)
	return ids
}

// Envelope is the signed document as it is stored and sent: one line of JSON, without a line feed.
func (d *Document) Envelope() []byte {
	text, err := json.Marshal(d.envelope)
	if err != nil {
		panic(err) // three texts always have a JSON form
	}
	return text
}

// decode reads an envelope within the limits. It says nothing of its signatures. Names that this version does not know
// are skipped, so that an older agent goes on under a newer site; what is known must be whole and said once.
func decode(text []byte) (*Document, error) {
	if len(text) > MaxDocumentBytes {
		return nil, fmt.Errorf("more than %d bytes", MaxDocumentBytes)
	}
	d := new(Document)
	if err := decodeJSON(text, &d.envelope); err != nil {
		return nil, fmt.Errorf("the envelope: %w", err)
	}
	if d.envelope.PayloadType != PayloadType {
		return nil, fmt.Errorf("the envelope holds %.80q, not %s", d.envelope.PayloadType, PayloadType)
	}
	if len(d.envelope.Signatures) > 2*maxKeys {
		return nil, errors.New("too many signatures")
	}
	var err error
	d.payload, err = strictBase64(d.envelope.Payload)
	if err != nil {
		return nil, errors.New("the payload is not base64")
	}
	if err := decodeJSON(d.payload, d); err != nil {
		return nil, fmt.Errorf("the payload: %w", err)
	}
	return d, d.check()
}

// check holds the document against its limits.
func (d *Document) check() error {
	if d.Version == 0 || d.Expires.IsZero() {
		return errors.New("it has no version or no end")
	}
	if len(d.Roots) == 0 || d.Threshold < 1 || d.Threshold > len(d.Roots) {
		return fmt.Errorf("its threshold of %d does not fit its %d roots", d.Threshold, len(d.Roots))
	}
	if max(len(d.Roots), len(d.PackKeys), len(d.TaskKeys)) > maxKeys {
		return fmt.Errorf("more than %d keys of a kind", maxKeys)
	}
	seen := map[string]bool{}
	once := func(id string, key []byte, err error) error {
		if err != nil {
			return fmt.Errorf("key %.16s: %w", id, err)
		}
		if seen[id] {
			return fmt.Errorf("key %.16s is named twice", id)
		}
		seen[id] = true
		_, err = publicKey(id, key)
		return err
	}
	for _, k := range d.Roots {
		if err := once(k.ID, k.Key, nil); err != nil {
			return err
		}
	}
	for _, k := range d.PackKeys {
		if err := once(k.ID, k.Key, k.check()); err != nil {
			return err
		}
	}
	for _, k := range d.TaskKeys {
		if err := once(k.ID, k.Key, k.check()); err != nil {
			return err
		}
	}
	return nil
}

func (k PackKey) check() error {
	if k.NotAfter.IsZero() {
		return errors.New("no end")
	}
	if len(k.Prefixes) == 0 || len(k.Prefixes) > maxPrefixes {
		return fmt.Errorf("%d prefixes; allowed are 1 to %d", len(k.Prefixes), maxPrefixes)
	}
	if slices.ContainsFunc(k.Prefixes, func(p string) bool { return len(p) > maxText }) {
		return fmt.Errorf("a prefix of more than %d bytes", maxText)
	}
	return nil
}

func (k TaskKey) check() error {
	if k.NotAfter.IsZero() {
		return errors.New("no end")
	}
	if len(k.Site) > maxText {
		return fmt.Errorf("a site of more than %d bytes", maxText)
	}
	return nil
}

// publicKey reads a key of a document and holds it against its id.
func publicKey(id string, spki []byte) (ed25519.PublicKey, error) {
	key, err := parsePublic(spki)
	if err != nil {
		return nil, fmt.Errorf("key %.16s: %w", id, err)
	}
	if id != keyID(spki) {
		return nil, fmt.Errorf("key %.16s is another than its id says", id)
	}
	return key, nil
}

// decodeJSON reads exactly one object, in which every name stands once in each object: two readers must not
// understand two things.
func decodeJSON(text []byte, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return errors.New("not the JSON of a trust document") // its words may be the sender's
	}
	return namesOnce(json.NewDecoder(bytes.NewReader(text)))
}

// namesOnce reads one value. encoding/json takes names in any case, so they are alike here, too.
func namesOnce(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			token, err := d.Token()
			if err != nil {
				return err
			}
			name := strings.ToLower(token.(string))
			if seen[name] {
				return fmt.Errorf("%.40q stands there twice", name)
			}
			seen[name] = true
		}
		if err := namesOnce(d); err != nil {
			return err
		}
	}
	_, err = d.Token() // the closing one
	return err
}
