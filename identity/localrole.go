package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/internal/control"
	"statewire/internal/durable"
	"statewire/trust"
)

// localRole is the name of a role that runs on the site's own machine as a user of its own.
const localRole = "local"

// isLocalRole says whether a caller's key names such a role.
func isLocalRole(key string) bool {
	return strings.HasPrefix(key, "role:") && strings.HasSuffix(key, ":"+localRole)
}

// mostLocalHosts bounds the names in its certificate: those of this machine, and those that it was told.
const mostLocalHosts = 128

// IssueRole gives a role that runs on the site's own machine, as a user of its own, a certificate for a key that only
// this user has. Who asks says the system, not the request.
func (s *Service) IssueRole(ctx context.Context, in trust.RenewRequest) (trust.RenewAnswer, error) {
	peer, ok := control.PeerOf(ctx)
	if !ok || !slices.Contains(RoleKinds, peer.Role) {
		return trust.RenewAnswer{}, refuse(CodeUnknown, "only the user of a role may ask for its certificate")
	}
	key, keyHash, err := readCSR(in.CSR)
	if err != nil {
		return trust.RenewAnswer{}, err
	}
	for _, host := range in.Hosts {
		if !validName(host) || len(in.Hosts) > mostLocalHosts {
			return trust.RenewAnswer{}, refuse(CodeBadRequest, "hosts are at most 128 host names and IP addresses")
		}
	}
	caller := Caller{Site: s.site.ID(), Role: peer.Role, Name: localRole}
	finish, err := s.note(ctx, audit.Action{Actor: control.Actor(ctx), Role: peer.Role, Action: "role.certificate",
		Object: caller.Key()})
	if err != nil {
		return trust.RenewAnswer{}, err
	}
	c, err := s.issueRole(caller, key, keyHash, in.Hosts)
	finish(audit.Outcome(err))
	if err != nil {
		return trust.RenewAnswer{}, err
	}
	return trust.RenewAnswer{Certificate: string(c.PEM), CA: string(s.site.authority().bundle()),
		NotAfter: c.NotAfter}, nil
}

func (s *Service) issueRole(caller Caller, key any, keyHash [sha256.Size]byte, hosts []string) (c issued, err error) {
	now := s.now()
	err = s.db.Update(func(tx *bbolt.Tx) error {
		name := []byte(caller.Key())
		h, known, err := get[holder](tx, bucketHolders, name)
		if err != nil {
			return err
		}
		if h.Revoked != nil {
			return refuse(CodeRevoked, "%s was revoked", name)
		}
		if c, err = s.sign(tx, issued{}, caller, key, keyHash, hosts, now); err != nil {
			return err
		}
		if !known {
			h = holder{Role: caller.Role, Name: caller.Name, Enrolled: now.UTC()}
		}
		h.Newest, h.NotAfter = s.number(tx), c.NotAfter
		return put(tx, bucketHolders, name, h)
	})
	return c, err
}

// RoleAuthority gives the certificates of roles; a Remote is one.
type RoleAuthority interface {
	IssueRole(ctx context.Context, in trust.RenewRequest) (trust.RenewAnswer, error)
}

// RoleFile is where a role that runs as a user of its own has its certificate and key.
func RoleFile(dir, role string) string { return filepath.Join(dir, role, serverFile) }

// RefreshRole has a role's certificate issued when there is none, when two thirds of its life are over, or when another
// authority is in force, or when it lacks a name that it was told. Its key is made here, and is nobody else's to read.
func RefreshRole(ctx context.Context, dir, role string, told []string, authority RoleAuthority, now time.Time) error {
	path := RoleFile(dir, role)
	hosts, err := serverNames(told)
	if err != nil {
		return err
	}
	pair, err := loadPair(path)
	if err == nil && roleFresh(dir, pair, told, now) {
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) && errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("read the certificate of role %s: %w", role, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return err
	}
	csr := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	answer, err := authority.IssueRole(ctx, trust.RenewRequest{CSR: string(csr), Hosts: hosts})
	if err != nil {
		return fmt.Errorf("ask for the certificate of role %s: %w", role, err)
	}
	keyText, err := keyPEM(key)
	if err != nil {
		return err
	}
	text := append([]byte(answer.Certificate), keyText...)
	made, err := tls.X509KeyPair(text, text)
	if err != nil || !roleFresh(dir, &made, told, now) {
		return fmt.Errorf("the certificate that came for role %s is not one for its key, of the authority in force",
			role)
	}
	if err := durable.Write(filepath.Dir(path), serverFile, tempPrefix, text, 0o400); err != nil {
		return fmt.Errorf("keep the certificate of role %s: %w", role, err)
	}
	return nil
}

// roleFresh says whether a role's certificate has the names that it was told, a third of its life left, and comes from
// the authority in force, which is the first of the file.
func roleFresh(dir string, pair *tls.Certificate, told []string, now time.Time) bool {
	authorities, err := readBundle(CAFile(dir))
	if err != nil || pair.Leaf.CheckSignatureFrom(authorities[0]) != nil {
		return false
	}
	for _, host := range told {
		if pair.Leaf.VerifyHostname(host) != nil {
			return false
		}
	}
	life := pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore)
	return !now.Before(pair.Leaf.NotBefore) && now.Before(pair.Leaf.NotBefore.Add(life*2/3))
}
