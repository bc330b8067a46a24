package credentials

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"statewire/trust"
)

// errStrangers is what new authorities are refused with of which none is known: the site shows the next one together
// with the present one first.
var errStrangers = errors.New("none of the authorities is one that this client knows: they are another site's")

// Believe takes what a policy says of whom to believe: the site's authorities in PEM, and the trust document; either
// may be missing. The policy came from a relay that proved itself. What is not to be believed is left, and the status
// says so; the error is the store's.
func (c *Credentials) Believe(ca, document []byte) error {
	c.mu.Lock()
	enrolled, have := c.pair != nil, c.document
	c.mu.Unlock()
	if !enrolled {
		return nil
	}
	certs, next, err := c.judge(ca, document, have)
	c.mu.Lock()
	c.distrust = ""
	if err != nil {
		c.distrust = err.Error()
	}
	c.mu.Unlock()
	if err != nil {
		c.log.Warn("what the policy says of whom to believe is not taken", "client", c.client, "why", err)
		return nil
	}
	if next == have && c.knows(certs) {
		return nil
	}
	c.log.Info("whom to believe changed", "client", c.client, "authorities", len(certs), "trust", next.Version)
	return c.replace(func(k *Kept) {
		k.Trust = next.Envelope()
		if certs != nil {
			k.follow(certs)
		}
	})
}

// judge reads what a policy says; an older trust document than the one believed is no fault of anybody's.
func (c *Credentials) judge(ca, document []byte, have *trust.Document) (certs []*x509.Certificate,
	next *trust.Document, err error) {
	next = have
	if ca != nil {
		if certs, err = certificatesIn(ca); err != nil {
			return nil, nil, fmt.Errorf("the authorities in the policy: %w", err)
		}
		if !c.believes(certs) {
			return nil, nil, errStrangers
		}
	}
	if document != nil {
		next, err = trust.Next(document, have)
		if errors.Is(err, trust.ErrOlder) {
			next, err = have, nil
		}
	}
	return certs, next, err
}

// knows tells whether these are the authorities as they are kept; nil is.
func (c *Credentials) knows(certs []*x509.Certificate) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return certs == nil || string(inPEM(certs)) == string(c.kept.CA)
}

// follow makes the authorities the ones to believe. Those of before that are not among them stay believed until a relay
// proved itself by one that is: a client that forgot them at once, and was told wrong, could not be told right any
// more.
func (k *Kept) follow(next []*x509.Certificate) {
	var former []*x509.Certificate
	for _, text := range [][]byte{k.CA, k.Former} {
		certs, _ := certificatesIn(text) // what is kept was read before; nothing is in Former mostly
		for _, cert := range certs {
			if !slices.ContainsFunc(next, cert.Equal) {
				former = append(former, cert)
			}
		}
	}
	k.CA, k.Former = inPEM(next), nil
	if len(former) > 0 {
		k.Former = inPEM(former)
	}
}
