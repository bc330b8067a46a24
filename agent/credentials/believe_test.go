package credentials

import (
	"strings"
	"testing"
	"time"

	"statewire/agent/agenttest"
	"statewire/agent/transport"
	"statewire/trust"
)

// A site that goes over to another authority first shows it beside the present one. Clients that heard of it follow;
// the former one is believed until the next proved itself.
func TestClientsFollowTheirSiteToItsNextAuthority(t *testing.T) {
	m := newMachine(t)
	m.enrol()
	s := m.sender()
	works := func() bool {
		s.Close()
		return s.Post(t.Context(), []byte("<Report/>")).Outcome == transport.Accepted
	}
	old, next := m.site.CA[0], agenttest.NewCertAuthority(t)
	if err := m.c.Believe([]byte(old.PEM()+next.PEM()), nil); err != nil || !works() {
		t.Fatal(err, "does not work with both")
	}
	if err := m.c.Believe([]byte(next.PEM()), nil); err != nil || !works() {
		t.Fatal(err, "the former authority was forgotten before the next one was met")
	}
	m.start()
	if !works() {
		t.Fatal("a start forgot the former authority")
	}
	m.site.Mu.Lock()
	m.site.CA = []*agenttest.CertAuthority{next}
	m.site.Mu.Unlock()
	s = m.sender()
	if !works() {
		t.Fatal("the next authority is not believed")
	}
	if kept := load(t, m.dir); kept.Former != nil || string(kept.CA) != next.PEM() {
		t.Errorf("kept %s and %s", kept.CA, kept.Former)
	}
	m.site.Mu.Lock()
	m.site.CA = []*agenttest.CertAuthority{old}
	m.site.Mu.Unlock()
	m.start()
	s = m.sender()
	if works() {
		t.Error("the former authority is believed for ever")
	}
}

func TestAttackOthersAreNotBelieved(t *testing.T) {
	m := newMachine(t)
	m.enrol()
	other := agenttest.NewAuthority(t)
	before := load(t, m.dir)
	for name, c := range map[string]struct {
		ca       string
		document []byte
		want     string
	}{
		"another site's authority":                    {other.Bundle(), nil, "another site's"},
		"no certificate":                              {"hello", nil, "no certificate"},
		"another site's document":                     {"", other.Trust(), "wrong_trust"},
		"our authority with another site's document":  {m.site.Bundle() + other.Bundle(), other.Trust(), "wrong_trust"},
		"another site's authority, with our document": {other.Bundle(), m.site.Trust(), "another site's"},
	} {
		var ca []byte
		if c.ca != "" {
			ca = []byte(c.ca)
		}
		if err := m.c.Believe(ca, c.document); err != nil {
			t.Fatal(err)
		}
		after := load(t, m.dir)
		if string(after.CA) != string(before.CA) || string(after.Trust) != string(before.Trust) ||
			!strings.Contains(m.c.Status().Distrust, c.want) {
			t.Errorf("%s: %+v", name, m.c.Status())
		}
	}
	if err := m.c.Believe([]byte(m.site.Bundle()), m.site.Trust()); err != nil || m.c.Status().Distrust != "" {
		t.Errorf("%v, %+v", err, m.c.Status())
	}
}

// A newer trust document takes the place of the former; an older one is no fault and changes nothing.
func TestATrustDocumentOnlyGrowsNewer(t *testing.T) {
	m := newMachine(t)
	m.enrol()
	first := m.site.Trust()
	d, err := m.site.Keys.Next(trust.Change{})
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range [][]byte{d.Envelope(), first} {
		if err := m.c.Believe(nil, document); err != nil {
			t.Fatal(err)
		}
		m.start()
		if s := m.c.Status(); s.Trust != d.Version || d.Version < 2 || s.Distrust != "" {
			t.Errorf("status %+v", s)
		}
	}
}

// A task that the site's next key signs is believed after the next policy, and what the former one signs goes on to be.
func TestTheNextTaskKeyIsBelievedWithTheNextPolicy(t *testing.T) {
	m := newMachine(t)
	m.enrol()
	const kind = "application/vnd.statewire.task+xml"
	believes := func(envelope []byte) bool {
		_, _, err := m.c.Document().OpenTask(envelope, kind, time.Now())
		return err == nil
	}
	task := func() []byte {
		id, key, err := m.site.Keys.TaskKey()
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := trust.SignEnvelope(kind, []byte("<x/>"), id, key)
		if err != nil {
			t.Fatal(err)
		}
		return envelope
	}
	former := task()
	id, _, _ := m.site.Keys.TaskKey()
	for _, change := range []trust.Change{{}, {Drop: []string{id}}} {
		d, err := m.site.Keys.Next(change)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.site.Keys.Load(d.Envelope()); err != nil {
			t.Fatal(err)
		}
		next, known := task(), change.Drop == nil // with both keys the site signs with the one that agents know
		if believes(next) != known || !believes(former) {
			t.Errorf("before the policy: next %v, former %v", believes(next), believes(former))
		}
		if err := m.c.Believe(nil, m.site.Trust()); err != nil {
			t.Fatal(err)
		}
		m.start()
		if !believes(next) || believes(former) != known {
			t.Errorf("after the policy: next %v, former %v", believes(next), believes(former))
		}
	}
}

// Whoever is not enrolled has nothing to compare with.
func TestOnlyEnrolledClientsAreToldWhomToBelieve(t *testing.T) {
	m := newMachine(t)
	if err := m.c.Believe([]byte(m.site.Bundle()), m.site.Trust()); err != nil || m.c.Document() != nil {
		t.Errorf("%v, %v", err, m.c.Document())
	}
	if _, renewed, err := m.c.Renew(t.Context(), m.sender()); err == nil || renewed {
		t.Error("renewed without a certificate")
	}
	if _, due := m.c.dueIn(); due {
		t.Error("due without a certificate")
	}
}

// Before it is enrolled, the configuration alone decides whom a client believes; then, both.
func TestTheConfiguredAuthorityGoesOnToCount(t *testing.T) {
	m := newMachine(t)
	corporate := agenttest.NewCertAuthority(t)
	base, err := transport.Trust([]byte(corporate.PEM()), "")
	if err != nil {
		t.Fatal(err)
	}
	try := func() transport.Answer {
		s, err := transport.NewSender(m.relay, m.c.TLS(base, "127.0.0.1"), 2)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return s.Post(t.Context(), []byte("<Report/>"))
	}
	if answer := try(); answer.Status != 0 {
		t.Errorf("before: %+v", answer)
	}
	m.enrol()
	if answer := try(); answer.Outcome != transport.Accepted {
		t.Errorf("with the site's authority: %+v", answer)
	}
	m.site.Mu.Lock()
	site := m.site.CA
	m.site.CA = []*agenttest.CertAuthority{corporate}
	m.site.Mu.Unlock()
	if answer := try(); answer.Outcome != transport.Accepted {
		t.Errorf("with the configured authority: %+v", answer)
	}
	base, err = transport.Trust(nil, strings.Repeat("ab", 32))
	if err != nil {
		t.Fatal(err)
	}
	m.site.Mu.Lock()
	m.site.CA = site
	m.site.Mu.Unlock()
	if answer := try(); answer.Status != 0 {
		t.Errorf("a pin that does not fit: %+v", answer)
	}
	for name, host := range map[string]string{"another address": "192.0.2.1", "another name": "mp.example"} {
		none, _ := transport.Trust(nil, "")
		s, err := transport.NewSender(m.relay, m.c.TLS(none, host), 2)
		if err != nil {
			t.Fatal(err)
		}
		if answer := s.Post(t.Context(), []byte("<Report/>")); answer.Status != 0 {
			t.Errorf("%s: %+v", name, answer)
		}
		s.Close()
	}
	late := func() time.Time { return time.Now().AddDate(20, 0, 0) }
	m.c.now = late
	none, _ := transport.Trust(nil, "")
	s, err := transport.NewSender(m.relay, m.c.TLS(none, "127.0.0.1"), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if answer := s.Post(t.Context(), []byte("<Report/>")); answer.Status != 0 {
		t.Errorf("a relay whose certificate expired: %+v", answer)
	}
}
