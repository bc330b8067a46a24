package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	serverLife    = 90 * 24 * time.Hour // renewed after two thirds
	backDate      = 5 * time.Minute     // a caller whose clock is late by this much still accepts a fresh certificate
)

// authority signs the site's certificates.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// newAuthority writes a fresh authority into dir.
func newAuthority(dir string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template, err := template("Statewire site authority", now, authorityLife)
	if err != nil {
		return err
	}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyText, err := keyPEM(key)
	if err != nil {
		return err
	}
	return errors.Join(writeFile(dir, caKeyFile, keyText, 0o600), writeFile(dir, caCertFile, certPEM(der), 0o644))
}

// loadAuthority reads the authority and refuses one that is expired, incomplete or open to others.
func loadAuthority(dir string, now time.Time) (*authority, error) {
	certPath, keyPath := filepath.Join(dir, caCertFile), filepath.Join(dir, caKeyFile)
	if err := private(keyPath); err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		return nil, fmt.Errorf("read the site's certificate authority (%s, %s): %w; restore both files from one backup",
			certPath, keyPath, err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("%s is not a certificate authority; restore it, or move the folder away to start a new one",
			certPath)
	}
	if now.After(pair.Leaf.NotAfter) || now.Before(pair.Leaf.NotBefore) {
		return nil, fmt.Errorf(
			"%s is valid from %s to %s and this machine's clock says %s; correct the clock, or move %s away to start a new "+
				"authority",
			certPath, pair.Leaf.NotBefore.Format(time.RFC3339), pair.Leaf.NotAfter.Format(time.RFC3339), now.UTC().Format(
				time.RFC3339), dir)
	}
	return &authority{cert: pair.Leaf, key: signer}, nil
}

// private refuses a key that other users of the machine can read.
func private(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing; restore it from the backup that holds %s", path, caCertFile)
	}
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%s is open to other users (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	return nil
}

// issueServer makes a key and a certificate for the listeners, and the text of the file that keeps both.
func (a *authority) issueServer(hosts []string, now time.Time) (*tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template, err := template("Statewire server", now, serverLife)
	if err != nil {
		return nil, nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	keyText, err := keyPEM(key)
	if err != nil {
		return nil, nil, err
	}
	text := slices.Concat(certPEM(der), certPEM(a.cert.Raw), keyText)
	pair, err := tls.X509KeyPair(text, text)
	return &pair, text, err
}

func template(name string, now time.Time, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-backDate),
		NotAfter:     now.Add(life),
	}, nil
}

// serverNames are the names of this machine for its own use and on its network, then those it was told.
func serverNames(told []string) ([]string, error) {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if host, err := os.Hostname(); err == nil && validName(host) {
		names = append(names, host)
	}
	for _, name := range told {
		if !validName(name) {
			return nil, fmt.Errorf("%q cannot stand in a certificate; allowed are host names and IP addresses", name)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// validName says whether a certificate can carry the name.
func validName(name string) bool {
	if net.ParseIP(name) != nil {
		return true
	}
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-_."
	return name != "" && len(name) <= 253 && strings.Trim(strings.TrimPrefix(strings.ToLower(name), "*."),
		allowed) == "" && !strings.HasPrefix(name, ".")
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}
