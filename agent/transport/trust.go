package transport

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// errPin is what a connection to a relay with another key ends with.
var errPin = errors.New("the relay's certificate chain holds no key with the pinned SHA-256: wrong relay, or its " +
	"authority was replaced and the pin must be")

// Trust returns the TLS settings towards a relay: TLS 1.3, the authority's certificates in PEM, and optionally a pin,
// the SHA-256 in hex of the subject public key info of a certificate in the verified chain. A pin without an authority
// is the whole trust and must be the relay's own; with neither the system's roots are trusted.
func Trust(authority []byte, pin string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS13}
	if len(authority) > 0 {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(authority) {
			return nil, errors.New("relay authority: no certificate in the PEM text")
		}
	}
	if pin == "" {
		return cfg, nil
	}
	want, err := hex.DecodeString(strings.ReplaceAll(pin, ":", ""))
	if err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("relay pin: want the %d hex digits of a SHA-256", 2*sha256.Size)
	}
	cfg.InsecureSkipVerify = cfg.RootCAs == nil
	// VerifyConnection runs on resumed sessions too; VerifyPeerCertificate would not.
	cfg.VerifyConnection = func(state tls.ConnectionState) error { return checkPin(state, want) }
	return cfg, nil
}

// checkPin looks only at certificates whose private key the peer, or the verified authority above it, must hold: what
// else a server sends along proves nothing.
func checkPin(state tls.ConnectionState, want []byte) error {
	chains := state.VerifiedChains
	if len(chains) == 0 && len(state.PeerCertificates) > 0 {
		chains = [][]*x509.Certificate{state.PeerCertificates[:1]}
	}
	for _, chain := range chains {
		for _, cert := range chain {
			if sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo); subtle.ConstantTimeCompare(sum[:], want) == 1 {
				return nil
			}
		}
	}
	return errPin
}
