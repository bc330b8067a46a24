package notifier

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"statewire/identity"
	"statewire/internal/backoff"
	"statewire/notifier/wire"
)

const (
	// maxSession bounds the session that a client may begin with: rows can count on from it for ever.
	maxSession = 1 << 61
	// maxCounted bounds what is counted on from there: rows cannot tell of more.
	maxCounted = 1 << 62
)

// link is the way to a client. None of its calls waits.
type link interface {
	// send gives frames to the client; false: it does not take them any more.
	send(frames []byte) bool
	// push gives it a task or a cancellation; false: it does not take it. The queue is told what became of it.
	push(*push) bool
	// recall takes back tasks that were not written.
	recall()
	// end gives it the last frames and closes the way. Tasks that wait do not leave any more.
	end(frames []byte)
}

// session is a client's connection by TCP, or its requests by HTTP.
type session struct {
	// Constant after its sign-in.
	caller  identity.Caller
	boot    string
	link    link
	channel wire.Channel
	first   uint64 // its number when it began

	heard atomic.Int64 // when the last byte came, in steady time
	woken atomic.Int64 // when a wake was sent, likewise; 0: none was

	// Guarded by mu.
	mu     sync.Mutex
	began  time.Duration // of the window in which frames are counted
	frames int32
}

// counts ends a client that floods.
func (s *Server) counts(session *session) error {
	session.mu.Lock()
	defer session.mu.Unlock()
	if now := s.steady.now(); now-session.began > framesWindow {
		session.began, session.frames = now, 0
	}
	if session.frames++; session.frames > framesAllowed {
		s.metrics.refused.WithLabelValues(limitFrames).Inc()
		return &closing{wire.CloseMessage{Code: wire.CloseLimit, RetryAfter: 5 * time.Minute,
			Text: "more than 1000 frames in a minute"}}
	}
	return nil
}

// hear says that something came from the client.
func (s *session) hear(at time.Duration) { s.heard.Store(int64(at)) }

// client is what the server knows of one client since it started.
type client struct {
	row    wire.Row // the last fact
	known  uint64   // the greatest session that anybody told of
	live   *session // nil: offline
	copies *copies  // nil: only one machine has its identity
	owed   bool     // a wake that did not reach it
}

// overTCP says whether the client holds a TCP connection already, which a newer one replaces.
func (c *client) overTCP() bool { return c != nil && c.live != nil && c.live.channel == wire.TCP }

// hub is who is online. A client has at most one session here: the latest sign-in wins.
type hub struct {
	s *Server // Constant after newHub.

	// Guarded by mu.
	mu      sync.Mutex
	clients map[uuid.UUID]*client
	changed map[uuid.UUID]struct{} // since the last report
	online  [2]int                 // by channel
	stopped bool
}

func newHub(s *Server) *hub {
	return &hub{s: s, clients: map[uuid.UUID]*client{}, changed: map[uuid.UUID]struct{}{}}
}

// signIn makes the caller of a link the client's one session, and confirms it. The refusal is what the client is told
// instead.
func (h *hub) signIn(caller identity.Caller, m wire.SignInMessage, l link, address string) (*session,
	*wire.CloseMessage) {
	channel := m.Channel
	now := h.s.steady.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.clients[m.Client]
	if refusal := h.refuses(c, m, channel, now); refusal != nil {
		return nil, refusal
	}
	if c == nil {
		c = &client{}
		h.clients[m.Client] = c
	}
	reason := wire.Online
	if elder := c.live; elder != nil {
		h.replace(c, elder, m.Boot, now)
	}
	if c.copies.found(now) {
		reason = wire.Duplicate
	}
	s := &session{caller: caller, boot: m.Boot, link: l, channel: channel}
	s.hear(now)
	c.known = max(m.Session, c.known+1)
	s.first, c.live = c.known, s
	h.count(channel, 1)
	at := h.s.now().UTC()
	row := wire.Row{Client: m.Client, Online: true, Channel: channel, Session: c.known, Seq: 1, Since: at, Last: at,
		Address: address, Reason: reason, Certificate: caller.Number}
	if channel == wire.HTTP {
		row.Why = wire.Cut(m.Why, wire.MaxRowWhyBytes)
	}
	h.set(c, row)
	l.send(h.confirm(c.known))
	h.s.results.held(m)
	if c.owed {
		c.owed = false
		h.s.queue.wake([]uuid.UUID{m.Client})
	}
	return s, nil
}

// refuses is why a client may not sign in now. It must be called with mu held.
func (h *hub) refuses(c *client, m wire.SignInMessage, channel wire.Channel, now time.Duration) *wire.CloseMessage {
	cfg := h.s.cfg.Load()
	switch {
	case h.stopped:
		return stoppingClose()
	case m.Session >= maxSession:
		return &wire.CloseMessage{Code: wire.CloseBadFrame, Text: fmt.Sprintf("session %d is beyond all counting", m.Session)}
	case c != nil && c.copies.toldOff(m.Boot, now) > 0:
		return duplicateClose(c.copies.toldOff(m.Boot, now))
	case channel == wire.TCP && h.online[wire.TCP] >= cfg.MaxConnections && !c.overTCP():
		h.s.limit(limitConnections, cfg.MaxConnections)
		return &wire.CloseMessage{Code: wire.CloseLimit, Text: fmt.Sprintf("the server holds its %d clients",
			cfg.MaxConnections),
			RetryAfter: backoff.Jitter(5*time.Minute, 5*time.Minute)}
	}
	return nil
}

// replace ends the elder session of a client for a newer one. It must be called with mu held.
func (h *hub) replace(c *client, elder *session, boot string, now time.Duration) {
	h.count(elder.channel, -1)
	h.owe(c, elder)
	last := wire.CloseMessage{Code: wire.CloseReplaced, Text: "a newer session of this client took its place"}
	if elder.boot != boot {
		if c.copies == nil {
			c.copies = &copies{}
		}
		known := c.copies.found(now)
		if after := c.copies.takeover(elder.boot, boot, now); after > 0 {
			last = *duplicateClose(after)
			if !known { // machines that go on so would fill the log
				h.s.log.Warn("identity_shared: several machines sign in as one client; revoke its certificate and enrol them "+
					"anew", "client", c.row.Client, "address", c.row.Address)
			}
		}
	}
	h.s.metrics.ended.WithLabelValues("replaced").Inc()
	elder.link.end(closeFrame(last))
}

// owe remembers a wake that the session may not have got: nothing was heard of it since.
func (h *hub) owe(c *client, s *session) {
	if woken := s.woken.Load(); woken > 0 && woken >= s.heard.Load() {
		c.owed = true
	}
}

// confirm is the frame that tells a client of its session.
func (h *hub) confirm(session uint64) []byte {
	m := wire.SignInConfirmMessage{Time: h.s.now(), ServerID: h.s.deps.ServerID, Epoch: h.s.epoch,
		KeepAlive: h.s.cfg.Load().KeepAlive, Session: session, SignedTime: h.s.signed().text}
	return wire.AppendFrame(nil, wire.SignInConfirm, m.Encode())
}

// set notes a fact about a client. It must be called with mu held.
func (h *hub) set(c *client, row wire.Row) {
	c.row = row
	h.changed[row.Client] = struct{}{}
	h.s.teller.tell(row)
}

func (h *hub) count(channel wire.Channel, by int) {
	h.online[channel] += by
	h.s.metrics.clients[channel].Set(float64(h.online[channel]))
}

// lost ends a session that is still the client's, for a reason, with last frames or none. It is false when another one
// has taken its place, or it has ended.
func (h *hub) lost(s *session, reason string, last []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.clients[s.caller.Client]
	if c == nil || c.live != s {
		return false
	}
	h.end(c, reason, last)
	return true
}

// end must be called with mu held, for a client that is online.
func (h *hub) end(c *client, reason string, last []byte) {
	s := c.live
	c.live = nil
	h.count(s.channel, -1)
	h.owe(c, s)
	h.s.metrics.ended.WithLabelValues(reason).Inc()
	row := c.row
	row.Online, row.Reason, row.Since, row.Last = false, reason, h.s.now().UTC(), h.lastHeard(s)
	row.Seq++
	h.set(c, row)
	s.link.end(last)
}

// lastHeard is when the last byte came, by the clock.
func (h *hub) lastHeard(s *session) time.Time {
	return h.s.now().Add(-max(0, h.s.steady.now()-time.Duration(s.heard.Load()))).UTC()
}

// raise has a client count on from a session, because another server knew a greater one.
func (h *hub) raise(to wire.SessionOf) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.clients[to.Client]
	if c == nil || to.Session >= maxCounted || to.Session <= c.row.Session {
		return
	}
	c.known = max(c.known, to.Session)
	if c.live == nil {
		return
	}
	row := c.row
	row.Session, row.Seq = c.known, 1
	h.set(c, row)
	c.live.link.send(h.confirm(c.known))
}

// elsewhere ends a session that another server has replaced. What is true of the client is that server's to say.
func (h *hub) elsewhere(gone wire.SessionOf) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.clients[gone.Client]
	if c == nil || c.live == nil || c.row.Session != gone.Session {
		return
	}
	s := c.live
	c.live = nil
	h.count(s.channel, -1)
	delete(h.changed, gone.Client)
	h.s.metrics.ended.WithLabelValues("replaced").Inc()
	s.link.end(closeFrame(wire.CloseMessage{Code: wire.CloseReplaced, Text: "the client signed in at another server"}))
}

// isOnline says whether the client has a session here.
func (h *hub) isOnline(id uuid.UUID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.clients[id]
	return c != nil && c.live != nil
}

// wake has a client ask for its policy: now, or, when it is offline, as soon as it signs in.
func (h *hub) wake(id uuid.UUID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.clients[id]
	if c == nil {
		c = &client{row: wire.Row{Client: id}}
		h.clients[id] = c
	}
	if c.live == nil || !c.live.link.send(wakeFrame) {
		c.owed = true
		return false
	}
	c.live.woken.Store(int64(max(1, h.s.steady.now())))
	return true
}

var wakeFrame = wire.AppendFrame(nil, wire.Wake, nil)

// session is the client's session.
func (h *hub) session(id uuid.UUID) (s *session, number uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.clients[id]; c != nil && c.live != nil {
		return c.live, c.row.Session
	}
	return nil, 0
}

// sessions are all there are.
func (h *hub) sessions() []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*session, 0, h.online[wire.TCP]+h.online[wire.HTTP])
	for _, c := range h.clients {
		if c.live != nil {
			all = append(all, c.live)
		}
	}
	return all
}

// stop ends all sessions and takes no further one.
func (h *hub) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	for _, c := range h.clients {
		if c.live != nil {
			h.end(c, wire.OfflineStop, closeFrame(*stoppingClose()))
		}
	}
}

func stoppingClose() *wire.CloseMessage {
	return &wire.CloseMessage{Code: wire.CloseStopping, Text: "the server stops", RetryAfter: backoff.Jitter(time.Second,
		10*time.Second)}
}

func closeFrame(m wire.CloseMessage) []byte { return wire.AppendFrame(nil, wire.Close, m.Encode()) }
