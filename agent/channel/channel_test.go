package channel

import (
	"errors"
	"log/slog"
	"strings"
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
	bubble(t, func(t *testing.T, s *site) { // which comes at another random moment than the first connection
		s.at.Known = false
		s.start(func(d *Deps) { d.StartupJitter = 10 * time.Minute })
		after(10*time.Minute + 29*time.Second)
		if len(s.signedIn()) != 0 {
			t.Error("it does not wait for a poll that is not due yet")
		}
		after(2 * time.Second)
		if len(s.signedIn()) != 1 {
			t.Error("without an answer it waits for more than 30 s after the last moment")
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

// The server ends the elder session before the newer one is confirmed: that is no reason to come back over HTTP.
// Two agents with one copied store: each connects once in 15 minutes at most after the server has found out.
// The policy may come while the client connects to where it belonged before.
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

// Whoever reads the log learns each reason once in a row, a revocation among refused connections as well.
func TestEachOtherFailureIsLoggedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var text strings.Builder
		s.down[push], s.down[host] = refusedErr, refusedErr
		s.start(func(d *Deps) { d.Log = slog.New(slog.NewTextHandler(&text, nil)) })
		after(20 * time.Minute)
		s.set(func() {
			delete(s.down, push)
			s.answer = func(wire.SignInMessage) []byte { return goodbye(wire.CloseRevoked, "", 0) }
		})
		after(4 * time.Hour)
		s.stop()
		lines, client := text.String(), " client=GUID:"+strings.ToUpper(s.id.String())+" "
		if strings.Count(lines, "level=WARN") != 2 || strings.Count(lines, `msg="channel failed"`+client) != 2 ||
			strings.Count(lines, "why=\"tcp push.example:10123: connection refused") != 1 ||
			strings.Count(lines, "revoked this client's certificate") != 1 {
			t.Errorf("the log is %s", lines)
		}
	})
}
