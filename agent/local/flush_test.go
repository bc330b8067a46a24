package local

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"statewire/agent"
	"statewire/agent/cache"
)

// standing is an agent whose status is what a test says, some time after it was asked to send.
type standing struct {
	operated
	asked  time.Time
	status func(since time.Duration) agent.Status
}

func (s *standing) SendNow()                    { s.asked = time.Now() }
func (s *standing) Sent() ([]cache.Sent, error) { return nil, nil }
func (s *standing) Status() (agent.Status, error) {
	if s.asked.IsZero() {
		return s.status(0), nil
	}
	return s.status(time.Since(s.asked)), nil
}

func TestSendingAtOnceEndsWhenItsOutcomeIsKnown(t *testing.T) {
	after := func(d, since time.Duration, before, later agent.Status) agent.Status {
		if since < d {
			return before
		}
		return later
	}
	waits := agent.Status{Unsent: 3, Attempts: 7, Problem: "an old one"}
	for _, tt := range []struct {
		name        string
		status      func(since time.Duration) agent.Status
		done        bool
		says        string
		least, most time.Duration
	}{
		{"nothing waits", func(time.Duration) agent.Status { return agent.Status{} }, true, "", 0, 0},
		{"it is sent", func(since time.Duration) agent.Status {
			return after(300*time.Millisecond, since, waits, agent.Status{Attempts: 8})
		}, true, "", 300 * time.Millisecond, 2 * time.Second},
		{"an old problem is no answer, a new one is", func(since time.Duration) agent.Status {
			return after(3*time.Second, since, waits, agent.Status{Unsent: 3, Attempts: 8, Problem: "a new one"})
		}, false, "a new one", 3 * time.Second, 5 * time.Second},
		{"several reports, the last of which fails", func(since time.Duration) agent.Status {
			return after(time.Second, since, waits, after(20*time.Second, since, agent.Status{Unsent: 2, Attempts: 8},
				agent.Status{Unsent: 1, Attempts: 9, Problem: "later"}))
		}, false, "later", 20 * time.Second, 22 * time.Second},
		{"the policy holds the rest back", func(time.Duration) agent.Status {
			return agent.Status{Unsent: 1, PausedTopics: []uint32{500}}
		}, false, "policy", flushSilence, flushSilence + 2*time.Second},
		{"a relay that does not end", func(time.Duration) agent.Status { return waits }, false, "in the background",
			flushTimeout, flushTimeout + time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, began := &Server{agent: &standing{status: tt.status}}, time.Now()
				got, err := s.flush(t.Context(), nil)
				took := time.Since(began)
				if err != nil || got.Done != tt.done || !strings.Contains(got.Problem, tt.says) || took < tt.least ||
					took > tt.most {
					t.Errorf("after %v: %+v, %v; want done %v, %q, after %v to %v",
						took, got, err, tt.done, tt.says, tt.least, tt.most)
				}
			})
		})
	}
}

// broken is an agent whose store has failed.
type broken struct{ operated }

var errStore = errors.New("the disk is gone")

func (broken) SendNow()                      {}
func (broken) Status() (agent.Status, error) { return agent.Status{}, errStore }

func TestAStoreThatFailsIsSaid(t *testing.T) {
	if got, err := (&Server{agent: broken{}}).flush(t.Context(), nil); !errors.Is(err, errStore) {
		t.Errorf("flush says %+v, %v; want %v", got, err, errStore)
	}
}

// posted is an agent that sent reports before, and sends others when it is asked to.
type posted struct {
	standing
	before, after []cache.Sent
}

func (p *posted) Sent() ([]cache.Sent, error) {
	if p.asked.IsZero() {
		return p.before, nil
	}
	return append(p.before, p.after...), nil
}

// The receipt is of what was to be sent now. That of an earlier report, beside a problem, would say that it arrived.
func TestOnlyTheReceiptOfWhatIsSentNowIsSaid(t *testing.T) {
	earlier := []cache.Sent{{Serial: 1, Outcome: cache.Accepted, Receipt: "r1"}, {Serial: 2, Outcome: cache.Refused}}
	fails := agent.Status{Unsent: 1, Attempts: 8, Problem: "the relay does not answer"}
	for _, tt := range []struct {
		name   string
		status agent.Status
		after  []cache.Sent
		want   string
	}{
		{"it is sent", agent.Status{Attempts: 8}, []cache.Sent{{Serial: 3, Outcome: cache.Accepted, Receipt: "r2"}}, "r2"},
		{"the last of several", agent.Status{Attempts: 9}, []cache.Sent{{Serial: 3, Outcome: cache.Accepted,
			Receipt: "r2"}, {Serial: 4, Outcome: cache.Accepted, Receipt: "r3"}}, "r3"},
		{"it fails", fails, []cache.Sent{{Serial: 3, Outcome: cache.Unsettled}}, ""},
		{"the first part is sent", fails, []cache.Sent{{Serial: 3, Outcome: cache.Accepted, Receipt: "r2"},
			{Serial: 4, Outcome: cache.Unsettled}}, "r2"},
		{"nothing waits", agent.Status{}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &posted{before: earlier, after: tt.after}
				p.status = func(since time.Duration) agent.Status {
					if since == 0 && tt.status.Attempts > 0 {
						return agent.Status{Unsent: 1, Attempts: 7}
					}
					return tt.status
				}
				s := &Server{agent: p}
				old, err := s.receipts()
				if err != nil {
					t.Fatal(err)
				}
				if got, err := s.flush(t.Context(), old); err != nil || got.Receipt != tt.want {
					t.Errorf("%+v, %v; want receipt %q", got, err, tt.want)
				}
			})
		})
	}
}
