package channel

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"statewire/notifier/wire"
)

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

// A site that was started anew knows only what the sign-ins since say.
func TestEverySignInOverHTTPSaysWhatTCPMetLast(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.down[push] = refusedErr
		s.start()
		after(time.Minute)
		restart := func(want string) {
			t.Helper()
			s.mail <- goodbye(wire.CloseStopping, "", 0)
			after(2 * time.Second)
			all := s.signedIn()
			if last := all[len(all)-1]; last.Reason != wire.ReasonReconnect || last.Channel != wire.HTTP ||
				!strings.HasPrefix(last.Why, "tcp push.example:10123: "+want) {
				t.Errorf("after a restart it came as %+v; want %q", last, want)
			}
		}
		restart("connection refused")
		s.set(func() { s.down[push] = errDropped })
		after(7 * time.Minute) // meanwhile it tried TCP again
		restart("no answer in 10s")
	})
}
