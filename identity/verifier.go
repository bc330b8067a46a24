package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// rereadInterval is how often the authority's certificates and the denied ones are read again, whether or not the
// system says that they changed.
const rereadInterval = 10 * time.Second

// Verifier knows callers by their certificates. It needs nothing but files that hold no secret: the authority's
// certificates and the list of those denied.
type Verifier struct {
	// Constant after NewVerifier.
	dir   string
	grace time.Duration
	log   *slog.Logger
	now   func() time.Time

	known  atomic.Pointer[known]
	mu     sync.Mutex // held while reading
	readAt atomic.Int64
}

// known is what the files said at one reading.
type known struct {
	site   uuid.UUID
	pool   *x509.CertPool
	denied Denied
	text   DeniedText
	stamps [2]fs.FileInfo
}

// same says whether nothing was written between two looks at the files. Each write makes a new file: two of one size
// within a tick of the file system's clock differ in that alone.
func same(a, b [2]fs.FileInfo) bool {
	for i := range a {
		switch {
		case a[i] == nil || b[i] == nil:
			if a[i] != b[i] {
				return false
			}
		case !os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size():
			return false
		}
	}
	return true
}

// NewVerifier reads the identity folder of a site. A certificate that expired no longer than grace ago may still ask
// for its successor.
func NewVerifier(dir string, grace time.Duration, opt Options) (*Verifier, error) {
	v := &Verifier{dir: dir, grace: grace, log: opt.Log, now: opt.Clock}
	if v.log == nil {
		v.log = slog.New(slog.DiscardHandler)
	}
	if v.now == nil {
		v.now = time.Now
	}
	if err := v.read(); err != nil {
		return nil, err
	}
	return v, nil
}

// Refresh reads the files again if they changed; it is for whoever hears of a change.
func (v *Verifier) Refresh() error { return v.read() }

func (v *Verifier) read() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.readAt.Store(v.now().UnixNano())
	paths := [2]string{filepath.Join(v.dir, caCertFile), filepath.Join(v.dir, deniedFile)}
	var stamps [2]fs.FileInfo
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil {
			stamps[i] = info
		}
	}
	if had := v.known.Load(); had != nil && same(had.stamps, stamps) {
		return nil
	}
	site, pool, err := readAuthorities(paths[0])
	if err != nil {
		return err
	}
	denied, err := readDenied(paths[1])
	if err != nil {
		return err
	}
	v.known.Store(&known{site: site, pool: pool, denied: denied, text: deniedText(denied), stamps: stamps})
	return nil
}

// Denied is the list of denied certificates as it is on disk at this moment, for relays and notifiers of other
// machines.
func (v *Verifier) Denied() DeniedText {
	if err := v.read(); err != nil {
		v.log.Error("the list of denied certificates is not read, the former stays in force", "err", err)
	}
	return v.known.Load().text
}

// readAuthorities reads the site's authorities and the id of the site.
func readAuthorities(path string) (uuid.UUID, *x509.CertPool, error) {
	certs, err := readBundle(path)
	if err != nil {
		return uuid.Nil, nil, err
	}
	pool := x509.NewCertPool()
	for _, cert := range certs {
		pool.AddCert(cert)
	}
	return siteOf(certs), pool, nil
}

// readBundle reads every certificate of a PEM file, at least one.
func readBundle(path string) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	certs, err := parseBundle(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return certs, nil
}

func parseBundle(text []byte) (certs []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("it holds no certificate")
	}
	return certs, nil
}

// current is what the files said no longer than rereadInterval ago. Files that cannot be read leave what was known: a
// full disk must not make strangers of a fleet.
func (v *Verifier) current() *known {
	past := time.Duration(v.now().UnixNano() - v.readAt.Load())
	if past >= rereadInterval || past < 0 { // a clock that was set back is no reason to wait
		if err := v.read(); err != nil {
			v.log.Error("the list of denied certificates is not read, the former stays in force", "err", err)
		}
	}
	return v.known.Load()
}

// Verify refuses a handshake, new or resumed, with a certificate that is not this site's, or is denied. It is for
// VerifyConnection, which is called for both; VerifyPeerCertificate is not called for a resumed one. A caller without
// a certificate passes: what it may do decides the path that it asks for.
func (v *Verifier) Verify(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return nil
	}
	leaf, now := cs.PeerCertificates[0], v.now()
	caller, k, err := v.callerOf(leaf)
	if err != nil {
		return err
	}
	if now.After(leaf.NotAfter.Add(v.grace)) {
		return outOfTime(leaf, now)
	}
	between := x509.NewCertPool()
	for _, cert := range cs.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	// Within the grace, and before its life began, the chain is looked at as it is in the certificate's life: a clock
	// that was ahead when it was issued makes it one that begins later, and it can be renewed.
	at := now
	switch {
	case at.After(leaf.NotAfter):
		at = leaf.NotAfter
	case at.Before(leaf.NotBefore):
		at = leaf.NotBefore
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: k.pool, Intermediates: between, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return refuse(CodeUnknown, "the certificate is not one of this site's: %v", err)
	}
	return k.denies(caller)
}

// callerOf is whom the certificate names, if it has the form of this site's.
func (v *Verifier) callerOf(leaf *x509.Certificate) (Caller, *known, error) {
	k := v.current()
	caller, err := callerOf(leaf)
	if err == nil && caller.Site != k.site {
		err = fmt.Errorf("the certificate is of another site, %s", caller.Site)
	}
	if err == nil {
		err = strongKey(leaf.PublicKey)
	}
	if err != nil {
		return Caller{}, k, refuse(CodeUnknown, "%v", err)
	}
	return caller, k, nil
}

func (k *known) denies(caller Caller) error {
	if k.denied.Holds(caller) {
		return refuse(CodeRevoked, "the certificate of %s was revoked, or replaced by a new enrolment", caller.Key())
	}
	return nil
}

// Caller says who is behind a connection that Verify let pass, as things are now: its certificate may have been revoked
// or have expired since the handshake. Of an expired one both the caller and the refusal are told.
func (v *Verifier) Caller(cs *tls.ConnectionState) (Caller, error) {
	if cs == nil || len(cs.PeerCertificates) == 0 {
		return Caller{}, refuse(CodeNoIdentity, "no client certificate was shown")
	}
	leaf := cs.PeerCertificates[0]
	caller, k, err := v.callerOf(leaf)
	if err != nil {
		return Caller{}, err
	}
	if err := k.denies(caller); err != nil {
		return Caller{}, err
	}
	if now := v.now(); now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return caller, outOfTime(leaf, now)
	}
	return caller, nil
}

// Refusal is why a caller who was let in would not be any more: its certificate was revoked since, or its time is over.
// Connections that live for days are held against it.
func (v *Verifier) Refusal(caller Caller) error {
	if err := v.current().denies(caller); err != nil {
		return err
	}
	if now := v.now(); now.After(caller.NotAfter) {
		return refuse(CodeExpired, "the certificate was valid until %s and the site's clock says %s; renew it",
			caller.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

func outOfTime(leaf *x509.Certificate, now time.Time) *Refusal {
	return refuse(CodeExpired, "the certificate is valid from %s to %s and the site's clock says %s; renew it",
		leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339),
		now.UTC().Format(time.RFC3339))
}

// strongKey refuses kinds of keys that the site gives no certificates for.
func strongKey(key any) error {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return nil
		}
	case ed25519.PublicKey:
		return nil
	}
	return errors.New("its key is neither P-256 nor Ed25519")
}
