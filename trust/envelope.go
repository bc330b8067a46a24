package trust

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// What is wrong with an envelope, in the order in which it is looked at.
var (
	ErrEnvelope   = errors.New("bad_envelope")
	ErrSignature  = errors.New("bad_signature")
	ErrUnknownKey = errors.New("unknown_key")
)

// Limits of envelopes.
const (
	MaxTaskBytes = 64 << 10 // of the envelope of a task
	MaxPackBytes = 1 << 20  // of the envelope of a pack

	maxPackSignatures = 8
)

// SignEnvelope puts a payload into an envelope with one signature: one line of JSON. The id is the key's own.
func SignEnvelope(payloadType string, payload []byte, id string, key ed25519.PrivateKey) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("not an Ed25519 key")
	}
	by, err := signerOf(key)
	if err != nil {
		return nil, err
	}
	if by.ID != id {
		return nil, fmt.Errorf("the key is %.16s, not %.16s", by.ID, id)
	}
	s, err := dsse.NewEnvelopeSigner(by)
	if err != nil {
		return nil, err
	}
	e, err := s.SignPayload(context.Background(), payloadType, payload)
	if err != nil {
		return nil, err
	}
	return json.Marshal(e)
}

// OpenTask is the payload of an envelope that one task key of the document signed, and nobody else. After the key's end
// and after the document's no task is believed. Errors are ErrEnvelope, ErrSignature or ErrUnknownKey. A nil document
// knows no key.
func (d *Document) OpenTask(envelope []byte, payloadType string, now time.Time) (payload []byte, by TaskKey,
	err error) {
	e, payload, err := openEnvelope(envelope, payloadType, MaxTaskBytes, 1)
	if err != nil {
		return nil, TaskKey{}, err
	}
	id := e.Signatures[0].KeyID
	by, ok := d.taskKeyOf(func(k TaskKey) bool { return k.ID == id })
	if !ok {
		return nil, TaskKey{}, unknownKey("no task key %.16q in the trust document", id)
	}
	if err := verifyOne(e, e.Signatures[0], by.ID, by.Key); err != nil {
		return nil, TaskKey{}, err
	}
	if err := d.goodAt(now, by.ID, by.NotAfter); err != nil {
		return nil, TaskKey{}, err
	}
	return payload, by, nil
}

// OpenPack is the payload of an envelope that a pack key of the document signed, one of whose prefixes begins the
// pack's id. It asks packID for the id only after a signature was verified. A signature by a key that the document
// doesn't name doesn't count; a wrong one by a key that it names refuses the whole. Errors are as OpenTask's, or
// packID's own.
func (d *Document) OpenPack(envelope []byte, payloadType string, packID func(payload []byte) (string, error),
	now time.Time) (payload []byte, err error) {
	e, payload, err := openEnvelope(envelope, payloadType, MaxPackBytes, maxPackSignatures)
	if err != nil {
		return nil, err
	}
	prefixes, err := d.packPrefixes(e, now)
	if err != nil {
		return nil, err
	}
	id, err := packID(payload)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(id, p) }) {
		return nil, unknownKey("no key that signed the pack may sign one that is called %.80q", id)
	}
	return payload, nil
}

// packPrefixes are those of the keys whose signatures count.
func (d *Document) packPrefixes(e dsse.Envelope, now time.Time) (prefixes []string, err error) {
	wrong := unknownKey("no pack key of the trust document signed it")
	for _, s := range e.Signatures {
		key, ok := d.packKeyOf(s.KeyID)
		if !ok {
			continue
		}
		if err := verifyOne(e, s, key.ID, key.Key); err != nil {
			return nil, err
		}
		if err := d.goodAt(now, key.ID, key.NotAfter); err != nil {
			wrong = err
			continue
		}
		prefixes = append(prefixes, key.Prefixes...)
	}
	if len(prefixes) == 0 {
		return nil, wrong
	}
	return prefixes, nil
}

// TaskVerifier is the task key whose id begins with these bytes, and its end. Whoever asks holds the end against the
// time that he knows.
func (d *Document) TaskVerifier(prefix [8]byte) (key ed25519.PublicKey, notAfter time.Time, ok bool) {
	begins := hex.EncodeToString(prefix[:])
	k, ok := d.taskKeyOf(func(k TaskKey) bool { return strings.HasPrefix(k.ID, begins) })
	if !ok {
		return nil, time.Time{}, false
	}
	key, err := publicKey(k.ID, k.Key)
	return key, k.NotAfter, err == nil
}

func (d *Document) taskKeyOf(is func(TaskKey) bool) (TaskKey, bool) {
	if d == nil {
		return TaskKey{}, false
	}
	i := slices.IndexFunc(d.TaskKeys, is)
	if i < 0 {
		return TaskKey{}, false
	}
	return d.TaskKeys[i], true
}

func (d *Document) packKeyOf(id string) (PackKey, bool) {
	if d == nil {
		return PackKey{}, false
	}
	i := slices.IndexFunc(d.PackKeys, func(k PackKey) bool { return k.ID == id })
	if i < 0 {
		return PackKey{}, false
	}
	return d.PackKeys[i], true
}

// goodAt says whether a key still signs something new at a time.
func (d *Document) goodAt(now time.Time, id string, notAfter time.Time) error {
	if !now.Before(notAfter) {
		return unknownKey("key %.16s ended on %s", id, notAfter.Format(time.DateOnly))
	}
	if d.Expired(now) {
		return unknownKey("the trust document ended on %s", d.Expires.Format(time.DateOnly))
	}
	return nil
}

func unknownKey(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnknownKey, fmt.Sprintf(format, args...))
}

// openEnvelope reads an envelope of a payload type within its bounds. It must be written as SignEnvelope writes it,
// byte by byte: then no byte of it can be changed without somebody noticing.
func openEnvelope(text []byte, payloadType string, mostBytes, mostSignatures int) (e dsse.Envelope, payload []byte,
	err error) {
	bad := func(format string, args ...any) (dsse.Envelope, []byte, error) {
		return dsse.Envelope{}, nil, fmt.Errorf("%w: %s", ErrEnvelope, fmt.Sprintf(format, args...))
	}
	if len(text) > mostBytes {
		return bad("more than %d bytes", mostBytes)
	}
	if json.Unmarshal(text, &e) != nil {
		return bad("not the JSON of an envelope")
	}
	if again, err := json.Marshal(e); err != nil || !bytes.Equal(again, text) {
		return bad("not written as an envelope is")
	}
	if e.PayloadType != payloadType {
		return bad("it holds %.80q, not %s", e.PayloadType, payloadType)
	}
	if n := len(e.Signatures); n == 0 || n > mostSignatures {
		return bad("%d signatures; allowed are 1 to %d", n, mostSignatures)
	}
	if payload, err = strictBase64(e.Payload); err != nil {
		return bad("the payload is not base64")
	}
	seen := map[string]bool{}
	for _, s := range e.Signatures {
		if sig, err := strictBase64(s.Sig); err != nil || len(sig) != ed25519.SignatureSize || seen[s.KeyID] {
			return bad("a signature is not whole, or two are by one key")
		}
		seen[s.KeyID] = true
	}
	return e, payload, nil
}

// strictBase64 reads base64 in its one form; the decoder alone skips line feeds.
func strictBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("broken into lines")
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

// verifyOne holds one signature of an envelope against the key that it names.
func verifyOne(e dsse.Envelope, s dsse.Signature, id string, spki []byte) error {
	key, err := publicKey(id, spki)
	if err != nil {
		return unknownKey("%v", err)
	}
	v, err := dsse.NewEnvelopeVerifier(verifier{id, key})
	if err == nil {
		e.Signatures = []dsse.Signature{s}
		_, err = v.Verify(context.Background(), &e)
	}
	if err != nil {
		return fmt.Errorf("%w: it is not the one of key %.16s", ErrSignature, id)
	}
	return nil
}
