// Package identity says who is calling and proves who answers: a site makes its own
// certificate authority and server certificate on first start, and refuses what it does not know.
package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"statewire/internal/durable"

	"github.com/google/uuid"
)

// Names of the files in the identity folder.
const (
	caCertFile = "ca.crt" // the authority's certificate; anybody may have it
	caKeyFile  = "ca.key" // the authority's key; never leaves the folder
	// the server's certificate, the authority's, and the server's key, so that a pair is replaced in one rename
	serverFile = "server.pem"
	tempPrefix = ".identity-"
)

// Options are what Open may be told; the zero value will do.
type Options struct {
	Hosts []string         // further names and addresses the server certificate is valid for
	Log   *slog.Logger     // nil discards
	Clock func() time.Time // nil is time.Now
}

// Site is a site's own certificate authority and its server certificate, which is renewed while it is in use.
type Site struct {
	// Constant after Open.
	dir   string
	hosts []string
	log   *slog.Logger
	now   func() time.Time

	ca       atomic.Pointer[authority] // replaced when another one is staged or in force
	renewing sync.Mutex
	server   atomic.Pointer[tls.Certificate]
}

// Open reads the site's certificates from dir, and makes them when dir does not exist. Two processes
// may open the same folder at once; both end with the same authority.
func Open(dir string, opt Options) (*Site, error) {
	hosts, err := serverNames(opt.Hosts)
	if err != nil {
		return nil, err
	}
	s := &Site{dir: dir, hosts: hosts, log: opt.Log, now: opt.Clock}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if err := s.create(); err != nil {
		return nil, fmt.Errorf("make the site's certificates: %w", err)
	}
	ca, err := loadAuthority(dir, s.now())
	if err != nil {
		return nil, err
	}
	s.ca.Store(ca)
	if pair, err := loadPair(filepath.Join(dir, serverFile)); err == nil && s.ours(pair) && s.fresh(pair) {
		s.server.Store(pair)
		return s, nil
	}
	if err := s.renew(); err != nil {
		return nil, err
	}
	return s, nil
}

// create makes a complete folder beside dir and moves it to its place in one step; a folder that exists stays as it is.
func (s *Site) create() error {
	s.sweep()
	// In this order: the folder of another process comes whole, and may come between the two looks.
	if entries, err := os.ReadDir(s.dir); err == nil && len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(s.dir, caCertFile)); err == nil {
			return nil
		}
		return fmt.Errorf("%s holds files but no %s: restore it, or move the folder away to start a new authority", s.dir,
			caCertFile)
	}
	if err := os.MkdirAll(filepath.Dir(s.dir), 0o700); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(s.dir), tempPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // after the move there is nothing left to remove
	if err := newAuthority(tmp, uuid.New(), s.now()); err != nil {
		return err
	}
	if err := os.Rename(tmp, s.dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	s.log.Info("site certificate authority made", "folder", s.dir)
	return durable.SyncFolder(filepath.Dir(s.dir))
}

// sweep removes what a start that was killed left behind; an hour is longer than any start that still runs.
func (s *Site) sweep() {
	for _, pattern := range []string{s.dir + "/" + tempPrefix + "*", filepath.Dir(s.dir) + "/" + tempPrefix + "*"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			continue // a folder name that is a bad pattern: nothing to find by it
		}
		for _, path := range paths {
			if info, err := os.Stat(path); err == nil && s.now().Sub(info.ModTime()) > time.Hour {
				os.RemoveAll(path)
			}
		}
	}
}

// authority is the one in force.
func (s *Site) authority() *authority { return s.ca.Load() }

// ID is the site's id. It stays when the authority changes.
func (s *Site) ID() uuid.UUID { return s.authority().site }

// reload reads the authority again, and issues the server certificate anew if another one is in force.
func (s *Site) reload() error {
	ca, err := loadAuthority(s.dir, s.now())
	if err != nil {
		return err
	}
	s.ca.Store(ca)
	if s.ours(s.server.Load()) {
		return nil
	}
	s.server.Store(nil)
	return s.renew()
}

// Certificate is the server certificate at this moment, for tls.Config.GetCertificate.
func (s *Site) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	pair := s.server.Load()
	if pair != nil && s.fresh(pair) {
		return pair, nil
	}
	if err := s.renew(); err != nil {
		s.log.Error("server certificate not renewed", "err", err)
	}
	return s.server.Load(), nil
}

// renew issues the next server certificate and keeps it on disk; without the disk it still serves this process.
func (s *Site) renew() error {
	s.renewing.Lock()
	defer s.renewing.Unlock()
	if pair := s.server.Load(); pair != nil && s.fresh(pair) {
		return nil
	}
	pair, text, err := s.authority().issueServer(s.hosts, s.now())
	if err != nil {
		return fmt.Errorf("issue the server certificate: %w", err)
	}
	s.server.Store(pair)
	s.log.Info("server certificate issued", "names", s.hosts, "until", pair.Leaf.NotAfter)
	return durable.Write(s.dir, serverFile, tempPrefix, text, 0o600)
}

// ours says whether a pair from the disk comes from this authority and covers every name. Neither changes while the
// pair is in use.
func (s *Site) ours(pair *tls.Certificate) bool {
	if pair.Leaf.CheckSignatureFrom(s.authority().cert) != nil {
		return false
	}
	for _, host := range s.hosts {
		if pair.Leaf.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}

// fresh says whether the pair has a third of its life left. Every handshake asks it.
func (s *Site) fresh(pair *tls.Certificate) bool {
	leaf, now := pair.Leaf, s.now()
	return !now.Before(leaf.NotBefore) && now.Before(leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore)*2/3))
}

// Pool holds the authority's certificate, for callers that want to verify the site.
func (s *Site) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.authority().cert)
	return pool
}

// CAFile is the path of the authority's certificate in PEM, to hand to clients and to curl.
func (s *Site) CAFile() string { return CAFile(s.dir) }

// CAFile is the path of the authority's certificate in the identity folder dir.
func CAFile(dir string) string { return filepath.Join(dir, caCertFile) }

// ServerFile is the path of the server's certificate and key, which the identity role renews.
func ServerFile(dir string) string { return filepath.Join(dir, serverFile) }

// Trusted is what clients are told to believe: the authorities, as PEM.
func Trusted(dir string) ([]byte, error) {
	text, err := os.ReadFile(CAFile(dir))
	if err != nil {
		return nil, err
	}
	_, err = parseBundle(text)
	return text, err
}

// ServerTLS is what every listener of the site starts from: TLS 1.3 and nothing older.
func ServerTLS(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: certificate}
}
