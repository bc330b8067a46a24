package packs

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"statewire/trust"
)

// Seal signs a pack with a pack key, once it is without a fault. The error is a *Faults, or says what is wrong with the
// key.
func Seal(xml []byte, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	if _, err := Parse(xml); err != nil {
		return nil, err
	}
	sealed, err := trust.SignEnvelope(PayloadType, xml, keyID, key)
	if err != nil {
		return nil, fmt.Errorf("sign the pack: %w", err)
	}
	if len(sealed) > trust.MaxPackBytes {
		return nil, fmt.Errorf("the sealed pack has %d bytes; allowed are %d", len(sealed), trust.MaxPackBytes)
	}
	return sealed, nil
}

// Open reads a sealed pack that a pack key of the document signed. It is read only after its signature was verified.
// The error is one of trust's, or a *Faults.
func Open(sealed []byte, d *trust.Document, now time.Time) (*Pack, error) {
	var pack *Pack
	_, err := d.OpenPack(sealed, PayloadType, func(payload []byte) (id string, err error) {
		if pack, err = Parse(payload); err != nil {
			return "", err
		}
		return pack.ID, nil
	}, now)
	if err != nil {
		return nil, fmt.Errorf("open a sealed pack: %w", err)
	}
	return pack, nil
}
