package relay

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections live in memory, so that time can be virtual.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	c, open := <-p.conns
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.conns) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// startPiped runs a relay with default times inside a synctest bubble; dial returns the client's end before any
// handshake.
func startPiped(t *testing.T, cfg Config, deps Deps) (s *site, dial func() net.Conn) {
	t.Helper()
	from := &pipes{conns: make(chan net.Conn)}
	s = startOn(t, cfg, deps, from)
	return s, func() net.Conn {
		client, server := net.Pipe()
		t.Cleanup(func() { client.Close() })
		from.conns <- server
		return client
	}
}

// TestTimeLimits holds every limit of time against a virtual clock, with the times of the default configuration.
func TestTimeLimits(t *testing.T) {
	good := report(testClient, 1)
	for _, tc := range []struct {
		name   string
		client func(t *testing.T, s *site, c net.Conn)
		after  time.Duration
		reason string // of the refusal counted
	}{
		{"C1.1 no byte comes", func(*testing.T, *site, net.Conn) {}, 10 * time.Second, "handshake_timeout"},
		{"C1.1 half a record comes", func(_ *testing.T, _ *site, c net.Conn) { c.Write([]byte{22, 3, 1, 2}) },
			10 * time.Second, "handshake_timeout"},
		{"C1.3 no request comes", func(t *testing.T, s *site, c net.Conn) { io.Copy(io.Discard, s.shake(t, c)) },
			5 * time.Second, ""},
		{"C1.3 half a header comes", func(t *testing.T, s *site, c net.Conn) {
			client := s.shake(t, c)
			io.WriteString(client, "POST /mp/reports HTTP/1.1\r\nHost: si")
			io.Copy(io.Discard, client)
		}, 5 * time.Second, codeBadRequest},
		{"C1.3 a header trickles in", func(t *testing.T, s *site, c net.Conn) {
			client := s.shake(t, c)
			go io.Copy(io.Discard, client)
			for b := range strings.SplitSeq("POST /mp/reports HTTP/1.1", "") {
				if _, err := io.WriteString(client, b); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, 5 * time.Second, codeBadRequest},
		{"C1.3 half a header comes behind a report", func(t *testing.T, s *site, c net.Conn) {
			client := s.shake(t, c)
			io.WriteString(client, post(good)+"POST /mp/reports HTTP/1.1\r\nHost: si")
			io.Copy(io.Discard, client)
		}, 5 * time.Second, ""},
		{"C1.4 10 of 100 bytes of a body come", func(t *testing.T, s *site, c net.Conn) {
			client := s.shake(t, c)
			io.WriteString(client, request("POST /mp/reports HTTP/1.1", "Content-Length: 100")+"<Report>  ")
			io.Copy(io.Discard, client)
		}, 5 * time.Second, codeBodySlow},
		{"C1.4 a body slower than 1 KiB/s", func(t *testing.T, s *site, c net.Conn) {
			client := s.shake(t, c)
			go io.Copy(io.Discard, client)
			io.WriteString(client, request("POST /mp/reports HTTP/1.1", "Content-Length: 100000"))
			for range 10 {
				if _, err := client.Write(make([]byte, 900)); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, 5 * time.Second, codeBodySlow},
		{"C1.4 a body that was fast and then stops", func(t *testing.T, s *site, c net.Conn) {
			client := s.shake(t, c)
			go io.Copy(io.Discard, client)
			io.WriteString(client, request("POST /mp/reports HTTP/1.1", "Content-Length: 100000")+strings.Repeat(" ", 20<<10))
			s.untilReleased(t, time.Now())
		}, 20 * time.Second, codeBodySlow},
		{"C1.5 the answer is not read", func(t *testing.T, s *site, c net.Conn) {
			io.WriteString(s.shake(t, c), post(good))
			s.untilReleased(t, time.Now())
		}, 30 * time.Second, ""},
		{"an idle connection", func(t *testing.T, s *site, c net.Conn) {
			client := s.shake(t, c)
			io.WriteString(client, post(good))
			if resp, body := answerOf(t, client); resp.StatusCode != http.StatusAccepted {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			io.Copy(io.Discard, client)
		}, 15 * time.Second, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, dial := startPiped(t, testConfig(), Deps{})
				began := time.Now()
				c := dial()
				gone := make(chan time.Duration)
				go func() { gone <- s.untilReleased(t, began) }()
				var client sync.WaitGroup
				client.Go(func() { tc.client(t, s, c) })
				if took := <-gone; took < tc.after || took > tc.after+6*time.Second {
					t.Errorf("closed after %v, not %v", took, tc.after)
				}
				if tc.reason != "" && s.metric(t, "statewire_relay_refusals_total", tc.reason)+
					s.metric(t, "statewire_relay_tls_refused_total", tc.reason) != 1 {
					t.Errorf("not counted as %s", tc.reason)
				}
				c.Close()
				client.Wait()
			})
		})
	}
}

// shake makes the client's end of a TLS connection.
func (s *site) shake(t *testing.T, c net.Conn) *tls.Conn {
	client := tls.Client(c, s.ca)
	if err := client.Handshake(); err != nil {
		t.Error(err)
	}
	return client
}

// untilReleased is the time at which the relay has no connection any more.
func (s *site) untilReleased(t *testing.T, began time.Time) time.Duration {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if s.metric(t, "statewire_relay_connections", "") == 0 {
			break
		}
	}
	return time.Since(began)
}

// TestABodyThatKeepsItsRateMayTakeLong: 60 KB at 2 KiB/s take half a minute.
func TestABodyThatKeepsItsRateMayTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dial := startPiped(t, testConfig(), Deps{})
		client := s.shake(t, dial())
		good := strings.Replace(report(testClient, 1), "<ReportBody>", "<ReportBody>"+strings.Repeat(" ", 60_000), 1)
		io.WriteString(client, request("POST /mp/reports HTTP/1.1", fmt.Sprintf("Content-Length: %d", len(good))))
		for len(good) > 0 {
			n := min(len(good), 2048)
			if _, err := io.WriteString(client, good[:n]); err != nil {
				t.Fatal(err)
			}
			good = good[n:]
			time.Sleep(time.Second)
		}
		if resp, body := answerOf(t, client); resp.StatusCode != http.StatusAccepted {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	})
}

// TestAnAnswerHasItsTimeHoweverLongItsReportTook: the time to write counts from the answer, not from the request.
func TestAnAnswerHasItsTimeHoweverLongItsReportTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.CommitTimeout, cfg.WriteTimeout = time.Minute, 10*time.Second
		in := newMemoryInbox()
		in.put = func(inboxLane, []byte) error { time.Sleep(40 * time.Second); return nil }
		s, dial := startPiped(t, cfg, Deps{Inbox: in})
		client := s.shake(t, dial())
		io.WriteString(client, post(report(testClient, 1)))
		time.Sleep(45 * time.Second)
		if resp, body := answerOf(t, client); resp.StatusCode != http.StatusAccepted {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	})
}

// TestARefusedClientThatSendsNoMoreIsLetGo: its body never comes, so that the relay waits no longer than it lingers.
func TestARefusedClientThatSendsNoMoreIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dial := startPiped(t, testConfig(), Deps{})
		client := s.shake(t, dial())
		began := time.Now()
		io.WriteString(client, request("PUT /mp/reports HTTP/1.1", "Content-Length: 1000000"))
		if resp, body := answerOf(t, client); resp.StatusCode != http.StatusMethodNotAllowed || !resp.Close {
			t.Errorf("%d %s, close %v", resp.StatusCode, body, resp.Close)
		}
		go io.Copy(io.Discard, client)
		if took := s.untilReleased(t, began); took < lingering || took > 2*lingering {
			t.Errorf("let go after %v", took)
		}
	})
}

// TestADiskThatHangs: after commit_timeout everybody who waits is told that the outcome is not known, new reports are
// refused at once, and the relay goes on when the disk does.
func TestADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newMemoryInbox()
		goOn := make(chan struct{})
		in.put = func(inboxLane, []byte) error { <-goOn; return nil }
		s, dial := startPiped(t, testConfig(), Deps{Inbox: in})
		began := time.Now()
		first := s.shake(t, dial())
		io.WriteString(first, post(report(testClient, 1)))
		resp, body := answerOf(t, first)
		if resp.StatusCode != 503 || !strings.Contains(body, "not known") || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
		if took := time.Since(began); took < 30*time.Second || took > 32*time.Second {
			t.Errorf("answered after %v", took)
		}
		began = time.Now()
		second := s.shake(t, dial())
		io.WriteString(second, request("POST /mp/reports HTTP/1.1", "Content-Length: 1000"))
		if resp, body := answerOf(t, second); resp.StatusCode != 503 || time.Since(began) > time.Second {
			t.Errorf("%d %s after %v", resp.StatusCode, body, time.Since(began))
		}
		if s.relay.Ready() == nil {
			t.Error("ready while the disk hangs")
		}
		close(goOn)
		time.Sleep(3 * time.Second)
		if err := s.relay.Ready(); err != nil {
			t.Errorf("not ready again: %v", err)
		}
		io.WriteString(first, post(report(testClient, 2)))
		if resp, body := answerOf(t, first); resp.StatusCode != http.StatusAccepted {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	})
}

// TestStopWhileTheDiskHangs: the stop says so instead of waiting for ever.
func TestStopWhileTheDiskHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newMemoryInbox()
		goOn := make(chan struct{})
		in.put = func(inboxLane, []byte) error { <-goOn; return errors.New("late") }
		s, dial := startPiped(t, testConfig(), Deps{Inbox: in})
		client := s.shake(t, dial())
		io.WriteString(client, post(report(testClient, 1)))
		synctest.Wait()
		began := time.Now()
		if err := s.stop(); err == nil || !strings.Contains(err.Error(), "the disk did not answer") {
			t.Errorf("stopped with %v", err)
		}
		if took := time.Since(began); took > 27*time.Second {
			t.Errorf("took %v", took)
		}
		s.stop = func() error { return nil }
		close(goOn)
	})
}

// TestADiskThatHangsForSeveralFiles: three files of one batch, and then more, are each later than commit_timeout.
// Everybody is told so once, and the first report after the disk's recovery is taken without anybody's help.
func TestADiskThatHangsForSeveralFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newMemoryInbox()
		var delay atomic.Int64
		delay.Store(int64(20 * time.Second)) // the first file is slow enough for a batch of three to gather
		in.put = func(inboxLane, []byte) error { time.Sleep(time.Duration(delay.Load())); return nil }
		s, dial := startPiped(t, testConfig(), Deps{Inbox: in})
		var clients []*tls.Conn
		send := func(priority string) {
			c := s.shake(t, dial())
			io.WriteString(c, post(report(client(len(clients)), 1, "<Priority>"+priority+"</Priority>")))
			clients = append(clients, c)
			synctest.Wait()
		}
		for _, priority := range []string{"5", "0", "5", "9"} {
			send(priority)
		}
		delay.Store(int64(45 * time.Second)) // of the batch, and of what follows it
		statuses := func() (got []int) {
			for _, c := range clients {
				resp, _ := answerOf(t, c)
				got = append(got, resp.StatusCode)
			}
			clients = nil
			return got
		}
		if got := fmt.Sprint(statuses()); got != "[202 503 503 503]" {
			t.Errorf("the batch was answered %s", got)
		}
		for round := range 2 {
			for s.relay.Ready() != nil {
				time.Sleep(time.Second)
			}
			send("0")
			send("5")
			if got := fmt.Sprint(statuses()); got != "[503 503]" {
				t.Errorf("round %d was answered %s", round, got)
			}
		}
		delay.Store(0)
		time.Sleep(time.Minute)
		send("5")
		if got := fmt.Sprint(statuses()); got != "[202]" {
			t.Errorf("after the disk's recovery: %s", got)
		}
	})
}
