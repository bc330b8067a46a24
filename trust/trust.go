// Package trust is what an agent and its site must agree on before either believes the other: the enrolment token with
// its pin, what is said at enrolment, and the signed trust document.
package trust

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// tokenPrefix begins every enrolment token.
const tokenPrefix = "swe1"

const (
	idBytes     = 5 // 8 characters
	secretBytes = 32
)

// Pin tells a site from every other one: of its certificate authority and of the keys that sign its trust document.
type Pin struct {
	CA    [sha256.Size]byte // SHA-256 of the authority's public key (SubjectPublicKeyInfo)
	Roots [sha256.Size]byte // SHA-256 of the sorted ids of the root keys, each followed by a line feed
}

// PinOf is the pin of an authority and of root keys.
func PinOf(authority *x509.Certificate, roots []string) Pin {
	return Pin{CA: sha256.Sum256(authority.RawSubjectPublicKeyInfo), Roots: rootsHash(roots)}
}

func rootsHash(roots []string) [sha256.Size]byte {
	sorted := slices.Clone(roots)
	slices.Sort(sorted)
	var text strings.Builder
	for _, id := range sorted {
		text.WriteString(id + "\n")
	}
	return sha256.Sum256([]byte(text.String()))
}

// Token lets a client enrol. Whoever has it may enrol; its pin says with which site.
type Token struct {
	ID     string // 8 base32 characters; no secret
	Secret [secretBytes]byte
	Pin    Pin
}

// NewToken draws a token for a site.
func NewToken(pin Pin) Token {
	t := Token{ID: NewID(), Pin: pin}
	_, _ = rand.Read(t.Secret[:]) // it never fails
	return t
}

// NewID draws an id of 8 base32 characters.
func NewID() string {
	var raw [idBytes]byte
	_, _ = rand.Read(raw[:]) // it never fails
	return base32.StdEncoding.EncodeToString(raw[:])
}

// ValidID says whether the text has the form of an id that NewID draws.
func ValidID(text string) bool {
	raw, err := base32.StdEncoding.DecodeString(text)
	return err == nil && len(raw) == idBytes
}

// String is the token as it is handed out: swe1.ID.SECRET.PIN.
func (t Token) String() string {
	pin := append(t.Pin.CA[:], t.Pin.Roots[:]...)
	return strings.Join([]string{tokenPrefix, t.ID, base64.RawURLEncoding.EncodeToString(t.Secret[:]),
		base64.RawURLEncoding.EncodeToString(pin)}, ".")
}

// errToken never repeats the text: it may hold a secret.
var errToken = errors.New("not an enrolment token; one looks like swe1.ID.SECRET.PIN, and `statewire enroll token " +
	"create` makes it")

// ParseToken reads a token, with any white space around it. Its error does not repeat the text.
func ParseToken(text string) (Token, error) {
	parts := strings.Split(strings.TrimSpace(text), ".")
	if len(parts) != 4 || parts[0] != tokenPrefix || !ValidID(parts[1]) {
		return Token{}, errToken
	}
	t := Token{ID: parts[1]}
	secret, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	pin, err2 := base64.RawURLEncoding.Strict().DecodeString(parts[3])
	if strings.ContainsAny(parts[2]+parts[3], "\r\n") { // the decoder skips them
		return Token{}, fmt.Errorf("%w; this one is broken into lines", errToken)
	}
	if err != nil || err2 != nil || len(secret) != secretBytes || len(pin) != len(t.Pin.CA)+len(t.Pin.Roots) {
		return Token{}, fmt.Errorf("%w; this one is cut or changed", errToken)
	}
	copy(t.Secret[:], secret)
	copy(t.Pin.CA[:], pin)
	copy(t.Pin.Roots[:], pin[len(t.Pin.CA):])
	return t, nil
}

// GoString keeps the secret out of messages that print whole values.
func (t Token) GoString() string { return "trust.Token{ID: " + t.ID + "}" }
