package trust

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"statewire/internal/durable"
)

// Kinds of keys. A key's file is KIND-ID.key, with the first characters of its id, so that one need not be opened to
// know which it is.
const (
	rootKind = "root"
	packKind = "pack"
	taskKind = "task"

	keySuffix = ".key"
	shownID   = 16 // characters of an id in names and sentences
)

// keyID is the id of a public key: hex SHA-256 of its SubjectPublicKeyInfo.
func keyID(spki []byte) string {
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:])
}

// parsePublic reads a SubjectPublicKeyInfo. Only Ed25519 is known, in its one form.
func parsePublic(spki []byte) (ed25519.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, errors.New("not a public key")
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("not an Ed25519 key")
	}
	return public, nil
}

// signer is a private key with its id; it signs envelopes.
type signer struct {
	Key
	private ed25519.PrivateKey
}

func newSigner() (signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return signer{}, err
	}
	return signerOf(private)
}

func signerOf(private ed25519.PrivateKey) (signer, error) {
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	return signer{Key: Key{ID: keyID(spki), Key: spki}, private: private}, err
}

// Sign, Verify, KeyID and Public are what an envelope wants of a key.
func (s signer) Sign(_ context.Context, data []byte) ([]byte, error) {
	return ed25519.Sign(s.private, data), nil
}

func (s signer) KeyID() (string, error) { return s.ID, nil }

// GoString keeps the key out of messages that print whole values.
func (s signer) GoString() string { return "trust.signer{ID: " + s.ID + "}" }

// String is for messages, too.
func (s signer) String() string { return "key " + s.ID }

// verifier is a public key with its id; it verifies envelopes.
type verifier struct {
	id  string
	key ed25519.PublicKey
}

func (v verifier) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(v.key, data, sig) {
		return errors.New("wrong signature")
	}
	return nil
}

func (v verifier) KeyID() (string, error)   { return v.id, nil }
func (v verifier) Public() crypto.PublicKey { return v.key }

// keyFile is the name of a key's file.
func keyFile(kind, id string) string { return kind + "-" + id[:min(shownID, len(id))] + keySuffix }

// keyFiles are the paths of the keys of a kind in dir, sorted.
func keyFiles(dir, kind string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted
	var paths []string
	for _, entry := range entries {
		if name := entry.Name(); strings.HasPrefix(name, kind+"-") && strings.HasSuffix(name, keySuffix) {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths, err
}

// writeKey puts a private key into dir, for its owner alone.
func writeKey(dir, kind string, s signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(s.private)
	if err != nil {
		return err
	}
	return durable.Write(dir, keyFile(kind, s.ID), tempPrefix,
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// readKey reads a private key, and refuses one that others may read or that was renamed.
func readKey(path string) (signer, error) {
	if err := durable.Private(path); err != nil {
		return signer{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return signer{}, err
	}
	s, err := parsePrivate(text)
	if err != nil {
		return signer{}, fmt.Errorf("%s: %w; restore it from a backup", path, err)
	}
	if _, id, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), keySuffix), "-"); id != s.ID[:shownID] {
		return signer{}, fmt.Errorf("%s holds key %s: it was renamed or exchanged", path, s.ID[:shownID])
	}
	return s, nil
}

// parsePrivate reads the PEM of a private key. Its error does not repeat the text.
func parsePrivate(text []byte) (signer, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return signer{}, errors.New("not a private key in PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return signer{}, errors.New("not a private key")
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return signer{}, errors.New("not an Ed25519 key")
	}
	return signerOf(private)
}
