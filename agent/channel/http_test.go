package channel

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"statewire/notifier/wire"
)

// onHTTP is a client that has no other way.
func onHTTP(t *testing.T, test func(t *testing.T, s *site)) {
	t.Helper()
	bubble(t, func(t *testing.T, s *site) {
		s.down[push] = refusedErr
		test(t, s)
	})
}

func TestOneHeldRequestFollowsAnother(t *testing.T) {
	onHTTP(t, func(t *testing.T, s *site) {
		type ask struct {
			session uint64
			ack     string
			at      time.Time
		}
		var asked []ask
		s.answer = func(wire.SignInMessage) []byte { return s.confirm(40) }
		s.http = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || r.URL.Path != "/mp/channel" || r.ProtoMajor != 1 {
				t.Errorf("%s %s, HTTP/%d", r.Method, r.URL, r.ProtoMajor)
			}
			s.set(func() { asked = append(asked, ask{session(r), r.Header.Get("Statewire-Ack"), time.Now()}) })
			return false
		}
		c := s.start()
		after(4 * time.Minute)
		if len(asked) < 5 || asked[0].session != 0 || asked[1].session != 40 || asked[1].ack != "0" || s.mostHeld != 1 {
			t.Errorf("%+v; at most %d at one time", asked, s.mostHeld)
		}
		for i := 3; i < len(asked); i++ {
			if pause := asked[i].at.Sub(asked[i-1].at); pause != 50*time.Second {
				t.Errorf("request %d comes %v after the one before", i, pause)
			}
		}
		s.mail <- append(s.confirm(99), wire.AppendFrame(nil, wire.Wake, nil)...)
		after(2 * time.Minute)
		if last := asked[len(asked)-1]; last.session != 99 || len(s.wakes) != 1 || len(s.signedIn()) != 1 {
			t.Errorf("raised to 99 and woken: %+v, %d wakes; %+v", last, len(s.wakes), c.Status())
		}
	})
}

func TestARelayThatAsksToBeLeftAloneIs(t *testing.T) {
	onHTTP(t, func(t *testing.T, s *site) {
		asked := 0
		s.http = func(w http.ResponseWriter, _ *http.Request) bool {
			asked++
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"code":"channel_full","detail":"as many clients wait here as may"}`)
			return true
		}
		c := s.start()
		after(119 * time.Second)
		c.Check("the machine slept")
		after(500 * time.Millisecond)
		if asked != 1 || !strings.Contains(c.Status().Failure, "503 channel_full: as many clients") ||
			!strings.Contains(c.Status().Failure, "tcp "+push) {
			t.Errorf("asked %d times in two minutes; %q", asked, c.Status().Failure)
		}
		after(40 * time.Second)
		if asked != 2 {
			t.Errorf("asked %d times after that", asked)
		}
	})
}

func TestWhatIsNoAnswerOfAChannelIsTold(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		words  string
	}{
		{200, "<html>Sign in to the guest network</html>", "something that is no relay answered"},
		{302, "", "no relay answered with 302"},
		{404, "not found", "no relay answered with 404"},
		{401, `{"code":"no_identity","detail":"show a certificate"}`, "401 no_identity: show a certificate"},
		{403, `{"code":"certificate_revoked"}`, "the site revoked this client's certificate"},
		{204, "", "without a confirmation"},
		{200, string(goodbye(wire.CloseNotYours, "x", 0)), "the certificate is another client's"},
		{200, string(wire.AppendFrame(nil, wire.Wake, nil)), "instead of an answer"},
		{200, string(wire.AppendFrame(nil, wire.SignInConfirm, []byte("<a/>"))), "no BgbSignInConfirmMessage"},
	} {
		onHTTP(t, func(t *testing.T, s *site) {
			s.http = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
				return true
			}
			c := s.start()
			after(time.Second)
			if got := c.Status(); !strings.Contains(got.Failure, tt.words) || got.Transport != "" || got.DownFrom.IsZero() {
				t.Errorf("%d %q is told as %q", tt.status, tt.body, got.Failure)
			}
		})
	}
}

func TestASessionThatTheServerForgotIsMadeAnew(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"409":   func(w http.ResponseWriter) { w.WriteHeader(http.StatusConflict) },
		"close": func(w http.ResponseWriter) { _, _ = w.Write(goodbye(wire.CloseStopping, "no such session", 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			onHTTP(t, func(t *testing.T, s *site) {
				forgotten := false
				s.http = func(w http.ResponseWriter, r *http.Request) bool {
					if !forgotten && session(r) == 1 {
						forgotten = true
						answer(w)
						return true
					}
					return false
				}
				s.start()
				after(5 * time.Second)
				all := s.signedIn()
				if len(all) != 2 || all[1].Reason != wire.ReasonReconnect || all[1].Channel != wire.HTTP || all[1].Session != 2 {
					t.Errorf("%+v", all)
				}
				if n := len(s.dials[push]); n != 1 {
					t.Errorf("TCP was tried %d times: it is not due", n)
				}
			})
		})
	}
}

func TestARelayThatHoldsNothingIsAskedOnceASecond(t *testing.T) {
	onHTTP(t, func(t *testing.T, s *site) {
		asked := 0
		s.http = func(w http.ResponseWriter, r *http.Request) bool {
			if asked++; session(r) == 0 {
				return false
			}
			w.WriteHeader(http.StatusNoContent)
			return true
		}
		s.start()
		after(time.Minute)
		if asked > 70 || asked < 30 {
			t.Errorf("asked %d times in a minute", asked)
		}
	})
}

func TestARequestThatIsLostOnItsWayIsNoticed(t *testing.T) {
	onHTTP(t, func(t *testing.T, s *site) {
		lost := false
		s.http = func(_ http.ResponseWriter, r *http.Request) bool {
			if session(r) == 0 || lost {
				return false
			}
			lost = true
			<-r.Context().Done()
			return true
		}
		s.start()
		after(119 * time.Second)
		if len(s.signedIn()) != 1 {
			t.Error("a relay may hold a request longer")
		}
		after(5 * time.Second)
		if len(s.signedIn()) != 2 {
			t.Error("a request that is never answered is not noticed")
		}
	})
}
