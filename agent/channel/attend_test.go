package channel

import (
	"crypto/tls"
	"testing"
	"time"

	"statewire/notifier/wire"
)

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

func TestAnAssignmentThatComesMeanwhileCounts(t *testing.T) {
	for _, down := range []error{nil, refusedErr} {
		bubble(t, func(t *testing.T, s *site) {
			if down != nil {
				s.down[push] = down
			}
			started := make(chan *Channel, 1)
			s.answer = func(m wire.SignInMessage) []byte {
				if m.Session == 1 {
					s.at.Notifier = "push2.example:10123"
					s.mu.Unlock()
					(<-started).Look()
					s.mu.Lock()
				}
				return nil
			}
			c := s.start(func(d *Deps) { d.StartupJitter = time.Nanosecond })
			started <- c
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

// Of two questions that are out the sooner end counts: neither a keep-alive nor a check gives a dead connection more
// time.
func TestADeadConnectionIsLeftAtTheSoonerEnd(t *testing.T) {
	for name, asked := range map[string]time.Duration{
		"a check after a keep-alive":  15*time.Minute + 5*time.Second,
		"a check before a keep-alive": 15*time.Minute - 5*time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *site) {
				s.mute = true
				c := s.start()
				after(asked)
				c.Check("the machine slept")
				after(9 * time.Second)
				if len(s.signedIn()) != 1 {
					t.Error("it does not wait for the answer")
				}
				after(3 * time.Second)
				if len(s.signedIn()) != 2 {
					t.Error("it waits for longer than 10 s")
				}
			})
		})
	}
}

// A relay that stands in for a while makes nobody hurry: clients that lost their server together come as they would.
func TestAStandInIsNoReasonToHurry(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.down[push], s.down[host] = refusedErr, refusedErr
		c := s.start()
		after(time.Hour)
		s.set(func() { s.at.StandIn, s.at.Notifier = true, "push2.example:10123" })
		c.Look()
		after(time.Millisecond)
		if len(s.signedIn()) != 0 {
			t.Error("it comes at once")
		}
		after(5 * time.Minute)
		if all := s.signedIn(); len(all) != 1 || all[0].server != "push2.example:10123" {
			t.Errorf("then it came as %+v", all)
		}
	})
}

// A client that was over HTTP and waits for its next attempt tries TCP, too, in another network and when it is
// assigned elsewhere.
func TestAnotherNetworkMayHaveTCP(t *testing.T) {
	for name, change := range map[string]func(c *Channel, s *site){
		"another network": func(c *Channel, _ *site) { c.Check("the machine's addresses changed") },
		"assigned elsewhere": func(c *Channel, s *site) {
			s.set(func() { s.at.Notifier, s.at.Relay = "push2.example:10123", "https://mp2.example:8443" })
			c.Look()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *site) {
				s.down[push] = refusedErr
				c := s.start()
				after(time.Minute)
				s.set(func() { s.down[host] = refusedErr })
				s.cut()
				after(100 * time.Second) // it waits between attempts
				s.set(func() { s.down = map[string]error{} })
				change(c, s)
				after(time.Millisecond)
				if all := s.signedIn(); len(all) != 2 || all[1].Channel != wire.TCP {
					t.Errorf("it came as %+v", all)
				}
			})
		})
	}
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

// A wake that waited for its minute's end begins another minute.
func TestAWakeThatWaitedBeginsAMinute(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start()
		after(time.Minute)
		began := time.Now()
		for _, pause := range []time.Duration{10 * time.Second, 60 * time.Second, 3 * time.Minute} {
			s.say(wire.AppendFrame(nil, wire.Wake, nil))
			after(pause)
		}
		if len(s.wakes) != 3 || s.wakes[1].Sub(began) != time.Minute || s.wakes[2].Sub(began) != 2*time.Minute {
			t.Errorf("wakes at 0, 10 and 70 seconds were obeyed at %v after %v", s.wakes, began)
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
