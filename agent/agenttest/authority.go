package agenttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/trust"
)

// Authority is a site that gives certificates to clients, small but real: its relay is behind TLS, its certificates and
// trust documents are signed, and the same token with the same key gets the same bytes.
type Authority struct {
	t    testing.TB
	Keys *trust.Keys
	Site uuid.UUID
	Next http.Handler // what else its relay answers, to clients with a certificate; nil answers 202 with a receipt

	// Guarded by Mu.
	Mu        sync.Mutex
	CA        []*CertAuthority // the first one issues; all are in the bundle
	Now       func() time.Time // the site's clock
	Life      time.Duration
	Serial    uint64 // next_serial of an enrolment
	Enrolled  []trust.EnrollRequest
	Renewed   []trust.RenewRequest
	Refuse    func(path string, attempt int) *Refusal // answers instead, when it returns one
	Lose      func(path string, attempt int) bool     // carries it out, and loses the answer
	Change    func(answer *trust.EnrollAnswer)        // falsifies what was issued
	Denied    map[string]bool                         // numbers of certificates that no handshake passes
	Callers   []string                                // numbers of the certificates shown, by request; "" = none
	answers   map[string]trust.EnrollAnswer           // by caller and key
	successor map[string]string                       // number by number of the one before
	used      map[string]bool                         // numbers that were shown
	attempts  map[string]int
	number    int64
}

// Refusal is an answer that is no certificate.
type Refusal struct {
	Status int
	After  int // seconds; 0 = no Retry-After
	Body   string
}

// CertAuthority signs certificates.
type CertAuthority struct {
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes a site's authority and its trust document.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t, Site: uuid.New(), Now: time.Now, Life: 60 * 24 * time.Hour, Serial: 1,
		Denied: map[string]bool{}, answers: map[string]trust.EnrollAnswer{}, successor: map[string]string{},
		used: map[string]bool{}, attempts: map[string]int{}, number: 100}
	var err error
	if a.Keys, err = trust.OpenKeys(filepath.Join(t.TempDir(), "trust"), trust.Options{}); err != nil {
		t.Fatal(err)
	}
	a.CA = []*CertAuthority{NewCertAuthority(t)}
	return a
}

// NewCertAuthority makes an authority alone.
func NewCertAuthority(t testing.TB) *CertAuthority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().AddDate(10, 0, 0),
		Subject: pkix.Name{CommonName: "test authority " + uuid.NewString()}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().AddDate(-1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &CertAuthority{Cert: cert, key: key}
}

// PEM is the authority's certificate.
func (c *CertAuthority) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Cert.Raw}))
}

// Bundle is the site's authorities in PEM.
func (a *Authority) Bundle() (text string) {
	for _, ca := range a.CA {
		text += ca.PEM()
	}
	return text
}

// Token is a fresh token of the site. It is good for any number of clients.
func (a *Authority) Token() trust.Token {
	return trust.NewToken(trust.PinOf(a.CA[0].Cert, a.Keys.RootIDs()))
}

// Trust is the site's trust document.
func (a *Authority) Trust() []byte {
	envelope, err := a.Keys.Document()
	if err != nil {
		a.t.Error(err)
	}
	return envelope
}

// Sign issues a certificate for a key; template says all else.
func (c *CertAuthority) Sign(t testing.TB, template *x509.Certificate, key any) []byte {
	der, err := x509.CreateCertificate(rand.Reader, template, c.Cert, key, c.key)
	if err != nil {
		t.Error(err)
	}
	return der
}

// Listen starts the site's relay, whose certificate is valid for localhost and 127.0.0.1, and returns its address.
func (a *Authority) Listen() string {
	a.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		a.t.Fatal(err)
	}
	server := &http.Server{Handler: a, ErrorLog: log.New(io.Discard, "", 0)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequestClientCert,
			GetCertificate:   func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return a.server() },
			VerifyConnection: a.verify}))
	}()
	a.t.Cleanup(func() { server.Close(); <-ended })
	return "https://" + ln.Addr().String()
}

// verify lets no revoked certificate through a handshake.
func (a *Authority) verify(state tls.ConnectionState) error {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	if len(state.PeerCertificates) > 0 && a.Denied[state.PeerCertificates[0].SerialNumber.String()] {
		return errors.New("the certificate was revoked")
	}
	return nil
}

// server is the relay's certificate, from the first authority, with its chain.
func (a *Authority) server() (*tls.Certificate, error) {
	cert := a.Certificate(&x509.Certificate{DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	return &cert, nil
}

// Certificate is a server's, from the first authority, with its chain, for the names of template.
func (a *Authority) Certificate(template *x509.Certificate) tls.Certificate {
	a.Mu.Lock()
	ca := a.CA[0]
	a.Mu.Unlock()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Error(err)
		return tls.Certificate{}
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().AddDate(-1, 0, 0), time.Now().AddDate(5, 0, 0)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return tls.Certificate{Certificate: [][]byte{ca.Sign(a.t, template, key.Public()), ca.Cert.Raw}, PrivateKey: key}
}

// ServeHTTP is the site's relay.
func (a *Authority) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	a.Mu.Lock()
	path := req.URL.Path
	attempt := a.attempts[path]
	a.attempts[path]++
	caller := ""
	if len(req.TLS.PeerCertificates) > 0 {
		caller = req.TLS.PeerCertificates[0].SerialNumber.String()
	}
	a.Callers = append(a.Callers, caller)
	if a.Refuse != nil {
		if refusal := a.Refuse(path, attempt); refusal != nil {
			a.Mu.Unlock()
			refusal.write(w)
			return
		}
	}
	var answer any
	var refusal *Refusal
	switch path {
	case "/mp/enroll":
		answer, refusal = a.enroll(body)
	case "/mp/renew":
		answer, refusal = a.renew(body, req.TLS.PeerCertificates)
	default:
		refusal = a.admit(req.TLS.PeerCertificates)
	}
	if refusal == nil && caller != "" && path != "/mp/renew" {
		a.used[caller] = true
	}
	lost := a.Lose != nil && a.Lose(path, attempt)
	a.Mu.Unlock()
	switch {
	case lost:
		panic(http.ErrAbortHandler)
	case refusal != nil:
		refusal.write(w)
	case answer != nil:
		_ = json.NewEncoder(w).Encode(answer)
	case a.Next != nil:
		a.Next.ServeHTTP(w, withBody(req, body))
	default:
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"receipt":"r"}`)
	}
}

func withBody(req *http.Request, body []byte) *http.Request {
	again := req.Clone(req.Context())
	again.Body = io.NopCloser(strings.NewReader(string(body)))
	return again
}

func (r *Refusal) write(w http.ResponseWriter) {
	if r.After > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(r.After))
	}
	w.WriteHeader(r.Status)
	fmt.Fprint(w, r.Body)
}

// admit refuses a caller without a certificate, and one whose certificate expired.
func (a *Authority) admit(shown []*x509.Certificate) *Refusal {
	switch {
	case len(shown) == 0:
		return &Refusal{Status: 401, Body: `{"code":"no_identity","retry":true}`}
	case a.Now().After(shown[0].NotAfter):
		return &Refusal{Status: 401, Body: `{"code":"certificate_expired","retry":true}`}
	}
	return nil
}

func (a *Authority) enroll(body []byte) (any, *Refusal) {
	var request trust.EnrollRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, &Refusal{Status: 400, Body: `{"code":"bad_request"}`}
	}
	a.Enrolled = append(a.Enrolled, request)
	return a.issue(request.Token, request.CSR, request.ClientID, "", a.Serial)
}

func (a *Authority) renew(body []byte, shown []*x509.Certificate) (any, *Refusal) {
	var request trust.RenewRequest
	if err := json.Unmarshal(body, &request); err != nil || len(shown) == 0 {
		return nil, &Refusal{Status: 401, Body: `{"code":"no_identity","retry":true}`}
	}
	a.Renewed = append(a.Renewed, request)
	number := shown[0].SerialNumber.String()
	if next := a.successor[number]; a.used[next] {
		return nil, &Refusal{Status: 403, Body: `{"code":"superseded","detail":"its successor is in use"}`}
	}
	parts := strings.Split(shown[0].URIs[0].String(), ":")
	answer, refusal := a.issue("renew "+number, request.CSR, "GUID:"+strings.ToUpper(parts[4]), number, 0)
	answer.ClientID = ""
	return answer, refusal
}

func (a *Authority) issue(caller, csrText, client, before string, serial uint64) (trust.EnrollAnswer, *Refusal) {
	block, _ := pem.Decode([]byte(csrText))
	if block == nil {
		return trust.EnrollAnswer{}, &Refusal{Status: 400, Body: `{"code":"bad_csr"}`}
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil {
		return trust.EnrollAnswer{}, &Refusal{Status: 400, Body: `{"code":"bad_csr"}`}
	}
	id := caller + fmt.Sprintf("%x", sha256.Sum256(csr.RawSubjectPublicKeyInfo))
	answer, known := a.answers[id]
	if !known {
		a.number++
		leaf := a.Template(client)
		leaf.SerialNumber = big.NewInt(a.number)
		if before != "" {
			a.successor[before] = leaf.SerialNumber.String()
		}
		der := a.CA[0].Sign(a.t, leaf, csr.PublicKey)
		answer = trust.EnrollAnswer{ClientID: client, NextSerial: serial, NotAfter: leaf.NotAfter, Trust: a.Trust(),
			Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) + a.CA[0].PEM(), CA: a.Bundle()}
		a.answers[id] = answer
	}
	if a.Change != nil {
		a.Change(&answer)
	}
	return answer, nil
}

// Template is a client's certificate.
func (a *Authority) Template(client string) *x509.Certificate {
	name := strings.ToLower(strings.TrimPrefix(client, "GUID:"))
	now := a.Now()
	return &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: client},
		NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(a.Life), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		URIs:        []*url.URL{{Scheme: "urn", Opaque: "statewire:" + a.Site.String() + ":client:" + name}}}
}

// Seen are the certificates that requests showed, in order.
func (a *Authority) Seen() []string {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	return slices.Clone(a.Callers)
}
