package trust

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

var (
	// ErrWrong says that a trust document is not one of this site; nothing of the answer it came with may be kept.
	ErrWrong = errors.New("wrong_trust")
	// ErrOlder says that a trust document is older than what is believed already. Whoever sent it may just be late.
	ErrOlder = errors.New("older trust document")
)

// First verifies the first trust document that an agent sees: its roots are those of the second half of the pin in the
// enrolment token, and enough of them signed it. An expired one is taken: it allows nothing new, and reports need no
// trust. Every error is an ErrWrong.
func First(envelope []byte, roots [sha256.Size]byte) (*Document, error) {
	d, err := Read(envelope)
	if err != nil {
		return nil, err
	}
	if rootsHash(d.RootIDs()) != roots {
		return nil, fmt.Errorf("%w: the trust document has other roots than the enrolment token says", ErrWrong)
	}
	return d, nil
}

// Next verifies a trust document that came after have. It returns have when nothing changed; otherwise the new one has
// a greater version and is signed by enough roots of have and by enough of its own. Errors are ErrOlder or ErrWrong.
func Next(envelope []byte, have *Document) (*Document, error) {
	d, err := decode(envelope)
	if err != nil {
		return nil, fmt.Errorf("%w: the trust document can't be read: %w", ErrWrong, err)
	}
	if bytes.Equal(d.payload, have.payload) {
		return have, nil
	}
	if d.Version < have.Version {
		return nil, fmt.Errorf("%w: version %d came after version %d", ErrOlder, d.Version, have.Version)
	}
	if d.Version == have.Version {
		return nil, fmt.Errorf("%w: two trust documents have version %d", ErrWrong, d.Version)
	}
	if err := d.signedBy(have); err != nil {
		return nil, err
	}
	if err := d.signedBy(d); err != nil {
		return nil, err
	}
	return d, nil
}

// Read verifies a trust document against the roots that it names itself. That is enough for one from a folder that
// nobody else can write, where it was put after First or Next; it says nothing of one that came over the network.
func Read(envelope []byte) (*Document, error) {
	d, err := decode(envelope)
	if err != nil {
		return nil, fmt.Errorf("%w: the trust document can't be read: %w", ErrWrong, err)
	}
	if err := d.signedBy(d); err != nil {
		return nil, err
	}
	return d, nil
}

// signedBy says whether enough roots of the other document signed this one. A root counts once.
func (d *Document) signedBy(other *Document) error {
	var roots []dsse.Verifier
	for _, root := range other.Roots {
		key, err := publicKey(root.ID, root.Key)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrWrong, err)
		}
		roots = append(roots, verifier{root.ID, key})
	}
	v, err := dsse.NewMultiEnvelopeVerifier(other.Threshold, roots...)
	if err == nil {
		_, err = v.Verify(context.Background(), d.known(other))
	}
	if err != nil {
		return fmt.Errorf("%w: version %d of the trust document is not signed by %d of the roots of version %d", ErrWrong,
			d.Version, other.Threshold, other.Version)
	}
	return nil
}

// known is the envelope with the signatures that say they are of roots of the other document. A signature without an id
// could be of any.
func (d *Document) known(other *Document) *dsse.Envelope {
	e := d.envelope
	e.Signatures = slices.Clone(e.Signatures)
	e.Signatures = slices.DeleteFunc(e.Signatures, func(s dsse.Signature) bool {
		return !slices.ContainsFunc(other.Roots, func(k Key) bool { return k.ID == s.KeyID })
	})
	return &e
}

// sign adds the signature of a root, or replaces the one that says it is of it.
func (d *Document) sign(root signer) error {
	s, err := dsse.NewEnvelopeSigner(root)
	if err != nil {
		return err
	}
	signed, err := s.SignPayload(context.Background(), PayloadType, d.payload)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(slices.Clone(d.envelope.Signatures),
		func(s dsse.Signature) bool { return s.KeyID == root.ID })
	d.envelope.Signatures = append(others, signed.Signatures...)
	return nil
}
