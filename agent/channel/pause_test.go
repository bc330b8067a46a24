package channel

import (
	"strings"
	"testing"
	"time"

	"statewire/notifier/wire"
)

func TestAServerThatRefusesIsNotAvoidedOverHTTP(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.answer = func(wire.SignInMessage) []byte { return goodbye(wire.CloseLimit, "25000 are here", time.Minute) }
		c := s.start()
		after(59 * time.Second)
		if len(s.dials[host]) > 0 || len(s.signedIn()) != 1 || !strings.Contains(c.Status().Failure, "25000 are here") {
			t.Errorf("dials %v, %d sign-ins, %+v", s.dials, len(s.signedIn()), c.Status())
		}
	})
}

func TestALostConnectionComesBackWithFullJitter(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.down[push], s.down[host] = refusedErr, refusedErr
		s.start()
		after(24 * time.Hour)
		s.mu.Lock()
		dials := s.dials[push]
		s.mu.Unlock()
		most, sum, n := time.Duration(0), time.Duration(0), 0
		for i := 1; i < len(dials); i++ {
			pause, bound := dials[i].Sub(dials[i-1]), min(time.Second<<min(i-1, 10), 5*time.Minute)
			if pause > bound {
				t.Errorf("pause %d is %v, want at most %v", i, pause, bound)
			}
			if i > 10 {
				most, sum, n = max(most, pause), sum+pause, n+1
			}
		}
		if average := sum / time.Duration(n); average < 2*time.Minute || average > 3*time.Minute || most < 4*time.Minute {
			t.Errorf("%d pauses of %v on average and at most %v; want them all over 0 to 5 minutes", n, average, most)
		}
	})
}

// The time without a connection begins when it was lost, however often the client tries since.
func TestTheTimeWithoutAConnectionBeginsOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		c := s.start()
		after(time.Minute)
		s.set(func() { s.down[push], s.down[host] = refusedErr, refusedErr })
		lost := time.Now()
		s.cut()
		after(time.Hour)
		if st := c.Status(); !st.DownFrom.Equal(lost) || !st.FailedAt.After(lost.Add(50*time.Minute)) {
			t.Errorf("lost at %v, and its status is %+v", lost, st)
		}
	})
}

func TestOneThatIsTakenAndDroppedAtOnceIsNoSuccess(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.answer = func(m wire.SignInMessage) []byte {
			return append(s.confirm(m.Session), goodbye(wire.CloseReplaced, "", 0)...)
		}
		s.start()
		after(time.Hour)
		if n := len(s.signedIn()); n > 60 {
			t.Errorf("%d sign-ins in an hour", n)
		}
	})
}

func TestWhatTheServerSaysLastIsObeyed(t *testing.T) {
	for _, tt := range []struct {
		code     wire.CloseCode
		after    time.Duration
		from, to time.Duration // when the next sign-in comes; 0 = not within two hours
		words    string
	}{
		{wire.CloseLimit, 2 * time.Minute, 2 * time.Minute, 2*time.Minute + 31*time.Second, "the server is full"},
		{wire.CloseStopping, 30 * time.Second, 30 * time.Second, 38 * time.Second, "push2.example"},
		{wire.CloseStopping, 0, 0, time.Second, "push2.example"},
		{wire.CloseStopping, 23 * time.Hour, time.Hour, 75 * time.Minute, "push2.example"},
		{wire.CloseDuplicate, 0, 15 * time.Minute, 20 * time.Minute, "another machine has this client's identity"},
		{wire.CloseDuplicate, 17 * time.Minute, 17 * time.Minute, 17 * time.Minute, "agent new-id"},
		{wire.CloseWrongServer, 0, 0, time.Second, `another server ("push2.example")`},
		{wire.CloseNotYours, 0, time.Hour, 75 * time.Minute, "the certificate is another client's"},
		{wire.CloseRevoked, 0, time.Hour, 75 * time.Minute, "agent enroll"},
		{wire.CloseReplaced, 0, 0, time.Second, "signed in elsewhere"},
		{wire.CloseBadFrame, 0, 0, time.Second, "does not understand"},
		{77, 0, 0, time.Second, "code 77"},
	} {
		bubble(t, func(t *testing.T, s *site) {
			c := s.start()
			after(2 * time.Minute)
			ended := time.Now()
			s.say(goodbye(tt.code, "push2.example", tt.after))
			after(time.Millisecond)
			if got := c.Status(); !strings.Contains(got.Failure, tt.words) {
				t.Errorf("code %d is told as %q", tt.code, got.Failure)
			}
			if polls := len(s.wakes); (tt.code == wire.CloseWrongServer) != (polls == 1) { // which names the right one
				t.Errorf("code %d: %d polls", tt.code, polls)
			}
			if tt.from > time.Minute { // a machine that is moved about does not come earlier for it
				c.Check("the machine slept")
			}
			after(2 * time.Hour)
			all := s.signedIn()
			if len(all) < 2 {
				t.Fatalf("code %d: it does not come back", tt.code)
			}
			pause := all[1].at.Sub(ended)
			if pause < tt.from || pause > tt.to+time.Millisecond || all[1].Channel != wire.TCP ||
				all[1].Reason != wire.ReasonReconnect {
				t.Errorf("code %d, retry after %v: it comes back after %v, %+v; want %v to %v", tt.code, tt.after, pause, all[1],
					tt.from, tt.to)
			}
		})
	}
}

func TestTwoMachinesWithOneIdentityComeRarely(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		c := s.start()
		after(time.Minute)
		s.say(goodbye(wire.CloseDuplicate, "", 15*time.Minute))
		after(time.Millisecond)
		if !c.Status().Duplicate {
			t.Error("the status does not tell")
		}
		for range 8 { // it comes back, and the other one takes over each time
			after(25 * time.Minute)
			s.say(goodbye(wire.CloseReplaced, "", 0))
		}
		all := s.signedIn()
		for i := 2; i < len(all); i++ {
			if pause := all[i].at.Sub(all[i-1].at); pause < 15*time.Minute {
				t.Errorf("sign-in %d comes %v after the one before", i, pause)
			}
		}
		if len(all) < 8 {
			t.Errorf("%d sign-ins", len(all))
		}
	})
}

func TestARevokedClientComesBackWithANewCertificate(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		c := s.start()
		after(time.Minute)
		s.say(goodbye(wire.CloseRevoked, "", 0))
		after(time.Minute)
		if !c.Status().Final || len(s.signedIn()) != 1 {
			t.Errorf("%d sign-ins, %+v", len(s.signedIn()), c.Status())
		}
		c.Reconnect("enrolled anew")
		after(time.Millisecond)
		if st := c.Status(); len(s.signedIn()) != 2 || st.Transport != "TCP" || st.Final {
			t.Errorf("%d sign-ins, %+v", len(s.signedIn()), st)
		}
	})
}

// A thousand clients that lose their server together do not come back together.
func TestACrowdIsSpread(t *testing.T) {
	for _, tt := range []struct {
		err          error
		least, width time.Duration
	}{
		{errSilent, 0, time.Second},
		{&closed{CloseMessage: wire.CloseMessage{Code: wire.CloseStopping, RetryAfter: 40 * time.Second}}, 40 * time.Second,
			10 * time.Second},
		{&closed{CloseMessage: wire.CloseMessage{Code: wire.CloseDuplicate}}, 15 * time.Minute, 5 * time.Minute},
	} {
		var tenths [10]int
		for range 1000 {
			pause := (&Channel{}).pause(end{err: tt.err}) - tt.least
			if pause < 0 || pause >= tt.width {
				t.Fatalf("after %v a client comes back after %v", tt.err, pause+tt.least)
			}
			tenths[pause*10/tt.width]++
		}
		for i, n := range tenths {
			if n < 50 || n > 170 {
				t.Errorf("after %v %d of 1000 come back in tenth %d of %v", tt.err, n, i, tt.width)
			}
		}
	}
}
