package channel

import (
	"context"
	"errors"
	"time"

	"statewire/notifier/wire"
)

const (
	// ackPatience is how long a server may take to answer a keep-alive. One that is busy is no reason to leave.
	ackPatience = time.Minute
	// checkPatience is how long it may take when the machine slept, or its network changed: then it most likely is gone.
	checkPatience = 10 * time.Second
	longestWait   = 24 * time.Hour
)

// frame is one that the server sent.
type frame struct {
	kind    wire.Kind
	payload []byte
}

// link is a connection on which the client is signed in.
type link interface {
	// received are the server's frames, until there are no more; then fault says why.
	received() <-chan frame
	fault() error
	// ping makes the server say that it is there.
	ping() error
	// send says something of tasks. Over HTTP it goes with the next request, which begins at once.
	send(answers []Answer) error
	// raise makes a later session the connection's.
	raise(session uint64)
	// facts do not change.
	facts() facts
	// close returns when nothing of the link is left. With a bye the server is told that the client goes.
	close(bye bool)
}

// facts are what a link is.
type facts struct {
	transport string // TCP or HTTP
	server    string // the notifier's address, or the relay's
	keepAlive time.Duration
	confirm   wire.SignInConfirmMessage
	meter     *meter
}

// attendance is a connection while it lasts.
type attendance struct {
	c *Channel
	link
	at      Addresses // when it began
	pingAt  time.Time // zero: never
	ackBy   time.Time // zero: nothing is asked
	attempt chan attempt
}

// attempt is what came of trying TCP at an address.
type attempt struct {
	link link
	at   Addresses
	err  error
}

// attend keeps a connection until it ends, and says how. One over HTTP is given up for TCP once the client is signed in
// there.
func (c *Channel) attend(ctx context.Context, l link, at Addresses) (over end) {
	ctx, cancel := context.WithCancel(ctx)
	a := &attendance{c: c}
	defer func() {
		cancel()
		a.link.close(over.err == nil)
		if a.attempt != nil {
			if got := <-a.attempt; got.err == nil {
				got.link.close(true)
			}
		}
	}()
	a.take(l, at)
	timer := time.NewTimer(a.wait())
	defer timer.Stop()
	for {
		if ended := a.step(ctx, timer.C); ended != nil {
			return *ended
		}
		timer.Reset(a.wait())
	}
}

// take makes a link the connection, which was made when the addresses were these.
func (a *attendance) take(l link, at Addresses) {
	a.link, a.at, a.pingAt, a.ackBy = l, at, time.Time{}, time.Time{}
	if keepAlive := l.facts().keepAlive; keepAlive > 0 {
		a.pingAt = time.Now().Add(keepAlive)
	}
	a.c.connected(l.facts())
	a.c.d.Tasks.Connected()
}

func (a *attendance) overHTTP() bool { return a.facts().transport == "HTTP" }

// wait is the time until step has something to do by itself.
func (a *attendance) wait() time.Duration {
	wait := longestWait
	for _, at := range []time.Time{a.pingAt, a.ackBy} {
		if !at.IsZero() {
			wait = min(wait, time.Until(at))
		}
	}
	if a.overHTTP() && a.attempt == nil {
		wait = min(wait, time.Until(a.c.tcpAt))
	}
	return wait
}

// step does what comes next; nil goes on.
func (a *attendance) step(ctx context.Context, tick <-chan time.Time) *end {
	select {
	case <-ctx.Done():
		return &end{}
	case f, more := <-a.received():
		if !more && (ctx.Err() != nil || a.fault() == nil) {
			return &end{} // the link ended with ctx, which it may see first
		}
		if !more {
			return a.over(a.fault())
		}
		return a.hear(f)
	case <-tick:
		return a.tick(ctx)
	case <-a.c.poked:
		return a.obey(a.c.wanted())
	case <-a.c.d.Tasks.Answers():
		return a.tell()
	case got := <-a.attempt:
		a.attempt = nil
		a.tried(got)
		return nil
	}
}

// over ends the connection, unless the client is about to be signed in over TCP: then the server ended this one for
// that.
func (a *attendance) over(err error) *end {
	err = a.explained(err)
	if a.attempt == nil {
		return &end{err: err}
	}
	got := <-a.attempt
	a.attempt = nil
	a.tried(got)
	if got.err == nil {
		return nil
	}
	return &end{err: err}
}

// explained puts into words why the connection ended.
func (a *attendance) explained(err error) error {
	if a.overHTTP() {
		return a.c.explained("https", a.facts().server, err)
	}
	return a.c.explained("tcp", a.facts().server, err)
}

// tried goes over to TCP, or notes why not.
func (a *attendance) tried(got attempt) {
	if got.err != nil {
		a.c.tcpFailed(got.err)
		a.c.failed(got.err)
		a.c.onReturn(a.c.tcpAt)
		return
	}
	a.link.close(false) // the server ended it already
	a.c.tcpWorks()
	a.take(got.link, got.at)
}

// tick does what is due.
func (a *attendance) tick(ctx context.Context) *end {
	now := time.Now()
	if !a.ackBy.IsZero() && !now.Before(a.ackBy) {
		return a.over(errSilent)
	}
	if a.overHTTP() && a.attempt == nil && !now.Before(a.c.tcpAt) {
		a.attempt = make(chan attempt, 1)
		go func(out chan<- attempt, at Addresses) {
			l, err := a.c.overTCP(ctx, at.Notifier, wire.ReasonReturn)
			out <- attempt{l, at, err}
		}(a.attempt, a.c.d.Addresses())
	}
	if !a.pingAt.IsZero() && !now.Before(a.pingAt) {
		a.pingAt = now.Add(a.facts().keepAlive)
		return a.ask(ackPatience)
	}
	return nil
}

// ask makes the server say within a time that it is there.
func (a *attendance) ask(patience time.Duration) *end {
	if by := time.Now().Add(patience); a.ackBy.IsZero() || by.Before(a.ackBy) {
		a.ackBy = by
	}
	if err := a.ping(); err != nil {
		return a.over(err)
	}
	return nil
}

// obey does what others want of the channel.
func (a *attendance) obey(w wants) *end {
	now := a.c.d.Addresses()
	moved := now.Notifier != a.at.Notifier || a.overHTTP() && now.Relay != a.at.Relay
	switch {
	case w.reconnect != "":
		a.c.log("reconnecting", "why", w.reconnect)
		return &end{}
	case moved && !now.StandIn:
		a.c.log("assigned elsewhere", "notifier", now.Notifier, "relay", now.Relay)
		a.c.onHTTP, a.c.tcpFailures = false, 0
		return &end{moved: true}
	case w.check != "":
		a.c.tcpAt = time.Now() // what kept the client from TCP may be gone
		return a.ask(checkPatience)
	}
	return nil
}

// errSilent is how a connection ends that is dead, though nobody said so.
var errSilent = errors.New("it does not answer that it is there")

// errFrame is a frame that a server does not send.
var errFrame = errors.New("the server sent a frame that only clients send")

// hear acts on a frame of the server. Any of them shows that it is there.
func (a *attendance) hear(f frame) *end {
	a.ackBy = time.Time{}
	switch f.kind {
	case wire.Wake:
		a.c.log("woken")
		a.c.waker.wake()
	case wire.SignInConfirm: // again: another server knows a later session
		m, err := wire.DecodeSignInConfirm(f.payload)
		if err != nil {
			return a.over(err)
		}
		a.c.toldTime(m)
		a.raise(a.c.keepSession(m.Session))
	case wire.Request, wire.Cancel, wire.ResponseConfirm, wire.KeepAliveAck:
		if err := a.task(f); err != nil {
			return a.over(err)
		}
	case wire.Close:
		m, err := wire.DecodeClose(f.payload)
		if err == nil {
			err = &closed{CloseMessage: m}
		}
		if m.Code == wire.CloseWrongServer {
			a.c.waker.wake() // the policy names the right one
		}
		return a.over(err)
	case wire.SignIn, wire.KeepAlive, wire.Received, wire.Response:
		return a.over(errFrame)
	}
	return nil
}
