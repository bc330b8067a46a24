// Package identity says who is calling and proves who answers: a site makes its own
// certificate authority and server certificate on first start, and refuses what it does not know.
package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// Options are what Open may be told; the zero value will do.
type Options struct {
	Hosts []string         // further names and addresses the server certificate is valid for
	Clock func() time.Time // nil is time.Now
}

// Site is a site's own certificate authority and its server certificate.
type Site struct{}

// Open reads the site's certificates from dir and makes them when there are none.
func Open(dir string, opt Options) (*Site, error) { return nil, errors.New("identity: not built yet") }

// Certificate is the server certificate at this moment, for tls.Config.GetCertificate.
func (s *Site) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }

// Pool holds the authority's certificate, for callers that want to verify the site.
func (s *Site) Pool() *x509.CertPool { return nil }

// CAFile is the path of the authority's certificate in PEM, to hand to clients and to curl.
func (s *Site) CAFile() string { return "" }

// Files is a certificate that somebody else issues and renews on disk.
type Files struct{}

// OpenFiles reads a certificate chain and its key from PEM files; a renewed pair is taken within a minute.
func OpenFiles(cert, key string, clock func() time.Time) (*Files, error) {
	return nil, errors.New("identity: not built yet")
}

// Certificate is the pair at this moment, for tls.Config.GetCertificate.
func (f *Files) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
