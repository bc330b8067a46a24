package notifier

import (
	"context"
	"errors"
	"time"

	"statewire/identity"
	"statewire/notifier/wire"
)

const (
	// sweepInterval is how often all sessions are looked at: a client that fell silent, or was revoked, is found so much
	// later at most.
	sweepInterval = 10 * time.Second
	// httpReturn is how long a client by HTTP may be without a request before it counts as gone.
	httpReturn = 30 * time.Second
	// offlineExpired is the reason of a client whose certificate ended while it was online.
	offlineExpired = "expired"
)

// sweeps looks at all sessions until ctx is done. One look for all of them: a timer for each would cost memory for
// clients that do nothing.
func (s *Server) sweeps(ctx context.Context) {
	tick := time.NewTicker(s.sweepEvery())
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := time.Now()
			s.sweep(now.Sub(last))
			last = now
		}
	}
}

func (s *Server) sweepEvery() time.Duration {
	return min(sweepInterval, max(50*time.Millisecond, s.cfg.Load().OfflineAfter/20))
}

// sweep looks at all sessions; past is the time since it last did. When that was much longer than it should be, the
// process stood still: what clients sent meanwhile has not been read yet, and none of them was silent.
func (s *Server) sweep(past time.Duration) {
	if every := s.sweepEvery(); past > 2*every {
		s.steady.skip(past - every)
		s.log.Warn("the server stood still; nobody counts as silent for it", "for", past)
	}
	now := s.steady.now()
	for _, session := range s.hub.sessions() {
		s.look(session, now)
	}
	s.hub.settle(now)
}

// look ends a session that should not be any more. A request that waits is a sign of life, however long it may: one of
// a connection that is dead ends with http_hold.
func (s *Server) look(session *session, now time.Duration) {
	heard := time.Duration(session.heard.Load())
	if heard > now { // it was heard while the clock of the server's work was set back
		session.heard.CompareAndSwap(int64(heard), int64(now))
	}
	silent := now - heard
	if box, ok := session.link.(*mailbox); ok {
		alone := box.alone(now)
		if alone > httpReturn {
			s.hub.lost(session, wire.OfflineClosed, nil)
			return
		}
		silent = min(silent, alone)
	}
	if silent > s.cfg.Load().OfflineAfter {
		s.hub.lost(session, wire.OfflineSilent, nil)
		return
	}
	if err := s.deps.Callers.Refusal(session.caller); err != nil {
		reason := wire.OfflineRevoked
		if refusal := new(identity.Refusal); errors.As(err, &refusal) && refusal.Code == identity.CodeExpired {
			reason = offlineExpired
		}
		s.hub.lost(session, reason, closeFrame(wire.CloseMessage{Code: wire.CloseRevoked, Text: err.Error()}))
	}
}

// settle tells of clients that several machines were and one is again.
func (h *hub) settle(now time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.clients {
		if c.copies == nil || c.copies.found(now) {
			continue
		}
		if c.copies.until > 0 {
			c.copies = nil
		}
		if c.live != nil && c.row.Reason == wire.Duplicate {
			row := c.row
			row.Reason = wire.Online
			row.Seq++
			h.set(c, row)
		}
	}
}
