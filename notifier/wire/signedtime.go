package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/google/uuid"
)

// signedTimeBytes is a signed time: 8 bytes of the key's id, the microseconds since 1970, the signature.
const signedTimeBytes = 8 + 8 + ed25519.SignatureSize

// SignedTime is a time that a task key of a site vouches for. Whoever passes it on may delay it, and not change it.
type SignedTime struct {
	Key       [8]byte // the first bytes of the key's id
	Time      time.Time
	Signature [ed25519.SignatureSize]byte
}

// SignTime signs a time with a task key, whose id is the SHA-256 of its public half in hex.
func SignTime(id string, key ed25519.PrivateKey, site uuid.UUID, at time.Time) SignedTime {
	s := SignedTime{Key: KeyPrefix(id), Time: at.Truncate(time.Microsecond).UTC()}
	copy(s.Signature[:], ed25519.Sign(key, s.signed(site)))
	return s
}

// KeyPrefix is how a signed time names a key.
func KeyPrefix(id string) (prefix [8]byte) {
	raw, _ := hex.DecodeString(id) // an id that is none names no key
	copy(prefix[:], raw)
	return prefix
}

// Verify says whether the holder of a key signed the time for a site.
func (s SignedTime) Verify(key ed25519.PublicKey, site uuid.UUID) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, s.signed(site), s.Signature[:])
}

// signed is what the signature is of. Nothing else that a task key signs looks like it.
func (s SignedTime) signed(site uuid.UUID) []byte {
	sum := sha256.Sum256(append([]byte("statewire time 1\n"), site[:]...))
	return binary.BigEndian.AppendUint64(sum[:], uint64(s.Time.UnixMicro()))
}

// Encode is the payload of a KeepAliveAck.
func (s SignedTime) Encode() []byte {
	out := binary.BigEndian.AppendUint64(s.Key[:], uint64(s.Time.UnixMicro()))
	return append(out, s.Signature[:]...)
}

// Text is the SignedTime of a sign-in's confirmation.
func (s SignedTime) Text() string { return base64.StdEncoding.EncodeToString(s.Encode()) }

// DecodeSignedTime reads the payload of a KeepAliveAck; false for one of a server that signs none, or differently.
func DecodeSignedTime(payload []byte) (s SignedTime, ok bool) {
	if len(payload) != signedTimeBytes {
		return s, false
	}
	copy(s.Key[:], payload)
	us := int64(binary.BigEndian.Uint64(payload[8:]))
	copy(s.Signature[:], payload[16:])
	s.Time = time.UnixMicro(us).UTC()
	return s, us > 0 && s.Time.Year() <= 2200
}

// ParseSignedTime reads the SignedTime of a confirmation; false where there is none.
func ParseSignedTime(text string) (s SignedTime, ok bool) {
	payload, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return s, false
	}
	return DecodeSignedTime(payload)
}
