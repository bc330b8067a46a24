package notifier

import (
	"time"

	"statewire/notifier/wire"
)

// signed is the time that the site vouches for, ready to be handed to clients.
type signed struct {
	ack  []byte // the frame KeepAliveAck
	text string // for a sign-in's confirmation; empty: there is none yet
	time time.Time
	came time.Time
}

var unsigned = &signed{ack: wire.AppendFrame(nil, wire.KeepAliveAck, nil)}

// signed is the last signed time.
func (s *Server) signed() *signed {
	if t := s.time.Load(); t != nil {
		return t
	}
	return unsigned
}

// setTime takes a signed time of the manager. One that cannot be read is none.
func (s *Server) setTime(payload []byte) {
	if len(payload) == 0 {
		return
	}
	t, ok := wire.DecodeSignedTime(payload)
	if !ok {
		s.log.Error("the manager's signed time cannot be read; clients are not told it", "bytes", len(payload))
		return
	}
	s.time.Store(&signed{ack: wire.AppendFrame(nil, wire.KeepAliveAck, payload), text: t.Text(), time: t.Time,
		came: time.Now()})
}

// siteTime is the time at the site, which says when a task is over. This machine's clock says it only until the manager
// has told its own: a clock that somebody sets ends no task, and prolongs none.
func (s *Server) siteTime() time.Time {
	if t := s.time.Load(); t != nil {
		return t.time.Add(time.Since(t.came))
	}
	return s.now()
}
