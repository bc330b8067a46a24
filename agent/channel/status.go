package channel

import (
	"context"
	"log/slog"
	"regexp"
	"time"

	"statewire/notifier/wire"
	"statewire/smx"
)

// Status is how a client's channel is doing.
type Status struct {
	Transport string        // TCP or HTTP; empty = not connected
	Server    string        // address of the notifier, over HTTP of the relay; the one that is tried, when not connected
	Since     time.Time     // of the sign-in; zero = not connected
	Session   uint64        // of the sign-in
	KeepAlive time.Duration // how often the client says that it is there; 0 over HTTP
	NextTCP   time.Time     // over HTTP: when TCP is tried again
	Waits     string        // for what, when not connected
	NextTry   time.Time     // when not connected: when it is tried again; zero = now, or nobody knows

	Failure  string    // why the last attempt, or the last connection, failed; empty = none did
	FailedAt time.Time // of it
	DownFrom time.Time // since when the client is not connected; zero = it is

	Local, Remote    string    // addresses with ports of the last connection
	LastIn, LastOut  time.Time // of the last byte each way
	Duplicate, Final bool      // the site said that another machine has this identity; that it wants nothing of the client
}

// Status tells how the channel is doing.
func (c *Channel) Status() Status {
	c.mu.Lock()
	s, m := c.status, c.meter
	c.mu.Unlock()
	if local, remote := m.local.Load(), m.remote.Load(); local != nil && remote != nil {
		s.Local, s.Remote = *local, *remote
	}
	s.LastIn, s.LastOut = unixNano(m.in.Load()), unixNano(m.out.Load())
	return s
}

func unixNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func (c *Channel) note(fn func(*Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn(&c.status)
}

// waiting notes that the client is not connected, why, and until when.
func (c *Channel) waiting(why string, until time.Time) {
	c.note(func(s *Status) { s.Waits, s.NextTry = why, until })
}

// connecting notes where the client tries to sign in.
func (c *Channel) connecting(server string) {
	c.note(func(s *Status) { s.Server, s.Waits, s.NextTry = server, "", time.Time{} })
}

// connected notes where the client is signed in.
func (c *Channel) connected(f facts) {
	c.signedIn = true
	now, tcpAt := c.d.Now(), time.Time{}
	if f.transport == "HTTP" {
		tcpAt = now.Add(time.Until(c.tcpAt))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.meter = f.meter
	s := &c.status
	s.Transport, s.Server, s.Since, s.Session, s.KeepAlive = f.transport, f.server, now, f.confirm.Session, f.keepAlive
	s.NextTCP, s.Waits, s.NextTry, s.DownFrom, s.Duplicate, s.Final = tcpAt, "", time.Time{}, time.Time{}, false, false
	c.d.Log.Log(context.Background(), c.level(slog.LevelInfo), "channel open", "client", smx.ClientID(c.d.Client),
		"transport", f.transport, "server", f.server, "session", f.confirm.Session)
}

// onReturn notes when TCP is tried again.
func (c *Channel) onReturn(at time.Time) {
	next := c.d.Now().Add(time.Until(at))
	c.note(func(s *Status) { s.NextTCP = next })
}

// disconnected notes how a connection ended.
func (c *Channel) disconnected(over end) {
	now := c.d.Now()
	c.note(func(s *Status) {
		if s.DownFrom.IsZero() {
			s.DownFrom = now
		}
		s.Transport, s.Since, s.NextTCP = "", time.Time{}, time.Time{}
	})
	if over.err != nil {
		c.failed(over.err)
	}
}

// failed notes why something did not go. Of a row the first failure is told to whoever reads the log, and each that is
// another one than that told last: a repeat says nothing new.
func (c *Channel) failed(err error) {
	c.noteFailure(err)
	level, reason := slog.LevelDebug, timeless(err)
	if reason != c.warned {
		level, c.warned = c.level(slog.LevelWarn), reason
	}
	c.d.Log.Log(context.Background(), level, "channel failed", "client", smx.ClientID(c.d.Client), "why", err)
}

// times are those that words have in them, which are others at each attempt.
var times = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:]{8}Z`)

// timeless is an error's text by which two are told apart.
func timeless(err error) string { return times.ReplaceAllString(err.Error(), "") }

func (c *Channel) noteFailure(err error) {
	now, m := c.d.Now(), told(err)
	c.note(func(s *Status) {
		s.Failure, s.FailedAt = err.Error(), now
		if m != nil {
			s.Duplicate, s.Final = m.Code == wire.CloseDuplicate, final(m.Code)
		}
	})
}

func (c *Channel) level(level slog.Level) slog.Level {
	if c.d.Quiet {
		return slog.LevelDebug
	}
	return level
}

func (c *Channel) log(text string, args ...any) {
	c.d.Log.Debug(text, append([]any{"client", smx.ClientID(c.d.Client)}, args...)...)
}
