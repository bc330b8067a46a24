package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"statewire/internal/durable"

	"github.com/google/uuid"
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
	all  []*x509.Certificate // what ca.crt holds: the one in force, one that is staged, former ones
	site uuid.UUID
}

// newAuthority writes a fresh authority of a site into dir.
func newAuthority(dir string, site uuid.UUID, now time.Time) error {
	cert, key, err := makeAuthority(site, now)
	if err != nil {
		return err
	}
	return errors.Join(durable.Write(dir, caKeyFile, tempPrefix, key, 0o600),
		durable.Write(dir, caCertFile, tempPrefix, cert, 0o644))
}

// makeAuthority makes the certificate and the key of an authority, as PEM. The certificate says which site it is of.
func makeAuthority(site uuid.UUID, now time.Time) (cert, key []byte, err error) {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template, err := template("Statewire site authority", now, authorityLife)
	if err != nil {
		return nil, nil, err
	}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.URIs = []*url.URL{siteURN(site)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		return nil, nil, err
	}
	key, err = keyPEM(signer)
	return certPEM(der), key, err
}

func siteURN(site uuid.UUID) *url.URL {
	return &url.URL{Scheme: "urn", Opaque: urnPrefix + site.String()}
}

// siteOf is the id of the site whose authorities these are. The authority of an early version does not name it: then
// its key does.
func siteOf(authorities []*x509.Certificate) uuid.UUID {
	for _, cert := range authorities {
		for _, uri := range cert.URIs {
			if text, ok := strings.CutPrefix(uri.Opaque, urnPrefix); ok {
				if id, err := canonical(text); err == nil {
					return id
				}
			}
		}
	}
	sum := sha256.Sum256(authorities[0].RawSubjectPublicKeyInfo)
	return uuid.NewHash(sha256.New(), uuid.Nil, sum[:], 8)
}

// loadAuthority reads the authority and refuses one that is expired, incomplete or open to others. Of several
// certificates the one that belongs to the key is in force.
func loadAuthority(dir string, now time.Time) (*authority, error) {
	certPath, keyPath := filepath.Join(dir, caCertFile), filepath.Join(dir, caKeyFile)
	if err := private(keyPath); err != nil {
		return nil, err
	}
	broken := func(err error) error {
		return fmt.Errorf("read the site's certificate authority (%s, %s): %w; restore both files from one backup",
			certPath, keyPath, err)
	}
	key, err := readKey(keyPath)
	if err != nil {
		return nil, broken(err)
	}
	certs, err := readBundle(certPath)
	if err != nil {
		return nil, broken(err)
	}
	i := slices.IndexFunc(certs, func(cert *x509.Certificate) bool { return belongs(cert, key) })
	if i < 0 {
		return nil, broken(errors.New("the key belongs to none of the certificates"))
	}
	cert := certs[i]
	if !cert.IsCA {
		return nil, fmt.Errorf("%s is not a certificate authority; restore it, or move the folder away to start a new one",
			certPath)
	}
	if now.After(cert.NotAfter) || now.Before(cert.NotBefore) {
		return nil, fmt.Errorf(
			"%s is valid from %s to %s and this machine's clock says %s; correct the clock, or move %s away to start a new "+
				"authority",
			certPath, cert.NotBefore.Format(time.RFC3339), cert.NotAfter.Format(time.RFC3339),
			now.UTC().Format(time.RFC3339), dir)
	}
	return &authority{cert: cert, key: key, all: certs, site: siteOf(certs)}, nil
}

func belongs(cert *x509.Certificate, key crypto.Signer) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(cert.PublicKey)
}

// readKey reads a private key from a PEM file.
func readKey(path string) (crypto.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(text)
	for block != nil && block.Type != "PRIVATE KEY" {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("the file holds no key in PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key cannot sign")
	}
	return signer, nil
}

// private refuses a key that other users of the machine can read.
func private(path string) error {
	err := durable.Private(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing; restore it from the backup that holds %s", path, caCertFile)
	}
	return err
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
	addHosts(template, hosts)
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

func addHosts(template *x509.Certificate, hosts []string) {
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
}

// issue signs a certificate for a caller's key, who has its number already. A role's certificate is also one of a
// server with the names hosts.
func (a *authority) issue(caller Caller, key crypto.PublicKey, hosts []string, now time.Time,
	life time.Duration) ([]byte, time.Time, error) {
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetUint64(caller.Number),
		Subject:      pkix.Name{CommonName: caller.Key()},
		URIs:         []*url.URL{caller.urn()},
		NotBefore:    now.Add(-backDate),
		NotAfter:     now.Add(life).Truncate(time.Second),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if template.NotAfter.After(a.cert.NotAfter) {
		template.NotAfter = a.cert.NotAfter
	}
	if !caller.IsClient() {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		addHosts(template, hosts)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key)
	if err != nil {
		return nil, time.Time{}, err
	}
	return slices.Concat(certPEM(der), certPEM(a.cert.Raw)), template.NotAfter, nil
}

// bundle is every authority to believe, the one in force first, as PEM.
func (a *authority) bundle() []byte {
	text := certPEM(a.cert.Raw)
	for _, cert := range a.all {
		if !cert.Equal(a.cert) {
			text = append(text, certPEM(cert.Raw)...)
		}
	}
	return text
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

// mostAddresses bounds the addresses of this machine in its certificate: a host of containers has hundreds.
const mostAddresses = 16

// ownAddresses are the addresses under which other machines may reach this one.
func ownAddresses() (list []string) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && network.IP.IsGlobalUnicast() && len(list) < mostAddresses {
			list = append(list, network.IP.String())
		}
	}
	return list
}

// ValidHost says what is wrong with a name or address that is to stand in a certificate.
func ValidHost(name string) error {
	if !validName(name) {
		return fmt.Errorf("%.80q cannot stand in a certificate; allowed are host names and IP addresses", name)
	}
	return nil
}

// serverNames are the names and addresses of this machine for its own use and on its network, then those it was told.
func serverNames(told []string) ([]string, error) {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if host, err := os.Hostname(); err == nil && validName(host) {
		names = append(names, host)
	}
	for _, address := range ownAddresses() {
		if !slices.Contains(names, address) {
			names = append(names, address)
		}
	}
	for _, name := range told {
		if err := ValidHost(name); err != nil {
			return nil, err
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
