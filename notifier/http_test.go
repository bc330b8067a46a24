package notifier

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"statewire/notifier/wire"
)

// byHTTP serves a server's HTTP side with the deadlines of a relay, over pipes.
type byHTTP struct {
	*bed
	pipes  *pipes
	client *http.Client
	ack    uint64 // the greatest number of a task that the client has
}

func serveHTTP(t *testing.T, b *bed, m member) *byHTTP {
	h := &byHTTP{bed: b, pipes: newPipes()}
	caller := b.site.caller(t, m)
	server := &http.Server{ReadTimeout: time.Minute, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 15 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.RemoteAddr = "192.0.2.7:4000"
			b.ServeChannel(w, r, caller)
		})}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(h.pipes) }()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return h.pipes.dial(), nil
	}}
	h.client = &http.Client{Transport: transport}
	t.Cleanup(func() { server.Close(); <-done; transport.CloseIdleConnections() })
	return h
}

// post sends frames in a session and returns the answer's status and frames.
func (h *byHTTP) post(ctx context.Context, session uint64, body []byte) (int, []frame, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://relay/mp/channel", bytes.NewReader(body))
	check(h.t, err)
	req.Header.Set(SessionHeader, strconv.FormatUint(session, 10))
	req.Header.Set(AckHeader, strconv.FormatUint(h.ack, 10))
	resp, err := h.client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, nil, resp.Header, err
	}
	var got []frame
	if resp.StatusCode == http.StatusOK {
		err = frames(text, func(k wire.Kind, payload []byte) error { got = append(got, frame{k, payload}); return nil })
	}
	return resp.StatusCode, got, resp.Header, err
}

// says posts and expects one frame of a kind; 0: none, and the status that says so.
func (h *byHTTP) says(session uint64, body []byte, kind wire.Kind) []byte {
	h.t.Helper()
	status, got, _, err := h.post(h.t.Context(), session, body)
	check(h.t, err)
	if kind == 0 {
		if status != http.StatusNoContent || len(got) > 0 {
			h.t.Fatalf("answered %d with %v", status, got)
		}
		return nil
	}
	if status != http.StatusOK || len(got) != 1 || got[0].kind != kind {
		h.t.Fatalf("answered %d with %v, not a frame of type %d", status, got, kind)
	}
	return got[0].payload
}

func (h *byHTTP) signIn(m member, session uint64, change ...func(*wire.SignInMessage)) uint64 {
	h.t.Helper()
	payload := h.says(session, wire.AppendFrame(nil, wire.SignIn, hello(m, session, change...)), wire.SignInConfirm)
	confirm, err := wire.DecodeSignInConfirm(payload)
	check(h.t, err)
	return confirm.Session
}

func overHTTP(t *testing.T, test func(t *testing.T, h *byHTTP, m member), options ...option) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true, options...)
		m := b.site.enroll(t, "")
		test(t, serveHTTP(t, b, m), m)
	})
}

// A request waits as long as http_hold, whatever the deadlines of the listener are; a wake is its answer at once.
func TestARequestWaitsForSomethingToSay(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		n := h.signIn(m, 4, func(in *wire.SignInMessage) { in.Why = "tcp: connection refused" })
		row := h.is(m, true, "signin")
		if n != 4 || row.Channel != wire.HTTP || row.Address != "192.0.2.7" || row.Why != "tcp: connection refused" {
			t.Errorf("session %d, the row is %+v", n, row)
		}
		if h.metric("clients", "http") != 1 || h.metric("clients", "tcp") != 0 {
			t.Error("it is not counted by its channel")
		}
		began := time.Now()
		h.says(n, nil, 0)
		if took := time.Since(began); took != 50*time.Second {
			t.Errorf("held for %v", took)
		}
		time.AfterFunc(7*time.Second, func() { h.desk.works <- wire.Work{Number: 1, Wakes: uuids(m)} })
		began = time.Now()
		h.says(n, nil, wire.Wake)
		if took := time.Since(began); took < 7*time.Second || took > 8*time.Second {
			t.Errorf("woken after %v", took)
		}
		began = time.Now()
		h.says(n, wire.AppendFrame(nil, wire.KeepAlive, nil), wire.KeepAliveAck)
		if took := time.Since(began); took != 0 {
			t.Errorf("answered after %v", took)
		}
		for range 60 { // an hour
			h.says(n, nil, 0)
		}
		h.is(m, true, "signin")
	})
}

// What comes up between two requests waits for the next one.
func TestWhatComesBetweenRequestsWaits(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		n := h.signIn(m, 1)
		h.desk.works <- wire.Work{Number: 1, Wakes: uuids(m), Raise: []wire.SessionOf{{Client: m.id, Session: 9}}}
		time.Sleep(2 * time.Second)
		_, got, _, err := h.post(t.Context(), n, nil) // it knows of its new session afterwards
		check(t, err)
		if len(got) != 2 || got[0].kind != wire.SignInConfirm || got[1].kind != wire.Wake {
			t.Errorf("got %v", got)
		}
		h.says(9, wire.AppendFrame(nil, wire.KeepAlive, nil), wire.KeepAliveAck)
	})
}

// One request of a client waits; a newer one ends it.
func TestANewerRequestEndsTheElder(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		n := h.signIn(m, 1)
		elder, began := make(chan int, 1), time.Now()
		go func() {
			status, _, _, _ := h.post(t.Context(), n, nil)
			elder <- status
		}()
		time.Sleep(time.Second)
		newer := make(chan []frame, 1)
		go func() {
			_, got, _, _ := h.post(t.Context(), n, nil)
			newer <- got
		}()
		if status := <-elder; status != http.StatusNoContent {
			t.Errorf("the elder was answered %d", status)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the elder waited %v", took)
		}
		h.desk.works <- wire.Work{Number: 1, Wakes: uuids(m)}
		if got := <-newer; len(got) != 1 || got[0].kind != wire.Wake {
			t.Errorf("the newer got %v", got)
		}
		h.is(m, true, "signin")
	})
}

// A request that is held is a sign of life, also where clients count as silent sooner than http_hold ends it.
func TestAClientWhoseRequestIsHeldIsNotSilent(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		n := h.signIn(m, 1)
		for range 3 {
			h.says(n, nil, 0)
		}
		if row := h.is(m, true, "signin"); row.Seq != 1 {
			t.Errorf("it came and went: %+v", row)
		}
		time.Sleep(21 * time.Second) // without a request it is
		h.is(m, false, "silent")
	}, func(c *Config, _ *Deps) { c.KeepAlive, c.OfflineAfter = 10*time.Second, 20*time.Second })
}

// A client without a request has thirty seconds to come back, whether its request broke off or was answered.
func TestAClientByHTTPMayBreakOffForHalfAMinute(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		n := h.signIn(m, 1)
		breakOff := func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if _, _, _, err := h.post(ctx, n, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		breakOff()
		time.Sleep(29 * time.Second)
		h.is(m, true, "signin")
		breakOff()
		time.Sleep(29 * time.Second)
		h.is(m, true, "signin")
		time.Sleep(12 * time.Second)
		h.is(m, false, "closed")
		payload := h.says(n, nil, wire.Close)
		if got, _ := wire.DecodeClose(payload); got.Code != wire.CloseStopping {
			t.Errorf("told %+v", got)
		}
		n = h.signIn(m, 2)
		time.Sleep(29 * time.Second)
		h.is(m, true, "signin")
		time.Sleep(12 * time.Second)
		h.is(m, false, "closed")
	})
}

// A wake that was written into a request which broke off waits for the next one.
func TestAWakeIsNotLostWithARequest(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		n := h.signIn(m, 1)
		h.desk.works <- wire.Work{Number: 1, Wakes: uuids(m)}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/mp/channel", http.NoBody)
		check(t, err)
		req.Header.Set(SessionHeader, strconv.FormatUint(n, 10))
		h.ServeChannel(brokenWriter{http.Header{}}, req, h.site.caller(t, m))
		h.says(n, nil, wire.Wake)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		h.desk.works <- wire.Work{Number: 2, Wakes: uuids(m)}
		time.Sleep(time.Second)
		h.ServeChannel(brokenWriter{http.Header{}}, req.WithContext(gone), h.site.caller(t, m))
		h.says(n, nil, wire.Wake)
	})
}

// brokenWriter is the answer to a client that has gone.
type brokenWriter struct{ header http.Header }

func (w brokenWriter) Header() http.Header     { return w.header }
func (brokenWriter) WriteHeader(int)           {}
func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// A session ends at once with a good-bye, with a frame that breaks the rules, and with its certificate.
func TestASessionByHTTPEnds(t *testing.T) {
	for _, tc := range []struct {
		name   string
		body   []byte
		said   wire.CloseCode // 0: nothing
		reason string
	}{
		{"good-bye", wire.AppendFrame(nil, wire.Close, wire.CloseMessage{Code: wire.CloseStopping}.Encode()), 0, "closed"},
		{"a frame too long", []byte{0xff, 0, 0, 0, 3}, wire.CloseBadFrame, "closed"},
		{"a body that is cut", []byte{0, 0, 0, 9, 3}, wire.CloseBadFrame, "closed"},
		{"a type that nobody knows", []byte{0, 0, 0, 1, 77}, wire.CloseUnknownType, "closed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
				n := h.signIn(m, 1)
				began := time.Now()
				if tc.said == 0 {
					h.says(n, tc.body, 0)
				} else if got, _ := wire.DecodeClose(h.says(n, tc.body, wire.Close)); got.Code != tc.said {
					t.Errorf("told %+v", got)
				}
				if time.Since(began) > 0 {
					t.Error("it was held")
				}
				h.is(m, false, tc.reason)
			})
		})
	}
	t.Run("revoked while it waits", func(t *testing.T) {
		overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
			n := h.signIn(m, 1)
			time.AfterFunc(time.Second, func() { h.site.revoke(t, m) })
			if got, _ := wire.DecodeClose(h.says(n, nil, wire.Close)); got.Code != wire.CloseRevoked {
				t.Errorf("told %+v", got)
			}
			h.is(m, false, "revoked")
			if got, _ := wire.DecodeClose(h.says(n, nil, wire.Close)); got.Code != wire.CloseRevoked {
				t.Errorf("then told %+v", got)
			}
		})
	})
	t.Run("the server stops", func(t *testing.T) {
		overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
			n := h.signIn(m, 1)
			time.AfterFunc(time.Second, h.stop)
			if got, _ := wire.DecodeClose(h.says(n, nil, wire.Close)); got.Code != wire.CloseStopping {
				t.Errorf("told %+v", got)
			}
			h.is(m, false, "server_stopping")
		})
	})
}

// A client that comes back by TCP has its session there; that by HTTP was replaced, and is no copy's.
func TestAClientChangesItsChannel(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		for n := uint64(1); n < 20; n += 2 {
			if got := h.signIn(m, n); got != n {
				t.Fatalf("session %d", got)
			}
			held := make(chan []frame, 1)
			go func() {
				_, got, _, _ := h.post(t.Context(), n, nil)
				held <- got
			}()
			time.Sleep(time.Second)
			p := h.online(m, n+1)
			got := <-held
			if len(got) != 1 || got[0].kind != wire.Close {
				t.Fatalf("told %v", got)
			}
			if said, _ := wire.DecodeClose(got[0].payload); said.Code != wire.CloseReplaced {
				t.Errorf("told %+v", said)
			}
			if row := h.is(m, true, "signin"); row.Channel != wire.TCP {
				t.Errorf("the row is %+v", row)
			}
			h.says(n, nil, wire.Close) // it is not this session's any more
			defer p.raw.Close()
		}
	})
}

// Nobody uses the session of another, or without its number.
func TestAttackASessionByHTTPIsItsClients(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		other := h.site.enroll(t, "")
		stranger := serveHTTP(t, h.bed, other)
		h.signIn(m, 5)
		for _, n := range []uint64{0, 4, 5, 6, 1 << 63} {
			stranger.says(n, nil, wire.Close)
		}
		for _, n := range []uint64{0, 4, 6} {
			h.says(n, nil, wire.Close)
		}
		h.is(m, true, "signin")
		if got, _ := wire.DecodeClose(h.says(5, wire.AppendFrame(nil, wire.SignIn, hello(other, 1)), wire.Close)); got.Code !=
			wire.CloseNotYours {
			t.Errorf("told %+v", got)
		}
	})
}

// Above notifier.max_http requests are refused, and told when to come again.
func TestRequestsByHTTPAreCounted(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		n := h.signIn(m, 1)
		go h.post(t.Context(), n, nil)
		time.Sleep(time.Second)
		status, _, header, err := h.post(t.Context(), n, nil)
		check(t, err)
		after, _ := strconv.Atoi(header.Get("Retry-After"))
		if status != http.StatusServiceUnavailable || after < 30 || after > 60 {
			t.Errorf("answered %d, to come again after %d", status, after)
		}
		if h.metric("refused_total", "http") != 1 {
			t.Error("it is not counted")
		}
		time.Sleep(time.Minute)
		if !strings.Contains(textOf(h.desk.messages(), wire.LimitReached), "http: 1") {
			t.Errorf("told %+v", h.desk.messages())
		}
		h.signIn(m, 2) // the place is free again
	}, func(cfg *Config, _ *Deps) { cfg.MaxHTTP = 1 })
}

// A body that trickles in is given up.
func TestAttackATrickledBodyIsGivenUp(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		c := h.pipes.dial()
		io.WriteString(c, "POST /mp/channel HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
		began := time.Now()
		done := make(chan struct{})
		defer func() { c.Close(); <-done }()
		go func() {
			defer close(done)
			for {
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		io.Copy(io.Discard, c)
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("after %v", took)
		}
		synctest.Wait()
		if n := h.http.Load(); n != 0 {
			t.Errorf("%d requests in hand", n)
		}
	})
}

// textOf is the text of the messages with a number.
func textOf(all []wire.ComponentMessage, id int) string {
	var texts []string
	for _, m := range all {
		if m.ID == id {
			texts = append(texts, m.Text)
		}
	}
	return strings.Join(texts, "\n")
}
