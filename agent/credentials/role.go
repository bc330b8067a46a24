package credentials

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"statewire/agent/transport"
	"statewire/internal/backoff"
	"statewire/internal/durable"
	"statewire/internal/parse"
	"statewire/trust"
)

// Names of the files of a role on another machine than its site's.
const (
	RolePairFile = "role.pem" // the certificate with its chain, and the key: both change in one rename
	RoleCAFile   = "ca.pem"
	roleState    = "role.json"
	roleNextKey  = "next.pem" // the key of a request whose answer is not here yet
)

// Role is a relay, notifier, fallback status point or child site on another machine: what its certificate says of it,
// and where it was given.
type Role struct {
	Relay    string    `json:"relay"`
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Hosts    []string  `json:"hosts,omitempty"`
	NotAfter time.Time `json:"not_after"`
	RenewAt  time.Time `json:"renew_at"`
}

// EnrollRole gets a role its first certificate, into a folder. The key is made there and never leaves it; asking again
// with the same token gets what a lost answer said.
func EnrollRole(ctx context.Context, dir string, r Role, token trust.Token, tell func(Progress)) (Role, error) {
	if _, err := os.Lstat(filepath.Join(dir, RolePairFile)); !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%s has a certificate already; `statewire role renew` renews it, or name another folder", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, err
	}
	key, csr, err := roleKey(dir)
	if err != nil {
		return r, err
	}
	got, err := untilIssued(ctx, tell, func() transport.Issue {
		return transport.Enroll(ctx, r.Relay, token.Pin, trust.EnrollRequest{Token: token.String(), CSR: csr,
			RoleName: r.Name, Hosts: r.Hosts}, time.Now)
	})
	if err != nil {
		return r, err
	}
	authorities, err := certificatesIn([]byte(got.CA))
	if err != nil {
		return r, badRoleAnswer(fmt.Errorf("the authorities in the answer: %w", err))
	}
	pinned := slices.DeleteFunc(slices.Clone(authorities), func(cert *x509.Certificate) bool {
		return sha256.Sum256(cert.RawSubjectPublicKeyInfo) != token.Pin.CA
	})
	if _, err := trust.First(got.Trust, token.Pin.Roots); err != nil {
		return r, badRoleAnswer(err)
	}
	return r.keep(dir, key, got.Certificate, pinned, authorities)
}

// RenewRole gets a role its next certificate, over the one it has. One that is not due is left alone, unless now says
// otherwise.
func RenewRole(ctx context.Context, dir string, now bool, clock func() time.Time, tell func(Progress)) (r Role,
	renewed bool, err error) {
	r, pair, had, err := readRole(dir)
	if err != nil {
		return r, false, fmt.Errorf("read the role's certificate: %w", err)
	}
	if !now && clock().Before(r.RenewAt) {
		return r, false, nil
	}
	u, err := parse.URL(r.Relay, "https")
	if err != nil {
		return r, false, fmt.Errorf("the relay in %s: %w", filepath.Join(dir, roleState), err)
	}
	key, csr, err := roleKey(dir)
	if err != nil {
		return r, false, err
	}
	// The clock has no part in whether the relay is the site's, as little as for a client that woke up late.
	base := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: poolOf(had), ServerName: u.Hostname(), Time: clock,
		Certificates: []tls.Certificate{pair}}
	sender, err := transport.NewSender(r.Relay, base, 1)
	if err != nil {
		return r, false, err
	}
	defer sender.Close()
	got, err := untilIssued(ctx, tell, func() transport.Issue {
		return sender.Renew(ctx, trust.RenewRequest{CSR: csr, Hosts: r.Hosts})
	})
	if err != nil {
		return r, false, err
	}
	authorities, err := certificatesIn([]byte(got.CA))
	if err != nil || !slices.ContainsFunc(authorities, func(cert *x509.Certificate) bool {
		return slices.ContainsFunc(had, cert.Equal)
	}) {
		return r, false, badRoleAnswer(fmt.Errorf("it names none of the authorities known here (%v)", err))
	}
	r, err = r.keep(dir, key, got.Certificate, authorities, authorities)
	return r, err == nil, err
}

// untilIssued asks until there is a certificate, ctx ends, or the site refuses for good.
func untilIssued(ctx context.Context, tell func(Progress), ask func() transport.Issue) (trust.EnrollAnswer, error) {
	for failures := 0; ; failures++ {
		got := ask()
		wait := Progress{Pending: got.Answer.Pending, Wait: backoff.Pause(failures, min(got.After, time.Hour))}
		switch got.Outcome {
		case transport.Accepted:
			return got.Answer, nil
		case transport.Refused:
			refusal := &Refusal{Code: got.Code, Reason: got.Detail}
			if got.Err != nil {
				refusal.Reason = got.Reason()
			}
			return got.Answer, refusal
		case transport.Idle:
			failures = 0
		default:
			if transport.CertificateRefused(got.Err) {
				return got.Answer, &Refusal{Code: "certificate_refused", Reason: "the relay does not take the role's " +
					"certificate: it was revoked, or ended longer ago than identity.renew_grace; enrol anew, into another folder"}
			}
			wait.Problem = got.Reason()
		}
		tell(wait)
		if backoff.Sleep(ctx, wait.Wait) != nil {
			return got.Answer, fmt.Errorf("no certificate in time; the last attempt: %s", got.Reason())
		}
	}
}

// roleKey is the key that was asked for before, or a new one that is on disk when it returns, and its request.
func roleKey(dir string) (*ecdsa.PrivateKey, string, error) {
	path := filepath.Join(dir, roleNextKey)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = newKey(); err == nil {
			err = durable.Write(dir, roleNextKey, tempPrefix, text, 0o600)
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("make a key: %w", err)
	}
	key, err := readKey(text)
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w; remove it and try again", path, err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), err
}

// keep checks what came against the authorities to be believed, the key and the role, and puts it into the folder. The
// pair comes last but for the key that is not needed any more: a role that has it has the rest.
func (r Role) keep(dir string, key *ecdsa.PrivateKey, text string, by, authorities []*x509.Certificate) (Role, error) {
	chain, err := certificatesIn([]byte(text))
	if err != nil {
		return r, badRoleAnswer(fmt.Errorf("the certificate in the answer: %w", err))
	}
	leaf := chain[0]
	if public, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(key.Public()) {
		return r, badRoleAnswer(errors.New("the certificate in the answer is for another key"))
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: poolOf(by), Intermediates: poolOf(chain[1:]),
		CurrentTime: leaf.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return r, badRoleAnswer(fmt.Errorf("the certificate in the answer is not the site's: %w", err))
	}
	if len(leaf.URIs) != 1 || !strings.HasSuffix(leaf.URIs[0].String(), ":role:"+r.Kind+":"+r.Name) {
		return r, badRoleAnswer(fmt.Errorf("the certificate in the answer is not one of %s %s: the token decides of which "+
			"kind it is", r.Kind, r.Name))
	}
	keyText, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return r, err
	}
	pair := append([]byte(text), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyText})...)
	r.NotAfter = leaf.NotAfter
	r.RenewAt = leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) * 2 / 3)
	state, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return r, err
	}
	return r, errors.Join(durable.Write(dir, RoleCAFile, tempPrefix, inPEM(authorities), 0o644),
		durable.Write(dir, roleState, tempPrefix, append(state, '\n'), 0o644),
		durable.Write(dir, RolePairFile, tempPrefix, pair, 0o400),
		os.Remove(filepath.Join(dir, roleNextKey)))
}

func badRoleAnswer(err error) error {
	code := "bad_answer"
	if errors.Is(err, trust.ErrWrong) {
		code = trust.ErrWrong.Error()
	}
	return &Refusal{Code: code, Reason: err.Error()}
}

// readRole is what EnrollRole kept.
func readRole(dir string) (r Role, pair tls.Certificate, authorities []*x509.Certificate, err error) {
	text, err := os.ReadFile(filepath.Join(dir, roleState))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return r, pair, nil, err
	}
	path := filepath.Join(dir, RolePairFile)
	if pair, err = tls.LoadX509KeyPair(path, path); err != nil {
		return r, pair, nil, err
	}
	if text, err = os.ReadFile(filepath.Join(dir, RoleCAFile)); err != nil {
		return r, pair, nil, err
	}
	authorities, err = certificatesIn(text)
	return r, pair, authorities, err
}
