package notifier

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"statewire/identity"
	"statewire/notifier/wire"
)

// clockMayDiffer is by how much a client's clock may be wrong before somebody is told.
const clockMayDiffer = 5 * time.Minute

// signIn takes the frame that should be a sign-in. A built-in client is answered and has no session: it counts as
// nobody.
func (s *Server) signIn(caller identity.Caller, kind wire.Kind, payload []byte, channel wire.Channel, l link,
	remote string) (*session, error) {
	if kind != wire.SignIn {
		return nil, &wire.FrameError{Code: wire.CloseBadFrame, Text: fmt.Sprintf(
			"a frame of type %d before the sign-in", kind)}
	}
	s.metrics.frames.WithLabelValues(nameOf(kind)).Inc()
	m, err := wire.DecodeSignIn(payload)
	if err != nil {
		return nil, &wire.FrameError{Code: wire.CloseBadFrame, Text: err.Error()}
	}
	m.Channel = channel // which way it came is seen here
	if caller.Role == selfRole {
		l.send(s.hub.confirm(m.Session))
		return nil, nil
	}
	if !caller.IsClient() || m.Client != caller.Client {
		s.told.stranger(caller, clientText(m.Client), remote)
		return nil, &closing{wire.CloseMessage{Code: wire.CloseNotYours, Text: "the certificate is of " + caller.Key() +
			", and the sign-in of " + clientText(m.Client)}}
	}
	s.checkClock(m)
	session, refusal := s.hub.signIn(caller, m, l, host(remote))
	if refusal != nil {
		return nil, &closing{*refusal}
	}
	return session, nil
}

// checkClock tells of a client whose clock is wrong.
func (s *Server) checkClock(m wire.SignInMessage) {
	off := m.Time.Sub(s.now())
	way := "ahead"
	if off < 0 {
		off, way = -off, "behind"
	}
	if off > clockMayDiffer {
		s.messages.say(wire.ClockOff, way, "The clock of %s is %v %s of the notification server's; clocks of other clients "+
			"may be wrong, too.", clientText(m.Client), off.Round(time.Second), way)
	}
}

// take acts on a frame of a client that has signed in.
func (s *Server) take(session *session, kind wire.Kind, payload []byte) error {
	s.metrics.frames.WithLabelValues(nameOf(kind)).Inc()
	switch kind {
	case wire.KeepAlive:
		session.link.send(s.signed().ack)
	case wire.Close:
		s.hub.lost(session, wire.OfflineClosed, nil)
		return net.ErrClosed
	case wire.Received, wire.Response:
		return s.response(session, kind, payload)
	case wire.SignIn:
		return &wire.FrameError{Code: wire.CloseBadFrame, Text: "a second sign-in on one connection"}
	default:
		if !kind.Skipped() {
			return &wire.FrameError{Code: wire.CloseBadFrame, Text: fmt.Sprintf("a frame of type %d is the server's to send",
				kind)}
		}
	}
	return nil
}

func clientText(id uuid.UUID) string { return "GUID:" + strings.ToUpper(id.String()) }

// host is an address without its port.
func host(remote string) string {
	if h, _, err := net.SplitHostPort(remote); err == nil {
		return h
	}
	return remote
}

const (
	// strangerPause is how long a caller that spoke for another client is not told of again.
	strangerPause = time.Hour
	strangersKept = 1000
)

// told has lines written into the log and the audit log about callers that spoke for other clients.
type told struct {
	// Constant after New.
	to     strangers
	log    *slog.Logger
	steady *steady

	// Guarded by mu.
	mu     sync.Mutex
	last   map[string]time.Duration
	untold []identity.Stranger
}

// stranger takes note of one. Whoever does it all day is told of once an hour.
func (t *told) stranger(caller identity.Caller, claimed, from string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.steady.now()
	if t.last == nil {
		t.last = map[string]time.Duration{}
	}
	if last, ok := t.last[caller.Key()]; ok && now-last < strangerPause || len(t.untold) >= strangersKept {
		return
	}
	for key, last := range t.last {
		if now-last >= strangerPause {
			delete(t.last, key)
		}
	}
	t.last[caller.Key()] = now
	t.log.Warn("a client signs in with another's id", "caller", caller.Key(), "claimed", claimed, "remote", from)
	if t.to != nil {
		t.untold = append(t.untold, identity.Stranger{Caller: caller, Claimed: claimed, From: from})
	}
}

// run tells what is new every second until ctx is done.
func (t *told) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.tell(ctx)
		}
	}
}

// tell tells who spoke for others. What does not get through stays for the next time.
func (t *told) tell(ctx context.Context) {
	t.mu.Lock()
	untold := t.untold
	t.untold = nil
	t.mu.Unlock()
	if len(untold) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := t.to.Strangers(ctx, untold); err != nil {
		t.log.Debug("callers that spoke for others are noted later", "count", len(untold), "err", err)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.untold = append(untold, t.untold...)
	}
}
