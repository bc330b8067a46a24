package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"statewire/trust"
)

// machine is a client without an agent: it has a key, and says to the relay what a test wants.
type machine struct {
	t     *testing.T
	relay string
	key   *ecdsa.PrivateKey
	csr   string
	http  *http.Client
	pair  tls.Certificate // empty: it shows none
}

func newMachine(t *testing.T, s *server) *machine {
	t.Helper()
	m := &machine{t: t, relay: "https://" + s.relay()}
	m.http = newPoster(t, s.data, s.relay()).http
	config := m.http.Transport.(*http.Transport).TLSClientConfig
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &m.pair, nil }
	m.newKey()
	return m
}

func (m *machine) newKey() {
	var err error
	if m.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		m.t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, m.key)
	if err != nil {
		m.t.Fatal(err)
	}
	m.csr = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// post says something to a path, and returns the status, the code of a refusal, and the answer.
func (m *machine) post(path, body string) (status int, code string, header http.Header, text []byte) {
	m.t.Helper()
	resp, err := m.http.Post(m.relay+path, "application/xml", strings.NewReader(body))
	if err != nil {
		return 0, err.Error(), nil, nil
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(resp.Body); err != nil {
		m.t.Fatal(err)
	}
	var said struct{ Code string }
	_ = json.Unmarshal(text, &said) // what is no problem has no code
	return resp.StatusCode, said.Code, resp.Header, text
}

// enroll asks for a certificate, and shows it from then on when it got one.
func (m *machine) enroll(token, client string) (status int, code string, answer trust.EnrollAnswer) {
	m.t.Helper()
	body, err := json.Marshal(trust.EnrollRequest{Token: token, CSR: m.csr, ClientID: client, NetBIOSName: "PC1",
		LastSerial: 1})
	if err != nil {
		m.t.Fatal(err)
	}
	status, code, _, text := m.post("/mp/enroll", string(body))
	if status != http.StatusOK {
		return status, code, answer
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		m.t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(m.key)
	if err != nil {
		m.t.Fatal(err)
	}
	m.pair, err = tls.X509KeyPair([]byte(answer.Certificate), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY",
		Bytes: key}))
	if err != nil {
		m.t.Fatal(err)
	}
	m.http.CloseIdleConnections()
	return status, code, answer
}

func token(t *testing.T, data string, args ...string) string {
	t.Helper()
	return strings.TrimSpace(done(t, data, append([]string{"enroll", "token", "create"}, args...)...))
}

// ended stops a process as a person would.
func ended(t *testing.T, p *process) {
	t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.wait(patience); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

func auditText(t *testing.T, data string) string {
	t.Helper()
	var all bytes.Buffer
	files, err := filepath.Glob(filepath.Join(data, "audit", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// TestAttackASiteThatBeginsToAskForCertificates took reports from anybody on its machine, and goes on with the same clients.
// It knows who calls: a client speaks for itself alone, and a revoked one not at all.
func TestAttackASiteThatBeginsToAskForCertificates(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	s := serve(t, data)
	s.awaitReady()
	const id, other = "GUID:F1B00000-0000-4000-8000-000000000001", "GUID:F1B00000-0000-4000-8000-000000000002"
	if a := s.poster().post(t.Context(), identityReport(id, 41)); a.status != http.StatusAccepted {
		t.Fatalf("%+v", a)
	}
	s.awaitDrained()
	ended(t, s.process)

	s = serve(t, data, "--set", "relay.auth=mtls")
	s.awaitReady()
	m := newMachine(t, s)
	if status, code, _, _ := m.post("/mp/reports", string(identityReport(id, 42))); status != 401 || code != "no_identity" {
		t.Errorf("without a certificate: %d %s", status, code)
	}
	if status, code, _ := m.enroll(token(t, data), id); status != 403 || code != "client_known" {
		t.Errorf("a client that reported before: %d %s", status, code)
	}
	status, code, got := m.enroll(token(t, data, "--adopt"), id)
	if status != 200 || got.ClientID != id || got.NextSerial != 42 {
		t.Fatalf("adopted: %d %s, goes on at %d", status, code, got.NextSerial)
	}
	own := string(identityReport(id, 42))
	if status, code, _, _ := m.post("/mp/reports", own); status != 202 {
		t.Errorf("its own report: %d %s", status, code)
	}
	for name, body := range map[string]string{
		"another client's": string(identityReport(other, 1)),
		"in CDATA":         strings.Replace(string(identityReport(other, 1)), other, "<![CDATA["+other+"]]>", 1),
		"behind a comment": strings.Replace(string(identityReport(other, 1)), other, other[:9]+"<!--x-->"+other[9:], 1),
		"in lower case":    strings.Replace(string(identityReport(other, 1)), other, strings.ToLower(other), 1),
	} {
		if status, code, _, _ := m.post("/mp/reports", body); status != 403 || code != "identity_mismatch" {
			t.Errorf("a report %s: %d %s", name, status, code)
		}
	}
	twice := strings.Replace(string(identityReport(id, 43)), "</Machine>", "<ClientID>"+other+"</ClientID></Machine>", 1)
	if status, code, _, _ := m.post("/mp/reports", twice); status != 400 {
		t.Errorf("a report of two clients: %d %s", status, code)
	}
	if !eventually(patience, func() bool {
		return strings.Contains(auditText(t, data), `"action":"client.identity_mismatch","object":"`+other)
	}) {
		t.Errorf("the audit log has\n%s", auditText(t, data))
	}

	const callers = 20
	shared := token(t, data)
	outcomes := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range callers {
		one := newMachine(t, s)
		wg.Go(func() {
			status, code, _ := one.enroll(shared, "")
			mu.Lock()
			defer mu.Unlock()
			outcomes[fmt.Sprint(status, " ", code)]++
		})
	}
	wg.Wait()
	if outcomes["200 "] != 1 || outcomes["403 token_used"] != callers-1 {
		t.Errorf("%d callers with one use: %v", callers, outcomes)
	}

	neighbour := newMachine(t, s)
	if status, code, _ := neighbour.enroll(token(t, data), other); status != 200 {
		t.Fatalf("%d %s", status, code)
	}
	done(t, data, "client", "revoke", id, "--reason", "stolen")
	began := time.Now()
	var last string
	if !eventually(patience, func() bool {
		_, last, _, _ = m.post("/mp/reports", own) // it changes nothing, as long as the client is known
		return last == "certificate_revoked"
	}) {
		t.Errorf("revoked, on an open connection: %s", last)
	}
	m.http.CloseIdleConnections()
	if status, code, _, _ := m.post("/mp/reports", string(identityReport(id, 44))); status != 0 ||
		!strings.Contains(code, "bad certificate") {
		t.Errorf("revoked, on a new connection: %d %s", status, code)
	}
	promised(t, time.Since(began), time.Minute, "revocation")
	if status, code, _, _ := neighbour.post("/mp/reports", string(identityReport(other, 2))); status != 202 {
		t.Errorf("its neighbour: %d %s", status, code)
	}

	done(t, data, "enroll", "pause")
	waits := newMachine(t, s)
	if status, code, _ := waits.enroll(token(t, data), ""); status != 503 || code != "enrolment_paused" {
		t.Errorf("paused: %d %s", status, code)
	}
	done(t, data, "enroll", "resume")
	if status, code, _ := waits.enroll(token(t, data), ""); status != 200 {
		t.Errorf("resumed: %d %s", status, code)
	}
	s.awaitDrained()
	if n := ask(t, data, "SELECT uniqExact(client_id, serial) FROM state_messages WHERE serial IN (41, 42, 2)"); n != 3 {
		t.Errorf("%d of 3 messages are stored", n)
	}
	if n := ask(t, data, "SELECT uniqExact(client_id, serial) FROM state_messages"); n != 3 {
		t.Errorf("%d messages are stored: somebody spoke for another", n)
	}
	ended(t, s.process)
	if r := command(t, data, "audit", "verify"); r.code != 0 {
		t.Errorf("audit verify ended with %d: %s%s", r.code, r.out, r.errOut)
	}
}

// identityReport is a report of one state.
func identityReport(client string, serial int) []byte {
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?><Report><ReportHeader><Identification><Machine>`+
		`<ClientInstalled>1</ClientInstalled><ClientID>%s</ClientID><NetBIOSName>PC1</NetBIOSName></Machine>`+
		`</Identification><ReportDetails><ReportContent>State Message Data</ReportContent><Date>%s</Date>`+
		`</ReportDetails></ReportHeader><ReportBody><StateMessage MessageTime="%[2]s" SerialNumber="%[3]d">`+
		`<Topic ID="t%[3]d" Type="402" IDType="0"/><State ID="1" Criticality="0"/></StateMessage></ReportBody></Report>`,
		client, time.Now().UTC().Format("20060102150405.000000")+"+000", serial)
}

// TestARelayAloneOpensNoKey has a relay as a process of its own: it knows and enrols callers, and opens neither the
// authority's key nor what was issued.
func TestARelayAloneOpensNoKey(t *testing.T) {
	t.Parallel()
	needTool(t, "strace")
	data := dataDir(t)
	trace := filepath.Join(dataDir(t), "trace")
	relay := spawn(t, data, []string{"strace", "-D", "-f", "-o", trace, "-e", "trace=open,openat,openat2"}, "serve", "--roles",
		"relay", "--set", "relay.auth=mtls") // it waits for its certificate
	keeper := spawn(t, data, nil, "serve", "--roles", "identity")
	s := &server{process: relay, data: data}
	m := newMachine(t, s)
	if status, code, _ := m.enroll(token(t, data), ""); status != 200 {
		t.Fatalf("%d %s", status, code)
	}
	if status, code, _, _ := m.post("/mp/renew", `{"csr":`+jsonText(m.csr)+`}`); status != 400 || code != "bad_csr" {
		t.Errorf("renewed with its old key: %d %s", status, code)
	}
	ended(t, keeper)
	waits := newMachine(t, s)
	if status, code, _ := waits.enroll("swe1.x", ""); status != 503 || code != "identity_unavailable" {
		t.Errorf("without the identity role: %d %s", status, code)
	}
	ended(t, relay)
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"ca.key", "identity.db", "/trust/", "/audit/"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the relay opened %s", secret)
		}
	}
	for _, file := range []string{"identity/ca.crt", "identity/denied", "identity/server.pem"} {
		if !strings.Contains(string(text), file) {
			t.Errorf("the trace has no %s: it shows nothing", file)
		}
	}
}

func jsonText(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		panic(err) // a text always has a JSON form
	}
	return string(out)
}
