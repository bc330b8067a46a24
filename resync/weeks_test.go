package resync

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"statewire/resync/gaps"
	"statewire/smx"
)

// run lets a service work in the world until stop; its wall clock is off by so much.
func (w *world) run(t *testing.T, off time.Duration) (s *Service, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w.stamp = func() time.Time { return time.Now().Add(off).UTC() }
	s = newService(w.cfg, Deps{Clock: w.stamp, Unread: w.listed}, slog.New(slog.DiscardHandler))
	s.ledger = w
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// listed is what the service is told of the inbox.
func (w *world) listed(context.Context) (gaps.Unread, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unread(), nil
}

// live lets the clients live for so long, in quarters of an hour: they report, now and then a report is lost, they poll
// hourly and answer what is asked, and the loader lags behind by up to lag.
func (w *world) live(t *testing.T, s *Service, span, lag time.Duration, loss float64) {
	t.Helper()
	for quarter := range int(span / (15 * time.Minute)) {
		time.Sleep(15 * time.Minute)
		w.quarter(t, s, quarter, lag, loss)
	}
	time.Sleep(time.Second)
	synctest.Wait()
}

// quarter is what happens at the end of a quarter of an hour.
func (w *world) quarter(t *testing.T, s *Service, quarter int, lag time.Duration, loss float64) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.load()
	w.blocked = lag > 0 && quarter%400 < 8
	for n, m := range w.sorted() {
		if !m.dead && w.rand.Float64() < 0.05 {
			w.send(m, 1+w.rand.Uint64N(5), false, w.delay(lag), w.rand.Float64() < loss)
		}
		if !m.dead && (quarter+n)%4 == 0 {
			w.poll(t, s, m, lag, loss)
		}
	}
}

// delay is how long a report waits in the inbox: mostly not, now and then for days.
func (w *world) delay(lag time.Duration) time.Duration {
	if lag == 0 || w.rand.Float64() < 0.9 {
		return 0
	}
	return time.Duration(w.rand.Int64N(int64(lag)))
}

// poll is a client that asks for its policy and carries it out.
func (w *world) poll(t *testing.T, s *Service, m *machine, lag time.Duration, loss float64) {
	t.Helper()
	asked, err := s.offers.answer(smx.Poll{Client: m.id, LastSerial: m.serial}, s.now())
	if errors.Is(err, ErrNotReady) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if asked != nil && asked.number > m.done {
		m.done = asked.number
		m.serial = max(m.serial, asked.next-1)
		w.send(m, 4, true, w.delay(lag), w.rand.Float64() < loss)
	}
}

// Weeks of a fleet that loses reports, with a loader that lags for days, clients that died with gaps, and a service
// that is started anew every few days, now and then with a wall clock that is years off.
func TestWeeksKeepEveryLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const day = 24 * time.Hour
	years := 10 * 365 * day
	for _, seed := range []uint64{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.MaxOutstanding = 5
			w := newWorld(seed, cfg, 60)
			for n := range 12 {
				dead := w.clients[client(n)]
				dead.dead = true
				dead.seen, dead.serial, dead.lost = 9, 9, []hole{{last: 5}} // the oldest gaps of all, for ever
			}
			for _, off := range []time.Duration{0, 0, years, years, -years, 0, 0} {
				s, stop := w.run(t, off)
				w.live(t, s, 5*day, 100*time.Hour, 0.1)
				stop()
			}
			s, stop := w.run(t, 0)
			w.live(t, s, 20*day, 0, 0)
			stop()
			for _, v := range w.violations {
				t.Errorf("seed %d: %s", seed, v)
			}
			for n, m := range w.sorted() {
				switch asked := len(m.askedAll); {
				case !m.dead && len(m.open)+len(m.lost) > 0:
					t.Errorf("seed %d: client %d has gaps %v after weeks without loss; asked %d times", seed, n, m.open,
						asked)
				case m.dead && asked < 2:
					t.Errorf("seed %d: client %d never answered and was asked %d times", seed, n, asked)
				}
			}
			t.Logf("seed %d: %d resyncs", seed, w.issued)
		})
	}
}

// A client that does not answer is asked again after three days, as long as that is needed.
func TestTheUnansweredAreAskedAgainAfterThreeDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, DefaultConfig(), 1)
		m := w.clients[client(0)]
		m.dead, m.seen, m.lost = true, 9, []hole{{last: 5}}
		s, stop := w.run(t, 0)
		w.live(t, s, 21*24*time.Hour, 0, 0)
		stop()
		if len(m.askedAll) != 7 { // 48 h, and then every 72 h until 504 h
			t.Errorf("asked at %v", m.askedAll)
		}
		for i := 1; i < len(m.askedAll); i++ {
			if apart := m.askedAll[i].Sub(m.askedAll[i-1]); apart < 72*time.Hour || apart > 74*time.Hour {
				t.Errorf("asked again after %s", apart)
			}
		}
	})
}

// naive is the rule of older systems: three days after the request it is repeated unless the completion has been
// processed, wherever the answer may be.
func naive(w *world) { w.unread = func() gaps.Unread { return gaps.Unread{} } }

// The answer of a client waits in the inbox of a backlogged site for longer than three days: asking again would make
// the backlog worse. Under the naive rule the site does just that.
func TestAnAnswerThatWaitsIsNotAskedForAgain(t *testing.T) {
	tests := []struct {
		name  string
		rule  func(*world)
		again bool
	}{
		{"the site looks into its inbox", func(*world) {}, false},
		{"the naive rule", naive, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(1, DefaultConfig(), 1)
				test.rule(w)
				m := w.clients[client(0)]
				m.seen, m.serial, m.lost = 9, 9, []hole{{last: 5}}
				m.dead = true // speaks only when this test lets it
				s, stop := w.run(t, 0)
				w.live(t, s, 50*time.Hour, 0, 0)
				w.poll(t, s, m, 0, 0)
				w.inbox[0].due = time.Now().Add(200 * time.Hour)
				w.live(t, s, 199*time.Hour, 0, 0)
				if again := len(m.askedAll) > 1; again != test.again {
					t.Errorf("asked %d times while the answer waited", len(m.askedAll))
				}
				if (len(w.violations) > 0) != test.again {
					t.Errorf("violations: %v", w.violations)
				}
				w.live(t, s, 100*time.Hour, 0, 0)
				stop()
				if len(m.open) != 0 {
					t.Errorf("open after the answer was read: %v", m.open)
				}
			})
		})
	}
}

// A restored site has gaps for everybody: they are asked in turn, as fast as they answer and never more at once than
// the bound.
func TestMassGapsArePacedByTheirAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.MaxOutstanding = 50
		w := newWorld(1, cfg, 2000)
		for _, m := range w.clients {
			m.seen, m.serial, m.lost = 9, 9, []hole{{last: 5}}
		}
		s, stop := w.run(t, 0)
		defer stop()
		w.live(t, s, 49*time.Hour, 0, 0)
		began := time.Now()
		for open := len(w.clients); open > 0; {
			w.live(t, s, time.Hour, 0, 0)
			open = 0
			for _, m := range w.clients {
				open += len(m.open)
			}
			if time.Since(began) > 100*time.Hour {
				t.Fatalf("%d clients still have gaps after %s", open, time.Since(began))
			}
		}
		for _, v := range w.violations {
			t.Error(v)
		}
		if hours := time.Since(began).Hours(); hours > 60 {
			t.Errorf("took %.0f hours: free places wait for the next check", hours)
		}
	})
}

// New settings are in force at once: no restart, no waiting for the next check.
func TestSettingsChangeWhileTheServiceRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.MaxOutstanding = 2
		w := newWorld(1, cfg, 20)
		for _, m := range w.clients {
			m.seen, m.serial, m.lost, m.dead = 9, 9, []hole{{last: 5}}, true
		}
		s, stop := w.run(t, 0)
		defer stop()
		w.live(t, s, 50*time.Hour, 0, 0)
		if w.issued != 2 {
			t.Errorf("issued %d, want 2", w.issued)
		}
		bad := cfg
		bad.MaxOutstanding = 0
		s.Configure(bad)
		w.cfg.MaxOutstanding = 7
		s.Configure(w.cfg)
		synctest.Wait()
		if w.issued != 7 || len(w.violations) > 0 {
			t.Errorf("issued %d, want 7; violations %v", w.issued, w.violations)
		}
	})
}
