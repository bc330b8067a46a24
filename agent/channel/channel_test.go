package channel

import (
	"crypto/tls"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"statewire/notifier/wire"
)

func TestAClientSignsInOverTCP(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		c := s.start()
		after(time.Second)
		all := s.signedIn()
		if len(all) != 1 {
			t.Fatalf("%d sign-ins, want one", len(all))
		}
		m := all[0]
		if m.Client != s.id || m.Version != "1.4.0" || m.Session != 1 || m.Boot != "5d1c" || m.Channel != wire.TCP ||
			m.Reason != wire.ReasonStart || m.Why != "" || !m.Time.Equal(m.at) || m.server != push {
			t.Errorf("it signed in as %+v", m)
		}
		st := c.Status()
		if st.Transport != "TCP" || st.Server != push || st.Session != 1 || st.KeepAlive != 15*time.Minute ||
			!st.Since.Equal(m.at) || st.Local == "" || st.Remote == "" || st.LastIn.IsZero() || st.LastOut.IsZero() ||
			st.Failure != "" || !st.DownFrom.IsZero() || st.Waits != "" {
			t.Errorf("its status is %+v", st)
		}
	})
}

func TestTheFirstConnectionComesAtARandomMoment(t *testing.T) {
	early, late := time.Hour, time.Duration(0)
	for range 20 {
		bubble(t, func(t *testing.T, s *site) {
			began := time.Now()
			c := s.start(func(d *Deps) { d.StartupJitter = 10 * time.Minute })
			after(time.Millisecond)
			if st := c.Status(); st.Waits == "" || st.NextTry.IsZero() {
				t.Errorf("meanwhile its status is %+v", st)
			}
			c.Reconnect("a certificate that was just renewed") // does not make it hurry
			after(10*time.Minute + time.Second)
			if n := len(s.signedIn()); n != 1 {
				t.Fatalf("%d sign-ins in ten minutes", n)
			}
			took := s.signedIn()[0].at.Sub(began)
			early, late = min(early, took), max(late, took)
		})
	}
	if early > 4*time.Minute || late < 6*time.Minute || late > 10*time.Minute {
		t.Errorf("20 clients came within %v to %v, want them spread over ten minutes", early, late)
	}
}

func TestAClientWithoutAPolicyWaitsForItsFirstPoll(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.at.Known = false
		c := s.start()
		after(29 * time.Second)
		if len(s.signedIn()) != 0 {
			t.Fatal("it did not wait")
		}
		s.set(func() { s.at = Addresses{Notifier: "push2.example:10123", Relay: mp, Known: true} })
		c.Look()
		after(time.Millisecond)
		if all := s.signedIn(); len(all) != 1 || all[0].server != "push2.example:10123" {
			t.Errorf("with its policy it signed in as %+v", all)
		}
	})
	bubble(t, func(t *testing.T, s *site) {
		s.at.Known = false
		s.start()
		after(31 * time.Second)
		if len(s.signedIn()) != 1 {
			t.Error("without an answer it waits for more than 30 s")
		}
	})
}

func TestAClientThatIsNotEnrolledWaitsWithoutNoise(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.enrolled = false
		c := s.start()
		after(time.Hour)
		if len(s.dials) > 0 || c.Status().Failure != "" || c.Status().Waits != "for a certificate" {
			t.Fatalf("it dialled %v; status %+v", s.dials, c.Status())
		}
		s.set(func() { s.enrolled = true })
		c.Reconnect("enrolled")
		after(time.Millisecond)
		if len(s.signedIn()) != 1 {
			t.Error("with a certificate it does not connect at once")
		}
	})
	bubble(t, func(t *testing.T, s *site) { // the first policy comes after the certificate
		s.enrolled, s.at.Known = false, false
		c := s.start()
		after(time.Hour)
		s.set(func() { s.enrolled = true })
		c.Reconnect("enrolled")
		after(29 * time.Second)
		if len(s.signedIn()) != 0 {
			t.Error("it does not wait for its first policy")
		}
		after(2 * time.Second)
		if len(s.signedIn()) != 1 {
			t.Error("it does not connect without a policy")
		}
	})
}

func TestTheSessionIsKeptBeforeTheSignIn(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.answer = func(m wire.SignInMessage) []byte {
			if next, err := s.sessions.NextSession(); err != nil || next != m.Session+1 {
				t.Errorf("when session %d comes, the store would give %d, %v", m.Session, next, err)
			}
			return s.confirm(812)
		}
		c := s.start()
		after(time.Second)
		if got := c.Status().Session; got != 812 {
			t.Errorf("its session is %d, the server said 812", got)
		}
		s.say(s.confirm(900)) // raised: another server knows a later one
		after(time.Second)
		s.say(s.confirm(5))
		after(time.Second)
		if next, err := s.sessions.NextSession(); err != nil || next != 901 {
			t.Errorf("the next session is %d, %v; want 901", next, err)
		}
	})
}

func TestTheServersSessionIsKept(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.answer = func(m wire.SignInMessage) []byte { return s.confirm(max(812, m.Session)) }
		c := s.start()
		after(time.Second)
		c.Reconnect("the test")
		after(time.Second)
		if all := s.signedIn(); len(all) != 2 || all[1].Session != 813 {
			t.Errorf("after session 812 it came as %+v", all)
		}
	})
}

// A server that speaks is no reason to go round it.
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

func TestASessionThatCannotBeKeptIsNotUsed(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		c := s.start(func(d *Deps) { d.Sessions = broken{} })
		after(time.Minute)
		if len(s.signedIn()) > 0 || !strings.Contains(c.Status().Failure, "disk is gone") {
			t.Errorf("sign-ins %v, failure %q", s.signedIn(), c.Status().Failure)
		}
	})
}

type broken struct{}

func (broken) NextSession() (uint64, error) { return 0, errors.New("the disk is gone") }
func (broken) KeepSession(uint64) error     { return errors.New("the disk is gone") }

func TestWithoutTCPTheClientGoesOverHTTPAtOnce(t *testing.T) {
	for _, tt := range []struct {
		down   error
		within time.Duration
		why    string
	}{
		{refusedErr, time.Second, "tcp push.example:10123: connection refused"},
		{errDropped, 11 * time.Second, "tcp push.example:10123: no answer in 10s"},
		{syscall.EHOSTUNREACH, time.Second, "tcp push.example:10123: no route"},
	} {
		bubble(t, func(t *testing.T, s *site) {
			s.down[push] = tt.down
			began := time.Now()
			c := s.start()
			after(20 * time.Second)
			all := s.signedIn()
			if len(all) != 1 {
				t.Fatalf("%d sign-ins", len(all))
			}
			m := all[0]
			if m.Channel != wire.HTTP || m.Reason != wire.ReasonFallback || !strings.HasPrefix(m.Why, tt.why) ||
				m.at.Sub(began) > tt.within || m.server != host {
				t.Errorf("after %v it came as %+v; want %q within %v", m.at.Sub(began), m, tt.why, tt.within)
			}
			st := c.Status()
			if st.Transport != "HTTP" || st.Server != mp || !strings.HasPrefix(st.Failure, tt.why) || st.KeepAlive != 0 ||
				st.NextTCP.Sub(m.at) < 4*time.Minute-11*time.Second || st.NextTCP.Sub(m.at) > 6*time.Minute {
				t.Errorf("status %+v", st)
			}
		})
	}
}

func TestTheWayBackToTCP(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.down[push] = refusedErr
		c := s.start()
		after(4 * time.Hour)
		s.mu.Lock()
		dials := s.dials[push]
		s.mu.Unlock()
		want := []time.Duration{5, 10, 20, 40, 60, 60}
		for i := 1; i < len(dials) && i <= len(want); i++ {
			pause, about := dials[i].Sub(dials[i-1]), want[i-1]*time.Minute
			if pause < about*8/10 || pause > about*12/10 {
				t.Errorf("attempt %d at TCP comes after %v, want %v ± 20 %%", i, pause, about)
			}
		}
		if len(dials) < 6 || len(s.signedIn()) != 1 || c.Status().Transport != "HTTP" {
			t.Fatalf("%d attempts, %d sign-ins, %+v", len(dials), len(s.signedIn()), c.Status())
		}
		s.set(func() { delete(s.down, push) })
		after(73 * time.Minute)
		all := s.signedIn()
		if len(all) != 2 || all[1].Reason != wire.ReasonReturn || all[1].Channel != wire.TCP ||
			all[1].Session <= all[0].Session || c.Status().Transport != "TCP" || !c.Status().NextTCP.IsZero() {
			t.Errorf("back on TCP: %+v, %+v", all, c.Status())
		}
		after(time.Hour)
		if len(s.signedIn()) != 2 {
			t.Error("it does not stay there")
		}
	})
}

// The server ends the elder session before the newer one is confirmed: that is no reason to come back over HTTP.
func TestTheClientChangesOverOnlyWhenTCPIsConfirmed(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.down[push] = refusedErr
		s.answer = func(m wire.SignInMessage) []byte {
			if m.Channel == wire.TCP {
				s.mail <- goodbye(wire.CloseReplaced, "", 0)
				s.mu.Unlock()
				time.Sleep(5 * time.Second) // the relay's answer is there first
				s.mu.Lock()
			}
			return nil
		}
		c := s.start()
		after(time.Minute)
		s.set(func() { delete(s.down, push) })
		after(7 * time.Minute)
		if all := s.signedIn(); len(all) != 2 || c.Status().Transport != "TCP" {
			t.Errorf("%d sign-ins, %+v", len(all), c.Status())
		}
	})
	bubble(t, func(t *testing.T, s *site) {
		s.down[push] = refusedErr
		s.answer = func(m wire.SignInMessage) []byte {
			if m.Channel == wire.TCP {
				return goodbye(wire.CloseLimit, "full", time.Minute)
			}
			return nil
		}
		c := s.start()
		after(time.Minute)
		s.set(func() { delete(s.down, push) })
		after(30 * time.Minute)
		st := c.Status()
		if st.Transport != "HTTP" || st.Since.After(time.Now().Add(-30*time.Minute)) ||
			!strings.Contains(st.Failure, "full") {
			t.Errorf("TCP that is not confirmed ended HTTP: %+v", st)
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
		{wire.CloseStopping, 30 * time.Second, 30 * time.Second, 38 * time.Second, "the server stops"},
		{wire.CloseStopping, 0, 0, time.Second, "the server stops"},
		{wire.CloseStopping, 23 * time.Hour, time.Hour, 75 * time.Minute, "the server stops"},
		{wire.CloseDuplicate, 0, 15 * time.Minute, 20 * time.Minute, "another machine has this client's identity"},
		{wire.CloseDuplicate, 17 * time.Minute, 17 * time.Minute, 22 * time.Minute, "agent new-id"},
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

// Two agents with one copied store: each connects once in 15 minutes at most after the server has found out.
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

func TestANewCertificateMeansANewConnection(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		shown := 0
		c := s.start(func(d *Deps) {
			tlsFor := d.TLS
			d.TLS = func(host string) *tls.Config { shown++; return tlsFor(host) }
		})
		after(time.Minute)
		c.Reconnect("renewed")
		after(time.Millisecond)
		if all := s.signedIn(); len(all) != 2 || all[1].Reason != wire.ReasonReconnect || shown != 2 {
			t.Errorf("%+v with %d handshakes", all, shown)
		}
	})
}

func TestAClientThatIsAssignedElsewhereSignsInThere(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		c := s.start()
		after(time.Minute)
		c.Look() // nothing has changed
		after(time.Minute)
		s.set(func() { s.at.StandIn, s.at.Notifier = true, "push2.example:10123" })
		c.Look() // the assigned relay is away for a while: the connection works
		after(time.Minute)
		if n := len(s.signedIn()); n != 1 {
			t.Fatalf("%d sign-ins", n)
		}
		s.set(func() { s.at.StandIn = false })
		c.Look()
		after(time.Millisecond)
		all := s.signedIn()
		if len(all) != 2 || all[1].server != "push2.example:10123" || all[1].Reason != wire.ReasonReassigned {
			t.Errorf("assigned elsewhere it came as %+v", all)
		}
	})
	bubble(t, func(t *testing.T, s *site) { // over HTTP, too, and there TCP may work
		s.down[push] = refusedErr
		c := s.start()
		after(time.Minute)
		s.set(func() { s.at.Notifier, s.at.Relay = "push2.example:10123", "https://mp2.example:8443" })
		c.Look()
		after(time.Millisecond)
		all := s.signedIn()
		if len(all) != 2 || all[1].server != "push2.example:10123" || all[1].Channel != wire.TCP {
			t.Errorf("assigned elsewhere it came as %+v", all)
		}
		if got := s.frames(wire.Close); len(got) != 1 {
			t.Errorf("the former relay heard %d times that it goes", len(got))
		}
	})
}

// The policy may come while the client connects to where it belonged before.
func TestAnAssignmentThatComesMeanwhileCounts(t *testing.T) {
	for _, down := range []error{nil, refusedErr} {
		bubble(t, func(t *testing.T, s *site) {
			if down != nil {
				s.down[push] = down
			}
			var c *Channel
			s.answer = func(m wire.SignInMessage) []byte {
				if m.Session == 1 {
					s.at.Notifier = "push2.example:10123"
					s.mu.Unlock()
					c.Look()
					s.mu.Lock()
				}
				return nil
			}
			c = s.start(func(d *Deps) { d.StartupJitter = time.Nanosecond })
			after(time.Second)
			if all := s.signedIn(); len(all) != 2 || all[1].server != "push2.example:10123" || c.Status().Transport != "TCP" {
				t.Errorf("%+v, %+v", all, c.Status())
			}
		})
	}
}

func (s *site) frames(kind wire.Kind) (at []time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.heard {
		if h.kind == kind {
			at = append(at, h.at)
		}
	}
	return at
}

func TestKeepAlivesComeAsTheServerWants(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start()
		after(time.Hour + time.Second)
		if got := s.frames(wire.KeepAlive); len(got) != 4 || len(s.signedIn()) != 1 {
			t.Errorf("%d keep-alives in an hour, %d sign-ins", len(got), len(s.signedIn()))
		}
		s.set(func() { s.mute = true })
		after(15*time.Minute + 59*time.Second)
		if len(s.signedIn()) != 1 {
			t.Error("a server that is busy is left")
		}
		after(3 * time.Second)
		if len(s.signedIn()) != 2 {
			t.Error("a server that does not answer is not left")
		}
	})
}

func TestAMachineThatSleptFindsOutWhetherItsConnectionWorks(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		c := s.start()
		after(time.Minute)
		c.Check("the machine slept")
		after(time.Millisecond)
		if len(s.frames(wire.KeepAlive)) != 1 {
			t.Error("it does not ask at once")
		}
		after(time.Minute)
		if len(s.signedIn()) != 1 {
			t.Error("a connection that works is given up")
		}
		s.set(func() { s.mute = true })
		c.Check("the machine's addresses changed")
		after(9 * time.Second)
		if len(s.signedIn()) != 1 {
			t.Error("it does not wait for the answer")
		}
		after(2 * time.Second)
		if len(s.signedIn()) != 2 {
			t.Error("after 10 s without an answer it does not reconnect")
		}
	})
	bubble(t, func(t *testing.T, s *site) { // over HTTP the request is asked anew, and TCP may work now
		s.down[push] = refusedErr
		c := s.start()
		after(time.Minute)
		c.Check("the machine slept")
		after(time.Millisecond)
		if len(s.frames(wire.KeepAlive)) != 1 || len(s.dials[push]) != 2 {
			t.Errorf("heard %v, dials %v", s.heard, s.dials)
		}
		after(time.Minute)
		if len(s.signedIn()) != 1 {
			t.Error("a way that works is given up")
		}
		s.set(func() { s.down[host] = errDropped })
		c.Check("the machine slept")
		after(time.Second)
		s.set(func() { delete(s.down, host); delete(s.down, push) })
		after(12 * time.Second)
		if all := s.signedIn(); len(all) != 2 {
			t.Errorf("after 10 s without an answer it does not reconnect: %+v", c.Status())
		}
	})
	bubble(t, func(t *testing.T, s *site) { // and one that waits for its next attempt tries at once
		s.down[push], s.down[host] = refusedErr, refusedErr
		c := s.start()
		after(time.Hour)
		s.set(func() { s.down = map[string]error{} })
		c.Check("the machine's addresses changed")
		after(time.Millisecond)
		if len(s.signedIn()) != 1 {
			t.Error("it does not try at once")
		}
	})
}

func TestWakesAreObeyedOnceAMinute(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start()
		after(time.Minute)
		began := time.Now()
		for range 10 {
			s.say(wire.AppendFrame(nil, wire.Wake, nil))
			after(time.Second)
		}
		after(5 * time.Minute)
		if len(s.wakes) != 2 || s.wakes[0].Sub(began) != 0 || s.wakes[1].Sub(began) != time.Minute {
			t.Errorf("ten wakes in ten seconds were obeyed at %v after %v", s.wakes, began)
		}
		s.say(wire.AppendFrame(nil, wire.Wake, nil))
		after(time.Millisecond)
		if len(s.wakes) != 3 {
			t.Error("a later one is not obeyed at once")
		}
	})
}

func TestFramesOfLaterVersionsAreSkipped(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.answer = func(m wire.SignInMessage) []byte {
			return append(wire.AppendFrame(nil, 200, []byte("hello")), s.confirm(m.Session)...)
		}
		c := s.start()
		after(time.Second)
		s.say(wire.AppendFrame(nil, 128, []byte("hello")))
		s.say(wire.AppendFrame(nil, wire.Request, []byte("a task: later")))
		after(time.Second)
		if len(s.signedIn()) != 1 || c.Status().Transport != "TCP" {
			t.Errorf("%+v", c.Status())
		}
		s.say(wire.AppendFrame(nil, 99, nil))
		after(time.Minute)
		if len(s.signedIn()) != 2 || len(s.frames(wire.Close)) != 1 {
			t.Error("an unknown frame does not end the connection with a word")
		}
	})
}

func TestAClientOverHTTPSaysThatItGoes(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.down[push] = refusedErr
		s.start()
		after(time.Minute)
		s.stop()
		if len(s.frames(wire.Close)) != 1 {
			t.Error("nobody knows that it is gone")
		}
	})
}
