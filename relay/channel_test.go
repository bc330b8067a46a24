package relay

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/identity"
	"statewire/inbox"
)

// eachItself takes every connection for a client of its own, whom the certificate's holder names in the server's name.
type eachItself struct{}

func (eachItself) Verify(tls.ConnectionState) error { return nil }

func (eachItself) Caller(state *tls.ConnectionState) (identity.Caller, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return identity.Caller{}, &identity.Refusal{Code: identity.CodeNoIdentity, Status: 401, Retry: true}
	}
	return identity.Caller{Client: uuid.NewSHA1(uuid.Nil, []byte(state.ServerName))}, nil
}

// holder is a channel that holds every request until the test lets it go.
type holder struct {
	status int // of the answer; 0 says nothing

	held  atomic.Int64
	ended atomic.Int64 // by the caller or a stop
	let   chan struct{}
}

func newHolder() *holder { return &holder{let: make(chan struct{})} }

func (h *holder) ServeChannel(w http.ResponseWriter, req *http.Request, caller identity.Caller) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.held.Add(1)
	defer h.held.Add(-1)
	select {
	case <-h.let:
	case <-req.Context().Done():
		h.ended.Add(1)
		return
	}
	if h.status != 0 {
		w.WriteHeader(h.status)
	}
	io.WriteString(w, caller.Key())
}

// channelOf opens a connection of the client of this number.
func (s *site) channelOf(t testing.TB, n int) *tls.Conn {
	t.Helper()
	config := s.ca.Clone()
	config.ServerName = fmt.Sprintf("c%d.example", n)
	config.InsecureSkipVerify = true // the name says who calls, not whom
	c, err := tls.Dial("tcp", s.addr, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(60 * time.Second))
	return c
}

func askChannel(body string, headers ...string) string {
	return request("POST /mp/channel HTTP/1.1", append(headers, fmt.Sprintf("Content-Length: %d", len(body)))...) + body
}

// holds sends a request of the client's channel and waits until it is held.
func (s *site) holds(t testing.TB, h *holder, n int) *tls.Conn {
	t.Helper()
	c, before := s.channelOf(t, n), h.held.Load()
	io.WriteString(c, askChannel(""))
	eventually(t, "the request is held", func() bool { return h.held.Load() > before })
	return c
}

func TestAChannelIsForClientsAndTheNotifierWhateverAuthSays(t *testing.T) {
	for _, auth := range []string{AuthMTLS, AuthNone} {
		for role, want := range map[string]int{"": 200, "notifier": 200, "relay": 403, "site": 403} {
			h := newHolder()
			close(h.let)
			cfg := testConfig()
			cfg.Auth = auth
			s := start(t, cfg, Deps{Callers: asRole{role: role}, Channel: h})
			s.show(t)
			if resp, body := s.raw(t, askChannel("x")); resp.StatusCode != want {
				t.Errorf("%s, %q: %d %s", auth, role, resp.StatusCode, body)
			}
		}
		cfg := testConfig()
		cfg.Auth = auth
		s := start(t, cfg, Deps{Callers: eachItself{}, Channel: newHolder()})
		if resp, body := s.raw(t, askChannel("")); resp.StatusCode != 401 || !strings.Contains(body, codeNoIdentity) {
			t.Errorf("%s, without a certificate: %d %s", auth, resp.StatusCode, body)
		}
	}
	revoked := &identity.Refusal{Code: identity.CodeRevoked, Status: 401, Retry: true}
	for name, tc := range map[string]struct {
		deps   Deps
		ask    string
		status int
		code   string
	}{
		"a relay that knows nobody": {Deps{Channel: newHolder()}, askChannel(""), 401, codeUnknown},
		"no notifier":               {Deps{Callers: eachItself{}}, askChannel(""), 503, codeChannel},
		"a handshake that was not let": {Deps{Callers: inState{verify: revoked}, Channel: newHolder()}, askChannel(""), 401,
			identity.CodeRevoked},
		"another method": {Deps{Callers: eachItself{}}, request("GET /mp/channel HTTP/1.1"), 405, codeMethod},
		"HTTP/1.0 knows no held answer": {Deps{Callers: eachItself{}, Channel: newHolder()},
			request("POST /mp/channel HTTP/1.0", "Content-Length: 0"), 505, codeVersion},
		"a body that says it is large": {Deps{Callers: eachItself{}, Channel: newHolder()},
			request("POST /mp/channel HTTP/1.1", "Content-Length: 262145"), 413, "too_large"},
	} {
		s := start(t, testConfig(), tc.deps)
		s.show(t)
		resp, body := s.raw(t, tc.ask)
		if resp.StatusCode != tc.status || !strings.Contains(body, tc.code) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
		if (resp.Header.Get("Retry-After") != "") != (tc.status == 503) {
			t.Errorf("%s: Retry-After %q", name, resp.Header.Get("Retry-After"))
		}
	}
	h := newHolder()
	close(h.let)
	s := start(t, testConfig(), Deps{Callers: eachItself{}, Channel: h})
	s.show(t)
	large := strings.Repeat("x", maxChannelBody+1)
	chunked := request("POST /mp/channel HTTP/1.1", "Transfer-Encoding: chunked") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n",
		len(large), large)
	if resp, body := s.raw(t, chunked); resp.StatusCode != 400 || !strings.Contains(body, "too large") {
		t.Errorf("a body that is large: %d %s", resp.StatusCode, body)
	}
}

func TestAHeldRequestOutlivesTheTimesOfTheOthers(t *testing.T) {
	cfg := testConfig()
	cfg.WriteTimeout, cfg.BodyTimeout, cfg.IdleTimeout = 200*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	h := newHolder()
	s := start(t, cfg, Deps{Callers: eachItself{}, Channel: h, Policies: &knownPolicies{etag: "e"}})
	s.show(t)
	channel, plain := s.channelOf(t, 1), s.channelOf(t, 2)
	io.WriteString(channel, askChannel("frames"))
	eventually(t, "the request is held", func() bool { return h.held.Load() == 1 })
	io.WriteString(plain, poll("?client="+testClient))
	answerOf(t, plain)
	began := time.Now()
	if _, err := plain.Read(make([]byte, 1)); err != io.EOF { // idle_timeout is over
		t.Fatal(err)
	}
	if over := 3 * cfg.IdleTimeout; time.Since(began) < over {
		<-time.After(over - time.Since(began))
	}
	h.let <- struct{}{}
	if resp, body := answerOf(t, channel); resp.StatusCode != 200 || !strings.HasPrefix(body, "GUID:") {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
	<-time.After(3 * cfg.IdleTimeout) // between two requests of a channel
	io.WriteString(channel, askChannel(""))
	h.let <- struct{}{}
	if resp, body := answerOf(t, channel); resp.StatusCode != 200 || !strings.HasPrefix(body, "GUID:") {
		t.Errorf("the second request: %d %q", resp.StatusCode, body)
	}
}

// What is written late, and again late, has its full time each.
func TestEachWriteToAHeldRequestHasItsTime(t *testing.T) {
	cfg := testConfig()
	cfg.WriteTimeout = 200 * time.Millisecond
	s := start(t, cfg, Deps{Callers: eachItself{}, Channel: dripping{3, 150 * time.Millisecond}})
	s.show(t)
	if resp, body := s.raw(t, askChannel("")); resp.StatusCode != 200 || body != "xxx" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

type dripping struct {
	times int
	pause time.Duration
}

func (d dripping) ServeChannel(w http.ResponseWriter, _ *http.Request, _ identity.Caller) {
	for range d.times {
		<-time.After(d.pause)
		io.WriteString(w, "x")
		if err := http.NewResponseController(w).Flush(); err != nil {
			panic(err)
		}
	}
	<-time.After(2 * d.pause)
}

// However many clients wait, those who report find as many places as before, from the same address too.
func TestChannelsTakeNoPlaceOfReports(t *testing.T) {
	const places, channels = 4, 40
	cfg := testConfig()
	cfg.MaxConnections, cfg.MaxConnectionsPerIP = places, places
	h := newHolder()
	s := start(t, cfg, Deps{Callers: eachItself{}, Channel: h})
	s.show(t)
	held := make([]*tls.Conn, channels)
	for i := range held {
		held[i] = s.holds(t, h, i)
	}
	if n := s.metric(t, "statewire_relay_channels", ""); n != channels {
		t.Errorf("%v channels are counted", n)
	}
	reporters := make([]*tls.Conn, places)
	for range 2 { // all of them stay open
		for i := range reporters {
			if reporters[i] == nil {
				reporters[i] = s.dial(t)
			}
			io.WriteString(reporters[i], post(report(testClient, 1)))
			if resp, body := answerOf(t, reporters[i]); resp.StatusCode != 202 {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
		}
	}
	for _, c := range held { // answered, and between two requests
		h.let <- struct{}{}
		answerOf(t, c)
	}
	io.WriteString(reporters[0], post(report(testClient, 1)))
	if resp, _ := answerOf(t, reporters[0]); resp.StatusCode != 202 {
		t.Error(resp.StatusCode)
	}
	if n := s.metric(t, "statewire_relay_connections_refused_total", ""); n != 0 {
		t.Errorf("%v connections gave way", n)
	}
	for _, c := range held {
		c.Close()
	}
	eventually(t, "they are counted out", func() bool {
		return s.metric(t, "statewire_relay_channels", "") == 0 && s.metric(t, "statewire_relay_connections", "") == places
	})
}

// One connection of a client is beside the counts: its channel. An elder one is an ordinary one again, as is one that
// the channel refused, and one that asks for something else.
func TestAConnectionThatIsNoChannelAnyMoreCountsAgain(t *testing.T) {
	cfg := testConfig()
	cfg.MaxConnectionsPerIP = 2
	for name, leave := range map[string]func(*site, *holder, *tls.Conn){
		"a newer one": func(s *site, h *holder, c *tls.Conn) {
			newer := s.holds(t, h, 1)
			h.let <- struct{}{}
			h.let <- struct{}{}
			answerOf(t, c)
			answerOf(t, newer)
		},
		"another request": func(s *site, h *holder, c *tls.Conn) {
			h.let <- struct{}{}
			answerOf(t, c)
			io.WriteString(c, post(report(testClient, 1)))
			answerOf(t, c)
		},
		"a refusal of the channel": func(s *site, h *holder, c *tls.Conn) {
			h.status = 503
			h.let <- struct{}{}
			answerOf(t, c)
		},
		"a refusal of the relay": func(s *site, h *holder, c *tls.Conn) {
			h.let <- struct{}{}
			answerOf(t, c)
			io.WriteString(c, request("POST /mp/channel HTTP/1.1", "Content-Length: 262145"))
			answerOf(t, c)
		},
	} {
		h := newHolder()
		s := start(t, cfg, Deps{Callers: eachItself{}, Channel: h})
		s.show(t)
		c := s.holds(t, h, 1)
		leave(s, h, c)
		want := 0.0
		if name == "a newer one" {
			want = 1
		}
		eventually(t, name, func() bool { return s.metric(t, "statewire_relay_channels", "") == want })
		for range 2 { // the two places of the address: the elder connection gives way
			other := s.dial(t)
			io.WriteString(other, post(report(testClient, 1)))
			if resp, body := answerOf(t, other); resp.StatusCode != 202 {
				t.Errorf("%s: %d %s", name, resp.StatusCode, body)
			}
		}
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection has a place still: %v", name, err)
		}
	}
}

// A connection that counts again takes the place of one that waits for a request; it is closed itself when all others
// are at work.
func TestAConnectionThatCountsAgainNeedsAPlace(t *testing.T) {
	for _, atWork := range []bool{false, true} {
		cfg := testConfig()
		cfg.MaxConnectionsPerIP = 1
		h, in := newHolder(), newMemoryInbox()
		s := start(t, cfg, Deps{Callers: eachItself{}, Channel: h, Inbox: in})
		s.show(t)
		c, other := s.holds(t, h, 1), s.dial(t)
		working, goOn := make(chan struct{}), make(chan struct{})
		if atWork {
			in.set(func(in *memoryInbox) {
				in.put = func(inbox.Lane, []byte) error { close(working); <-goOn; return nil }
			})
		}
		io.WriteString(other, post(report(testClient, 1)))
		if atWork {
			<-working
		} else {
			answerOf(t, other)
			l := s.relay.listener
			eventually(t, "it waits for its next request", func() bool {
				l.mu.Lock()
				defer l.mu.Unlock()
				return oldest(&l.open, nil) != nil
			})
		}
		h.status = 503
		h.let <- struct{}{}
		away := map[bool]*tls.Conn{false: other, true: c}[atWork]
		if _, err := io.Copy(io.Discard, away); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("at work %v: both have a place", atWork)
		}
		close(goOn)
		eventually(t, "one of them is left", func() bool { return s.metric(t, "statewire_relay_connections", "") == 1 })
	}
}

func TestAsManyWaitAsMay(t *testing.T) {
	h := newHolder()
	s := start(t, testConfig(), Deps{Callers: eachItself{}, Channel: h, ChannelClients: 2})
	s.show(t)
	first := s.holds(t, h, 1)
	s.holds(t, h, 2)
	resp, body := s.raw(t, askChannel("")) // of a third
	if resp.StatusCode != 503 || !strings.Contains(body, codeChannelFull) || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if n := s.metric(t, "statewire_relay_connections_refused_total", "channel_limit"); n != 1 {
		t.Errorf("counted %v times", n)
	}
	s.holds(t, h, 2) // who has a place keeps it on a new connection
	first.Close()
	eventually(t, "the caller's end is seen", func() bool { return h.ended.Load() == 1 })
	s.holds(t, h, 3)
}

func TestAStopEndsWhatIsHeld(t *testing.T) {
	h := newHolder()
	s := start(t, testConfig(), Deps{Callers: eachItself{}, Channel: h})
	s.show(t)
	resting := s.holds(t, h, 2)
	h.let <- struct{}{}
	answerOf(t, resting)
	c := s.holds(t, h, 1)
	began := time.Now()
	if err := s.stop(); err != nil || time.Since(began) > 10*time.Second || h.ended.Load() != 1 {
		t.Errorf("the stop took %v, %d ended: %v", time.Since(began), h.ended.Load(), err)
	}
	if resp, _ := answerOf(t, c); resp.StatusCode != 200 {
		t.Error(resp.StatusCode)
	}
	if _, err := resting.Read(make([]byte, 1)); err == nil {
		t.Error("a channel without a request outlives the relay")
	}
}

// 4,096 clients from one address wait in their channels: those who report do it at no less than half the rate of
// before.
func TestAttackClientsReportWhileThousandsWait(t *testing.T) {
	if os.Getenv("STATEWIRE_TEST_LONG") == "" {
		t.Skip("it compares rates, which a busy machine does not keep: make attack runs it")
	}
	const waiting, reporters, span = 4096, 4, 2 * time.Second
	cfg := testConfig()
	cfg.ClientRate = 0
	h := newHolder()
	s := start(t, cfg, Deps{Callers: eachItself{}, Channel: h})
	s.show(t)
	rate := func() (done int64) {
		var n atomic.Int64
		var all sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), span)
		defer cancel()
		for i := range reporters {
			all.Go(func() {
				for ctx.Err() == nil {
					c, err := tls.Dial("tcp", s.addr, s.ca)
					if err != nil {
						continue
					}
					c.SetDeadline(time.Now().Add(5 * time.Second))
					io.WriteString(c, post(report(client(i), 1)))
					resp, err := http.ReadResponse(bufio.NewReader(c), nil)
					if err == nil && resp.StatusCode == http.StatusAccepted {
						n.Add(1)
					}
					c.Close()
				}
			})
		}
		all.Wait()
		return n.Load()
	}
	before := rate()
	var ends sync.WaitGroup
	stop := make(chan struct{})
	for i := range waiting {
		c := s.holds(t, h, i)
		ends.Go(func() { // each asks again as soon as it is answered, 80 in a second
			in := bufio.NewReader(c)
			for {
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					return
				}
				io.Copy(io.Discard, resp.Body)
				io.WriteString(c, askChannel(""))
			}
		})
		context.AfterFunc(t.Context(), func() { c.Close() })
	}
	go func() {
		for tick := time.NewTicker(12 * time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-tick.C:
				h.let <- struct{}{}
			}
		}
	}()
	during := rate()
	close(stop)
	t.Logf("%d reports before, %d while %d clients wait", before, during, h.held.Load())
	if h.held.Load() < waiting-8 || during*2 < before {
		t.Errorf("%d reports before, %d while %d clients wait", before, during, h.held.Load())
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	ends.Wait()
}
