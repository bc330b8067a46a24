package relay

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"statewire/inbox"
)

// dialFrom connects from an address of this machine: Linux has all of 127.0.0.0/8.
func dialFrom(t testing.TB, s *site, from string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// shakeFrom is dialFrom with a handshake.
func shakeFrom(t testing.TB, s *site, from string) *tls.Conn {
	t.Helper()
	c := tls.Client(dialFrom(t, s, from), s.ca)
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}

// open says whether the relay keeps a silent connection.
func open(c net.Conn) bool {
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	return isTimeout(err)
}

func (l *listener) counted() (shaking, open int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shaking.Len(), l.open.Len()
}

// idle is how many connections may give way.
func (l *listener) idle() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := l.open.Front(); e != nil; e = e.Next() {
		if !e.Value.(*conn).busy {
			n++
		}
	}
	return n
}

// TestAttackSilentConnectionsTakeNoPlaceOfOthers: a few addresses open many connections that say nothing, or begin a
// handshake and stop. They push out each other, and everybody else is served.
func TestAttackSilentConnectionsTakeNoPlaceOfOthers(t *testing.T) {
	cfg := testConfig()
	cfg.MaxConnections, cfg.MaxConnectionsPerIP, cfg.MaxHandshakes, cfg.MaxHandshakesPerIP = 8, 4, 20, 6
	s := start(t, cfg, Deps{})
	keepsOn := shakeFrom(t, s, "127.0.0.1")
	for i := range 200 {
		c := dialFrom(t, s, fmt.Sprintf("127.0.0.%d", 2+i%5))
		if i%2 == 0 {
			c.Write([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252}) // the beginning of a hello
		}
		if i%50 != 0 {
			continue
		}
		io.WriteString(keepsOn, post(report(client(1), 1)))
		if resp, body := answerOf(t, keepsOn); resp.StatusCode != http.StatusAccepted {
			t.Errorf("a client that was there: %d %s", resp.StatusCode, body)
		}
		newcomer := shakeFrom(t, s, "127.0.0.7")
		io.WriteString(newcomer, post(report(client(2), 1)))
		if resp, body := answerOf(t, newcomer); resp.StatusCode != http.StatusAccepted {
			t.Errorf("a client that comes: %d %s", resp.StatusCode, body)
		}
		newcomer.Close()
	}
	eventually(t, "all silent ones but the share are gone", func() bool {
		return s.metric(t, "statewire_relay_connections_refused_total", "") == 200-20
	})
	if shaking, _ := s.relay.listener.counted(); shaking != cfg.MaxHandshakes {
		t.Errorf("%d are left", shaking)
	}
	if n := s.metric(t, "statewire_relay_tls_refused_total", ""); n != 0 {
		t.Errorf("%v counted twice", n)
	}
}

func TestTheOldestHandshakeGivesWay(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		set          func(*Config)
		from         []string // who comes, one after the other; the last one is too many
		gone         int      // who gives way
	}{
		{"of all", "handshake_limit", func(c *Config) { c.MaxHandshakes = 3 }, []string{"127.0.0.2", "127.0.0.3", "127.0.0.4",
			"127.0.0.5"}, 0},
		{"of the newcomer's address", "handshake_ip_limit", func(c *Config) { c.MaxHandshakesPerIP = 2 },
			[]string{"127.0.0.2", "127.0.0.3", "127.0.0.3", "127.0.0.3"}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := testConfig()
			tc.set(&cfg)
			s := start(t, cfg, Deps{})
			var conns []net.Conn
			for i, from := range tc.from {
				conns = append(conns, dialFrom(t, s, from))
				eventually(t, "accepted", func() bool { n, _ := s.relay.listener.counted(); return n == min(i+1, 3) })
			}
			eventually(t, "counted",
				func() bool { return s.metric(t, "statewire_relay_connections_refused_total", tc.reason) == 1 })
			for i, c := range conns {
				if open(c) != (i != tc.gone) {
					t.Errorf("connection %d: open %v", i, i == tc.gone)
				}
			}
			if n := s.metric(t, "statewire_relay_connections", ""); n != 3 {
				t.Errorf("%v connections counted", n)
			}
		})
	}
}

// TestTheLongestIdleConnectionGivesWay: with all places taken a newcomer that has shaken hands takes that of the
// client that has waited longest for a request, never that of one whose request is worked on.
func TestTheLongestIdleConnectionGivesWay(t *testing.T) {
	for _, tc := range []struct {
		name, limit string
		set         func(*Config)
		other       string // another client's address
	}{
		{"of all", "limit", func(c *Config) { c.MaxConnections = 3 }, "127.0.0.3"},
		{"of the newcomer's address", "ip_limit", func(c *Config) { c.MaxConnectionsPerIP = 3 }, "127.0.0.2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := testConfig()
			tc.set(&cfg)
			in := newMemoryInbox()
			goOn := make(chan struct{})
			s := start(t, cfg, Deps{Inbox: in})
			busy, first, second := shakeFrom(t, s, "127.0.0.2"), shakeFrom(t, s, tc.other), shakeFrom(t, s, tc.other)
			send := func(c net.Conn) {
				io.WriteString(c, post(report(testClient, 1)))
				if resp, body := answerOf(t, c); resp.StatusCode != http.StatusAccepted {
					t.Errorf("%d %s", resp.StatusCode, body)
				}
				eventually(t, "it waits", func() bool { return s.relay.listener.idle() == 3 })
			}
			eventually(t, "all have shaken hands", func() bool { return s.relay.listener.idle() == 3 })
			send(second)
			send(first) // so that second is the one that waits longest
			reached := make(chan struct{}, 4)
			in.set(func(m *memoryInbox) {
				m.put = func(inbox.Lane, []byte) error { reached <- struct{}{}; <-goOn; return nil }
			})
			io.WriteString(busy, post(report(testClient, 1)))
			<-reached
			third := shakeFrom(t, s, tc.other)
			eventually(t, "one gave way", func() bool {
				return s.metric(t, "statewire_relay_connections_refused_total", "idle_"+tc.limit) == 1
			})
			if open(second) || !open(first) || !open(third) {
				t.Error("another connection gave way")
			}
			for _, c := range []net.Conn{first, third} {
				c.SetReadDeadline(time.Now().Add(20 * time.Second))
				io.WriteString(c, post(report(testClient, 1)))
			}
			eventually(t, "all work", func() bool { return s.relay.committer.held() == 3 })
			closed(t, shakeFrom(t, s, tc.other))
			if n := s.metric(t, "statewire_relay_connections_refused_total", tc.limit); n != 1 {
				t.Errorf("%v refused", n)
			}
			close(goOn)
			for _, c := range []net.Conn{busy, first, third} {
				if resp, body := answerOf(t, c); resp.StatusCode != http.StatusAccepted {
					t.Errorf("one at work is harmed: %d %s", resp.StatusCode, body)
				}
			}
		})
	}
}
