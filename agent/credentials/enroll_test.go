package credentials

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"statewire/agent/agenttest"
	"statewire/agent/transport"
	"statewire/smx"
	"statewire/trust"
)

func TestAnEnrolledClientShowsItsCertificate(t *testing.T) {
	m := newMachine(t)
	m.site.Serial = 5_000_000_000 // as far away as it likes
	if s := m.c.Status(); s.Enrolled || s.NextSerial != 0 {
		t.Fatalf("enrolled before it was: %+v", s)
	}
	m.enrol()
	asked := m.site.Enrolled[0]
	if asked.ClientID != m.id.String() || asked.NetBIOSName != "PC1" || asked.ClientVersion != "1.4.0" ||
		asked.LastSerial != 1431 {
		t.Errorf("asked with %+v", asked)
	}
	m.start() // what counts is on the disk
	if s := m.c.Status(); !s.Enrolled || s.Site != m.site.Site.String() || s.Number != "101" || s.Pending != "" ||
		time.Since(s.Since) > time.Minute || time.Until(s.NotAfter) < 59*24*time.Hour || s.Problem != "" || s.Trust != 1 {
		t.Errorf("status %+v", s)
	}
	if m.kept.LastSerial() != 4_999_999_999 || m.c.Status().NextSerial != 5_000_000_000 || m.c.Relay() != m.relay ||
		m.c.Document().Version != 1 {
		t.Errorf("last serial %d, relay %s", m.kept.LastSerial(), m.c.Relay())
	}
	if answer := m.sender().Post(t.Context(), []byte("<Report/>")); answer.Outcome != transport.Accepted ||
		m.seen() != "101" {
		t.Errorf("a report got %+v, it showed certificate %q", answer, m.seen())
	}
	for _, name := range []string{keyFile, certificateFile, caFile, trustFile} {
		info, err := os.Stat(filepath.Join(m.dir, name))
		if err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	if _, err := os.Stat(filepath.Join(m.dir, pendingFile)); err == nil {
		t.Error("the request still waits on the disk")
	}
}

// spy is a relay that counts what comes after the client's first message.
func spy(t *testing.T, certificate *tls.Certificate) (address string, after *atomic.Int64, handshake chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	after, handshake = new(atomic.Int64), make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		server := tls.Server(counted{conn, after}, &tls.Config{MinVersion: tls.VersionTLS13,
			Certificates: []tls.Certificate{*certificate}})
		err = server.Handshake()
		if err == nil {
			_, err = io.ReadFull(server, make([]byte, 2000))
		}
		handshake <- err
	}()
	return "https://" + ln.Addr().String(), after, handshake
}

type counted struct {
	net.Conn
	n *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// chain is a server's certificate of one authority, shown with the certificate of another one.
func chain(t *testing.T, by, shown *agenttest.CertAuthority, host string, usage x509.ExtKeyUsage) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{usage}}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	}
	return &tls.Certificate{Certificate: [][]byte{by.Sign(t, template, key.Public()), shown.Cert.Raw}, PrivateKey: key}
}

// A relay of another site gets the client's first message and an alert, not a byte of the token.
func TestAttackToAnotherRelayNothingIsSent(t *testing.T) {
	ours, other := agenttest.NewCertAuthority(t), agenttest.NewCertAuthority(t)
	token := trust.NewToken(trust.PinOf(ours.Cert, []string{"root"}))
	const server = x509.ExtKeyUsageServerAuth
	for _, c := range []struct {
		name        string
		certificate *tls.Certificate
		code        string
	}{
		{"another authority", chain(t, other, other, "127.0.0.1", server), "wrong_pin"},
		{"another authority that shows ours", chain(t, other, ours, "127.0.0.1", server), "wrong_pin"},
		{"ours, for another address", chain(t, ours, ours, "192.0.2.1", server), ""},
		{"ours, a client's certificate", chain(t, ours, ours, "127.0.0.1", x509.ExtKeyUsageClientAuth), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			relay, sent, ended := spy(t, c.certificate)
			got := transport.Enroll(t.Context(), relay, token.Pin, trust.EnrollRequest{Token: token.String()}, time.Now)
			if got.Outcome == transport.Accepted || got.Err == nil || got.Code != c.code {
				t.Errorf("got %+v", got)
			}
			if strings.Contains(got.Reason(), token.String()[14:40]) {
				t.Errorf("the reason shows the secret: %s", got.Reason())
			}
			if err := <-ended; err == nil {
				t.Error("the handshake succeeded")
			}
			// A client's first message of TLS 1.3 has about 1500 bytes; alert and key change have fewer than 64.
			if sent := sent.Load(); sent > 2000 {
				t.Errorf("%d bytes were sent", sent)
			}
		})
	}
	relay, sent, ended := spy(t, chain(t, ours, ours, "127.0.0.1", server))
	got := transport.Enroll(t.Context(), relay, token.Pin, trust.EnrollRequest{Token: token.String(),
		CSR: strings.Repeat("x", 2000)}, time.Now)
	if got.Outcome != transport.Again || sent.Load() < 2000 {
		t.Errorf("our relay got %d bytes: the count shows nothing; %+v", sent.Load(), got)
	}
	<-ended
}

func TestAnEnrolmentOnlyGoesToHTTPS(t *testing.T) {
	got := transport.Enroll(t.Context(), "http://127.0.0.1:1", trust.Pin{}, trust.EnrollRequest{}, time.Now)
	if got.Outcome != transport.Refused || got.Err == nil {
		t.Errorf("got %+v", got)
	}
}

// keys are the public keys of the certificate requests that came.
func keys(t *testing.T, requests ...string) (keys []string) {
	t.Helper()
	for _, text := range requests {
		block, _ := pem.Decode([]byte(text))
		csr, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(csr.RawSubjectPublicKeyInfo))
	}
	return keys
}

// An answer that is lost is asked for again with the same key, also by the next process: its key was on disk before the
// relay heard of it.
func TestALostAnswerComesAgain(t *testing.T) {
	m := newMachine(t)
	onDisk := false
	m.site.Lose = func(_ string, attempt int) bool {
		_, err := os.Stat(filepath.Join(m.dir, pendingFile))
		onDisk = err == nil
		return attempt < 2
	}
	request := m.request()
	for range 2 { // two processes that end before the answer
		ctx, cancel := context.WithCancel(t.Context())
		err := m.c.Enroll(ctx, request, func(p Progress) { cancel() })
		if err == nil || !onDisk {
			t.Fatalf("%v, key on disk %v", err, onDisk)
		}
		m.start()
		if m.c.Enrolled() {
			t.Fatal("enrolled without an answer")
		}
	}
	if err := m.c.Enroll(t.Context(), request, func(Progress) {}); err != nil {
		t.Fatal(err)
	}
	k := keys(t, m.site.Enrolled[0].CSR, m.site.Enrolled[1].CSR, m.site.Enrolled[2].CSR)
	if k[0] != k[1] || k[0] != k[2] || m.c.Status().Number != "101" {
		t.Errorf("the keys differ, or the certificate is the %s.", m.c.Status().Number)
	}
}

// Another token has another key: whoever has the first one's request learns nothing of the second.
func TestATokenThatIsGivenUpGivesUpItsKey(t *testing.T) {
	m := newMachine(t)
	m.site.Lose = func(_ string, attempt int) bool { return attempt == 0 }
	ctx, cancel := context.WithCancel(t.Context())
	if err := m.c.Enroll(ctx, m.request(), func(Progress) { cancel() }); err == nil {
		t.Fatal("enrolled without an answer")
	}
	m.enrol()
	if k := keys(t, m.site.Enrolled[0].CSR, m.site.Enrolled[1].CSR); k[0] == k[1] {
		t.Error("another token was used with the same key")
	}
}

func TestAnApprovalIsWaitedFor(t *testing.T) {
	m := newMachine(t)
	m.site.Refuse = func(_ string, attempt int) *agenttest.Refusal {
		if attempt == 0 {
			return &agenttest.Refusal{Status: 202, After: 60, Body: `{"pending":"7Q2M4KAB"}`}
		}
		return nil
	}
	request := m.request()
	ctx, cancel := context.WithCancel(t.Context())
	var told Progress
	err := m.c.Enroll(ctx, request, func(p Progress) { told = p; cancel() })
	if err == nil || !strings.Contains(err.Error(), "statewire enroll approve 7Q2M4KAB") || told.Pending != "7Q2M4KAB" ||
		told.Wait < time.Minute || told.Wait > 77*time.Second {
		t.Errorf("%v, told %+v", err, told)
	}
	m.start()
	if s := m.c.Status(); s.Pending != "7Q2M4KAB" || s.Enrolled {
		t.Errorf("status %+v", s)
	}
	if err := m.c.Enroll(t.Context(), request, func(Progress) {}); err != nil || m.c.Status().Pending != "" {
		t.Errorf("%v, %+v", err, m.c.Status())
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	m := newMachine(t)
	for _, c := range []struct {
		code   string
		status int
		advice string
	}{
		{"client_known", 403, "statewire enroll token create --client"},
		{"already_enrolled", 409, "bound to it"},
		{"client_revoked", 403, "revoked this client"},
		{"token_invalid", 403, "another token"},
		{"token_used", 403, "another token"},
		{"token_expired", 403, "another token"},
		{"enrolment_denied", 403, "denied"},
		{"something_new", 403, "the site's own words"},
	} {
		m.site.Refuse = func(string, int) *agenttest.Refusal {
			return &agenttest.Refusal{Status: c.status, Body: `{"code":"` + c.code + `","detail":"the site's own words"}`}
		}
		err := m.c.Enroll(t.Context(), m.request(), func(Progress) { t.Errorf("%s is tried again", c.code) })
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Code != c.code || !strings.Contains(err.Error(), c.advice) ||
			!strings.Contains(err.Error(), "the site's own words") {
			t.Errorf("%s: %v", c.code, err)
		}
		if s := m.c.Status(); s.Enrolled || !strings.Contains(s.Problem, c.code) {
			t.Errorf("%s: status %+v", c.code, s)
		}
	}
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	m := newMachine(t)
	for name, c := range map[string]struct {
		refusal     agenttest.Refusal
		problem     string
		least, most time.Duration
	}{
		"too many": {agenttest.Refusal{Status: 429, After: 30, Body: `{"code":"rate_limited","retry":true}`}, "rate_limited",
			30 * time.Second, 40 * time.Second},
		"paused": {agenttest.Refusal{Status: 503, After: 60, Body: `{"code":"enrolment_paused","retry":true}`},
			"enrolment_paused", time.Minute, 80 * time.Second},
		"a portal's page":      {agenttest.Refusal{Status: 200, Body: "<html>"}, "no relay", time.Second, 2 * time.Second},
		"a 200 of nobody's":    {agenttest.Refusal{Status: 200, Body: "{}"}, "no relay", time.Second, 2 * time.Second},
		"a 403 without a code": {agenttest.Refusal{Status: 403, Body: "{}"}, "no relay", time.Second, 2 * time.Second},
		"a broken relay": {agenttest.Refusal{Status: 500, Body: `{"code":"internal"}`}, "500", time.Second,
			2 * time.Second},
		"a day of silence": {agenttest.Refusal{Status: 503, After: 86400, Body: `{"code":"x"}`}, "503", time.Hour,
			76 * time.Minute},
	} {
		m.site.Refuse = func(string, int) *agenttest.Refusal { return &c.refusal }
		ctx, cancel := context.WithCancel(t.Context())
		var told Progress
		err := m.c.Enroll(ctx, m.request(), func(p Progress) { told = p; cancel() })
		if err == nil || !strings.Contains(err.Error(), "no certificate in time") || told.Wait < c.least ||
			told.Wait > c.most ||
			!strings.Contains(told.Problem, c.problem) || !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s: %v, told %+v", name, err, told)
		}
	}
}

// Nothing of an answer is kept that is not whole the site's and this client's.
func TestAttackAFalseAnswerIsNotKept(t *testing.T) {
	other := agenttest.NewAuthority(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		change     func(m *machine, answer *trust.EnrollAnswer)
	}{
		{"another site's trust document", "wrong_trust", func(_ *machine, a *trust.EnrollAnswer) { a.Trust = other.Trust() }},
		{"no trust document", "wrong_trust", func(_ *machine, a *trust.EnrollAnswer) { a.Trust = nil }},
		{"another site's authority", "authority that the token names",
			func(_ *machine, a *trust.EnrollAnswer) { a.CA = other.Bundle() }},
		{"no authority", "no certificate", func(_ *machine, a *trust.EnrollAnswer) { a.CA = "" }},
		{"a key among the authorities", "no certificate in PEM", func(_ *machine, a *trust.EnrollAnswer) {
			a.CA += string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}))
		}},
		{"another client's id", "for client", func(_ *machine, a *trust.EnrollAnswer) {
			a.ClientID = "GUID:F1B03089-0000-0000-0000-000000000100"
		}},
		{"no serial", "no serial", func(_ *machine, a *trust.EnrollAnswer) { a.NextSerial = 0 }},
		{"a serial behind the last", "no serial", func(_ *machine, a *trust.EnrollAnswer) {
			a.NextSerial = smx.MaxSerial +
				1
		}},
		{"another client's certificate", "for client", func(m *machine, a *trust.EnrollAnswer) {
			a.Certificate = m.issue("GUID:F1B03089-0000-0000-0000-000000000100", m.site.CA[0], nil)
		}},
		{"a role's certificate", "not a client's", func(m *machine, a *trust.EnrollAnswer) {
			a.Certificate = m.issue(m.id.String(), m.site.CA[0], func(l *x509.Certificate) {
				l.URIs = []*url.URL{{Scheme: "urn", Opaque: "statewire:" + m.site.Site.String() + ":role:relay"}}
			})
		}},
		{"one that names two", "one client", func(m *machine, a *trust.EnrollAnswer) {
			a.Certificate = m.issue(m.id.String(), m.site.CA[0],
				func(l *x509.Certificate) { l.URIs = append(l.URIs, l.URIs[0]) })
		}},
		{"one that names a host, too", "one client", func(m *machine, a *trust.EnrollAnswer) {
			a.Certificate = m.issue(m.id.String(), m.site.CA[0], func(l *x509.Certificate) { l.DNSNames = []string{"mp"} })
		}},
		{"a server's certificate", "not the site's", func(m *machine, a *trust.EnrollAnswer) {
			a.Certificate = m.issue(m.id.String(), m.site.CA[0], func(l *x509.Certificate) {
				l.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			})
		}},
		{"one of another authority that is shown, too", "not the site's", func(m *machine, a *trust.EnrollAnswer) {
			a.Certificate, a.CA = m.issue(m.id.String(), other.CA[0], nil), a.CA+other.Bundle()
		}},
		{"one for another key", "another key", func(m *machine, a *trust.EnrollAnswer) {
			a.Certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.site.CA[0].Sign(m.t,
				m.site.Template(m.id.String()), key.Public())}))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			m.site.Change = func(answer *trust.EnrollAnswer) { c.change(m, answer) }
			err := m.c.Enroll(t.Context(), m.request(), func(Progress) {})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "nothing of the answer") {
				t.Errorf("%v, want one about %q", err, c.want)
			}
			m.start()
			if m.c.Enrolled() || m.kept.LastSerial() != 1431 {
				t.Error("it was kept")
			}
			for _, name := range []string{keyFile, certificateFile, caFile, trustFile, stateFile} {
				if _, err := os.Stat(filepath.Join(m.dir, name)); err == nil {
					t.Errorf("%s was kept", name)
				}
			}
		})
	}
}

// issue is a certificate for the key that the client last asked for.
func (m *machine) issue(client string, by *agenttest.CertAuthority, change func(*x509.Certificate)) string {
	block, _ := pem.Decode([]byte(m.site.Enrolled[len(m.site.Enrolled)-1].CSR))
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		m.t.Error(err)
	}
	template := m.site.Template(client)
	if change != nil {
		change(template)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: by.Sign(m.t, template, csr.PublicKey)}))
}

// A machine whose clock is wrong takes the certificate: the site's clock decides how long it is good.
func TestAWrongClockDoesNotKeepAClientOut(t *testing.T) {
	m := newMachine(t)
	m.site.Now = func() time.Time { return time.Now().Add(10 * time.Minute) } // its certificates begin in the future here
	c, err := Open(OpenFolder(m.dir), Options{Client: m.id, Serials: m.kept, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Enroll(t.Context(), m.request(), func(Progress) {}); err != nil {
		t.Error(err)
	}
}

// The certificate of another client, as after `statewire agent new-id`, is not shown, and a new enrolment replaces it.
func TestAnotherClientsCertificateIsNotUsed(t *testing.T) {
	m := newMachine(t)
	m.enrol()
	old := m.id
	m.id[15] ^= 1
	m.start()
	if s := m.c.Status(); s.Enrolled || s.OtherID != old.String() || s.NextSerial != 0 {
		t.Errorf("status %+v", s)
	}
	m.enrol()
	if s := m.c.Status(); !s.Enrolled || s.OtherID != "" || s.Number != "102" {
		t.Errorf("status %+v", s)
	}
}
