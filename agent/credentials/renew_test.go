package credentials

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"statewire/agent/agenttest"
	"statewire/agent/transport"
	"statewire/trust"
)

const day = 24 * time.Hour

// Renewal comes between 60 and 73 of a hundred parts of a certificate's life, at a moment of its own for each, and at
// the same one after every start.
func TestRenewalIsSpread(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	low, high := 1.0, 0.0
	for i := range 2000 {
		leaf := &x509.Certificate{Raw: big.NewInt(int64(i) + 1).Bytes(), NotBefore: begin, NotAfter: begin.Add(100 * day)}
		share := float64(renewAt(leaf).Sub(begin)) / float64(100*day)
		low, high = min(low, share), max(high, share)
		if first, again := renewAt(leaf), renewAt(leaf); first != again {
			t.Fatal("two moments for one certificate")
		}
	}
	if low < 0.60 || low > 0.605 || high > 0.73 || high < 0.725 {
		t.Errorf("from %.3f to %.3f of the life", low, high)
	}
}

// later moves the site's clock, which is the machine's, too.
func (m *machine) later(d time.Duration) {
	m.site.Mu.Lock()
	defer m.site.Mu.Unlock()
	now := m.site.Now().Add(d)
	m.site.Now = func() time.Time { return now }
}

func TestARenewedPairTakesThePlaceOfTheFormer(t *testing.T) {
	m := newMachine(t)
	m.enrol()
	s := m.sender()
	s.Post(t.Context(), []byte("<Report/>"))
	changed := 0
	m.c.OnChange(func() { changed++; s.Close() })
	before := load(t, m.dir)
	if _, renewed, err := m.c.Renew(t.Context(), s); err != nil || !renewed || changed != 1 {
		t.Fatalf("%v, %v, told %d times", renewed, err, changed)
	}
	if m.seen() != "101" {
		t.Errorf("the renewal showed certificate %q", m.seen())
	}
	after := load(t, m.dir)
	if string(before.Key) == string(after.Key) || after.Pending != nil || after.Relay != m.relay ||
		after.NextSerial != before.NextSerial || !after.Enrolled.Equal(before.Enrolled) {
		t.Errorf("kept is %+v", after)
	}
	if s.Post(t.Context(), []byte("<Report/>")); m.seen() != "102" || m.c.Status().Number != "102" {
		t.Errorf("after it, a report showed certificate %q", m.seen())
	}
	m.start()
	if m.sender().Post(t.Context(), []byte("<Report/>")); m.seen() != "102" {
		t.Errorf("after a start, a report showed certificate %q", m.seen())
	}
}

func TestALostRenewalComesAgain(t *testing.T) {
	m := newMachine(t)
	m.enrol()
	onDisk := false
	m.site.Lose = func(_ string, attempt int) bool {
		_, err := os.Stat(filepath.Join(m.dir, pendingFile))
		onDisk = err == nil
		return attempt == 0
	}
	if _, renewed, err := m.c.Renew(t.Context(), m.sender()); renewed || err != nil || !onDisk {
		t.Fatalf("%v, %v, key on disk %v", renewed, err, onDisk)
	}
	m.start()
	if s := m.c.Status(); s.Number != "101" || !s.Enrolled {
		t.Fatalf("status %+v", s)
	}
	if _, renewed, err := m.c.Renew(t.Context(), m.sender()); !renewed || err != nil {
		t.Fatalf("%v, %v", renewed, err)
	}
	if k := keys(t, m.site.Renewed[0].CSR, m.site.Renewed[1].CSR); k[0] != k[1] || m.c.Status().Number != "102" {
		t.Errorf("another key, or certificate %s", m.c.Status().Number)
	}
	if _, renewed, _ := m.c.Renew(t.Context(), m.sender()); !renewed {
		t.Fatal("no third certificate")
	}
	if k := keys(t, m.site.Renewed[1].CSR, m.site.Renewed[2].CSR); k[0] == k[1] {
		t.Error("the next renewal used the key again")
	}
}

// runs lets the client renew in the background until the test ends.
func (m *machine) runs(s renewer) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := m.c.Run(ctx, s); err != nil {
			m.t.Error(err)
		}
	})
	m.t.Cleanup(func() { cancel(); wg.Wait() })
}

func (m *machine) until(what string, done func(Status) bool) {
	m.t.Helper()
	for range 500 {
		if done(m.c.Status()) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	m.t.Fatalf("never %s: %+v", what, m.c.Status())
}

// A machine that was off beyond the end of its certificate renews it at its start, and goes on with the new one.
func TestAnExpiredCertificateIsRenewedAtOnce(t *testing.T) {
	m := newMachine(t)
	m.enrol()
	m.later(70 * day)
	m.start()
	s := m.sender()
	if answer := s.Post(t.Context(), []byte("<Report/>")); answer.Outcome != transport.Again ||
		answer.Code != "certificate_expired" || answer.Status != 401 || !m.c.Status().Expired {
		t.Errorf("a report got %+v, %+v", answer, m.c.Status())
	}
	m.runs(s)
	m.until("renewed", func(s Status) bool { return s.Number == "102" && !s.Expired })
	if answer := s.Post(t.Context(), []byte("<Report/>")); answer.Outcome != transport.Accepted || m.seen() != "102" {
		t.Errorf("then it got %+v", answer)
	}
}

// The relay's word counts, not this machine's clock.
func TestARelayThatCallsACertificateExpiredIsBelieved(t *testing.T) {
	m := newMachine(t)
	m.enrol()
	s := m.sender()
	m.runs(s)
	m.site.Refuse = func(path string, attempt int) *agenttest.Refusal {
		if path == "/mp/reports" && attempt == 0 {
			return &agenttest.Refusal{Status: 401, Body: `{"code":"certificate_expired","retry":true}`}
		}
		return nil
	}
	s.Post(t.Context(), []byte("<Report/>"))
	m.until("renewed", func(s Status) bool { return s.Number == "102" })
}

func TestARenewalWaitsForItsTime(t *testing.T) {
	m := newMachine(t)
	m.enrol()
	if wait, due := m.c.dueIn(); due || wait < 35*day || wait > 44*day {
		t.Errorf("due %v in %v", due, wait)
	}
	m.later(35 * day)
	if _, due := m.c.dueIn(); due {
		t.Error("due before 60 of a hundred parts")
	}
	m.later(10 * day)
	if _, due := m.c.dueIn(); !due {
		t.Error("not due after 73 of a hundred parts")
	}
	if wait, err := m.c.Tend(t.Context(), m.sender()); err != nil || wait != mostNap ||
		m.c.Status().Number != "102" {
		t.Errorf("%v, %v", wait, err)
	}
	m.later(50 * day)
	m.site.Refuse = func(string, int) *agenttest.Refusal {
		return &agenttest.Refusal{Status: 503, After: 60, Body: `{"code":"identity_unavailable","retry":true}`}
	}
	wait, err := m.c.Tend(t.Context(), m.sender())
	if err != nil || wait < time.Minute || wait > 77*time.Second {
		t.Errorf("refused, it waits %v, %v", wait, err)
	}
	if s := m.c.Status(); !strings.Contains(s.Problem, "identity_unavailable") || s.Number != "102" {
		t.Errorf("status %+v", s)
	}
}

// A copy of a machine is told so once, and does not ask again.
func TestASupersededCertificateIsNotRenewedAgain(t *testing.T) {
	m := newMachine(t)
	m.enrol()
	image := load(t, m.dir)
	s := m.sender()
	m.c.OnChange(s.Close)
	m.c.Renew(t.Context(), s)
	s.Post(t.Context(), []byte("<Report/>"))
	if err := OpenFolder(m.dir).Save(image); err != nil {
		t.Fatal(err)
	}
	m.start()
	m.later(50 * day)
	if wait, err := m.c.Tend(t.Context(), m.sender()); err != nil || wait == 0 {
		t.Fatalf("%v, %v", wait, err)
	}
	m.start() // it is remembered
	asked := len(m.site.Renewed)
	status := m.c.Status()
	if wait, err := m.c.Tend(t.Context(), m.sender()); err != nil || wait != mostNap ||
		len(m.site.Renewed) != asked ||
		status.Ended != "superseded" || !status.Enrolled {
		t.Errorf("%v, %v, %d renewals, %+v", wait, err, len(m.site.Renewed)-asked, status)
	}
	m.enrol()
	if s := m.c.Status(); s.Ended != "" || s.Problem != "" {
		t.Errorf("after a new enrolment: %+v", s)
	}
}

func TestARevokedCertificateIsSaidInPlainWords(t *testing.T) {
	m := newMachine(t)
	m.enrol()
	m.site.Mu.Lock()
	m.site.Denied["101"] = true
	m.site.Mu.Unlock()
	if answer := m.sender().Post(t.Context(), []byte("<Report/>")); !transport.CertificateRefused(answer.Err) {
		t.Errorf("a report got %+v", answer)
	}
	m.c.Renew(t.Context(), m.sender())
	if s := m.c.Status(); !strings.Contains(s.Problem, "revoked") || !strings.Contains(s.Problem, "agent enroll") {
		t.Errorf("status %+v", s)
	}
	if transport.CertificateRefused(context.DeadlineExceeded) || transport.CertificateRefused(nil) {
		t.Error("any error is a refused certificate")
	}
}

// A false answer leaves the pair that works.
func TestAFalseRenewalIsNotKept(t *testing.T) {
	other := agenttest.NewAuthority(t)
	for name, change := range map[string]func(*trust.EnrollAnswer){
		"another site's trust document": func(a *trust.EnrollAnswer) { a.Trust = other.Trust() },
		"another site's authority":      func(a *trust.EnrollAnswer) { a.CA = other.Bundle() },
		"no authority":                  func(a *trust.EnrollAnswer) { a.CA = "" },
		"the former certificate":        nil,
	} {
		m := newMachine(t)
		m.enrol()
		before := load(t, m.dir)
		if change == nil {
			change = func(a *trust.EnrollAnswer) { a.Certificate = string(before.Certificate) }
		}
		m.site.Change = change
		_, renewed, err := m.c.Renew(t.Context(), m.sender())
		after := load(t, m.dir)
		if renewed || err != nil || string(after.Certificate) != string(before.Certificate) ||
			string(after.Trust) != string(before.Trust) || string(after.CA) != string(before.CA) || m.c.Status().Problem == "" {
			t.Errorf("%s: %v, %v, %+v", name, renewed, err, m.c.Status())
		}
	}
}

// A certificate in this client's name from an authority that it does not know is no renewal, whatever authorities the
// answer brings along.
func TestAttackAStrangersRenewalIsNotKept(t *testing.T) {
	m, other := newMachine(t), agenttest.NewAuthority(t)
	m.enrol()
	m.site.Change = func(a *trust.EnrollAnswer) {
		block, _ := pem.Decode([]byte(m.site.Renewed[0].CSR))
		csr, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			t.Error(err)
		}
		der := other.CA[0].Sign(t, m.site.Template(m.id.String()), csr.PublicKey)
		a.Certificate, a.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), other.Bundle()
	}
	if _, renewed, err := m.c.Renew(t.Context(), m.sender()); renewed || err != nil ||
		!strings.Contains(m.c.Status().Problem, "another site's") || m.c.Status().Number != "101" {
		t.Errorf("%v, %v, %+v", renewed, err, m.c.Status())
	}
}
