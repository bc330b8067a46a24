package credentials

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
)

// Kept is all that a client keeps of its identity, as it was at one moment.
type Kept struct {
	Key         []byte    `json:"key,omitempty"`         // PEM; made here, never sent
	Certificate []byte    `json:"certificate,omitempty"` // PEM, the client's own first
	CA          []byte    `json:"ca,omitempty"`          // PEM, the site's authorities
	Former      []byte    `json:"former,omitempty"`      // PEM, authorities of before, believed until one of CA was met
	Trust       []byte    `json:"trust,omitempty"`       // the signed trust document
	Relay       string    `json:"relay,omitempty"`       // where the client enrolled
	Enrolled    time.Time `json:"enrolled,omitzero"`
	NextSerial  uint64    `json:"next_serial,omitempty"` // that the enrolment's answer named
	Ended       string    `json:"ended,omitempty"`       // code with which the site ended the certificate
	Pending     *Pending  `json:"pending,omitempty"`     // what was asked for and not answered yet
}

// Pending is a request for a certificate that was begun: its answer may be lost, and comes again for the same key.
type Pending struct {
	Key      []byte `json:"key"`                // PEM
	Token    string `json:"token,omitempty"`    // id of the enrolment token; empty for a renewal
	Approval string `json:"approval,omitempty"` // id under which a person has to approve it
}

// Store keeps a client's credentials.
type Store interface {
	// Load returns what was saved last; nothing when nothing was.
	Load() (Kept, error)
	// Save keeps all of it, or nothing, and returns once it is on disk.
	Save(Kept) error
}

// newKey makes a key in PEM.
func newKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// readKey reads a key that newKey made.
func readKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no key in PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("no key in PKCS #8") // the parser's words may quote it
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("no P-256 key")
	}
	return private, nil
}

// request is a certificate request for a key. Only its key counts: the site knows whom it is for by other ways.
func request(key *ecdsa.PrivateKey, client smx.ClientID) (string, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{Subject: pkix.Name{CommonName: client.String()}}, key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}

// certificatesIn reads certificates in PEM, at least one, and refuses anything else beside them.
func certificatesIn(text []byte) (certs []*x509.Certificate, err error) {
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("it holds something that is no certificate in PEM")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read a certificate: %w", err)
		}
		certs, text = append(certs, cert), rest
	}
	if len(certs) == 0 {
		return nil, errors.New("it holds no certificate")
	}
	return certs, nil
}

// inPEM writes certificates.
func inPEM(certs []*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, cert := range certs {
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}) // a buffer takes everything
	}
	return out.Bytes()
}

func poolOf(certs []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, cert := range certs {
		pool.AddCert(cert)
	}
	return pool
}

// owner is whom a certificate names.
type owner struct {
	site   string
	client smx.ClientID
}

// ownerOf reads whom a client's certificate names: urn:statewire:SITE:client:UUID, and nobody else beside.
func ownerOf(leaf *x509.Certificate) (owner, error) {
	if len(leaf.URIs) != 1 || len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses) > 0 {
		return owner{}, errors.New("the certificate does not name one client")
	}
	parts := strings.Split(leaf.URIs[0].String(), ":")
	if len(parts) != 5 || parts[0] != "urn" || parts[1] != "statewire" || parts[2] == "" || parts[3] != "client" {
		return owner{}, fmt.Errorf("the certificate is not a client's but that of %.100q", leaf.URIs[0].String())
	}
	id, err := uuid.Parse(parts[4])
	if err != nil || id.String() != parts[4] || id == uuid.Nil {
		return owner{}, fmt.Errorf("the certificate names %.100q, which is no client id", parts[4])
	}
	return owner{site: parts[2], client: smx.ClientID(id)}, nil
}
