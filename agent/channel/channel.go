// Package channel keeps the client's fast channel: one connection on which the site can wake the client and hand it
// tasks. What fails here costs a delay and nothing else: no report waits for it, and no word of a task is lost by it.
// Clients that lost their server together do not come back together, and a server that asks to be left alone is.
package channel

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"

	"statewire/internal/backoff"
	"statewire/notifier/wire"
)

// policyPatience is how long a client that has no policy yet waits for its first poll before it dials, once that is
// due: the policy may name another address.
const policyPatience = 30 * time.Second

// Sessions counts a client's sign-ins. What a call has written is on disk when it returns.
type Sessions interface {
	// NextSession counts one more and returns its number.
	NextSession() (uint64, error)
	// KeepSession makes the last one at least this.
	KeepSession(session uint64) error
}

// Addresses are where a client's site is to be reached.
type Addresses struct {
	Notifier string // host:port
	Relay    string // the one in use, such as https://mp.example:8443
	Known    bool   // the site has said so, in a policy, or that it wants nothing
	StandIn  bool   // the assigned relay does not answer: another one, with its notifier, stands in
}

// Deps is what a channel works with.
type Deps struct {
	Client    uuid.UUID
	Version   string // of this program
	Boot      string // random, of this run of the client
	Sessions  Sessions
	Enrolled  func() bool
	TLS       func(host string) *tls.Config // towards a host of the site
	Addresses func() Addresses
	// Wake makes the client poll its policy now. It never blocks.
	Wake func()
	// Tasks carries out what the site asks for. Nil does nothing, and says nothing.
	Tasks Tasks

	// StartupJitter bounds the random wait before the first connection; zero does not wait.
	StartupJitter time.Duration
	// Now is the wall clock, which only stamps what is said and shown. Nil is the system's.
	Now func() time.Time
	// Dial opens connections. Nil is the system's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxy is the proxy for a request, nil for none. Nil takes the environment's HTTPS_PROXY and NO_PROXY.
	Proxy func(*http.Request) (*url.URL, error)
	Log   *slog.Logger
	// Quiet logs everything at Debug: right in a fleet, where there are too many.
	Quiet bool
}

// Channel is the fast channel of one client.
type Channel struct {
	// Constant after New.
	d     Deps
	poked chan struct{} // there is something in wants
	waker waker

	// Owned by Run.
	failures    int       // in a row, without a connection that lasted
	tcpFailures int       // attempts at TCP in a row that came to nothing
	tcpAt       time.Time // of the next one, after the last connection was over HTTP
	noTCP       error     // what the last one met; nil = it is connected, or was
	onHTTP      bool      // the last connection was over HTTP
	shared      bool      // the server said that another machine has this identity
	signedIn    bool      // at least once
	warned      string    // the failure that the log told last, in a row; empty = none
	reason      string    // of the next sign-in

	// Guarded by mu.
	mu     sync.Mutex
	wants  wants
	status Status
	meter  *meter // of the connection in use, or the last one
}

// wants is what others have asked of a channel.
type wants struct {
	reconnect string // why; empty = nobody asks
	check     string // why; the connection may be dead, or the network another
	look      bool   // the addresses may have changed
}

// New returns a client's channel. Nothing is connected until Run.
func New(d Deps) *Channel {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Dial == nil {
		d.Dial = dialer().DialContext
	}
	if d.Proxy == nil {
		d.Proxy = http.ProxyFromEnvironment
	}
	if d.Tasks == nil {
		d.Tasks = noTasks{}
	}
	return &Channel{d: d, poked: make(chan struct{}, 1), waker: waker{obey: d.Wake}, reason: wire.ReasonStart,
		meter: newMeter(d.Now)}
}

// Reconnect ends the connection and signs in anew, or tries at once when there is none. It never blocks.
func (c *Channel) Reconnect(reason string) { c.want(func(w *wants) { w.reconnect = reason }) }

// Check makes the channel find out at once whether its connection works: the machine slept, or its network changed. It
// never blocks.
func (c *Channel) Check(reason string) { c.want(func(w *wants) { w.check = reason }) }

// Look makes the channel see whether it is connected where its policy wants it to be. It never blocks.
func (c *Channel) Look() { c.want(func(w *wants) { w.look = true }) }

func (c *Channel) want(fn func(*wants)) {
	c.mu.Lock()
	fn(&c.wants)
	c.mu.Unlock()
	select {
	case c.poked <- struct{}{}:
	default:
	}
}

// wanted takes what was asked for.
func (c *Channel) wanted() wants {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.wants
	c.wants = wants{}
	return w
}

// Run keeps the client connected until ctx ends. What fails is told in Status, and tried again.
func (c *Channel) Run(ctx context.Context) error {
	defer c.waker.stop()
	jitter, polled := backoff.Jitter(0, c.d.StartupJitter), time.Now().Add(c.d.StartupJitter)
	c.waiting("for a random moment after its start", c.d.Now().Add(jitter))
	if backoff.Sleep(ctx, jitter) != nil {
		return nil
	}
	if c.awaitCertificate(ctx) { // without one no policy comes
		c.awaitPolicy(ctx, max(0, time.Until(polled))+policyPatience)
	}
	for ctx.Err() == nil && c.awaitCertificate(ctx) {
		c.round(ctx)
	}
	return nil
}

// awaitPolicy lets the first poll say where the notifier is. That comes at a random moment of its own after the start,
// within StartupJitter, too.
func (c *Channel) awaitPolicy(ctx context.Context, atMost time.Duration) {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	for !c.d.Addresses().Known {
		c.waiting("for its first policy", time.Time{})
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-c.poked:
			c.wanted()
		}
	}
}

// awaitCertificate waits, without a word, until the client is enrolled; false when ctx ends.
func (c *Channel) awaitCertificate(ctx context.Context) bool {
	for !c.d.Enrolled() {
		c.waiting("for a certificate", time.Time{})
		select {
		case <-ctx.Done():
			return false
		case <-c.poked:
			c.wanted()
		}
	}
	return true
}

// round connects once, stays connected as long as that lasts, and then waits before the next time.
func (c *Channel) round(ctx context.Context) {
	c.wanted() // what was asked for before is done hereby
	began := time.Now()
	at := c.d.Addresses()
	l, err := c.connect(ctx, at)
	over := end{err: err}
	if err == nil {
		over = c.attend(ctx, l, at)
		if time.Since(began) >= lasting {
			c.failures, c.warned = 0, ""
		}
		c.shared = c.shared && time.Since(began) < sharedFor
	}
	if ctx.Err() != nil {
		c.disconnected(end{})
		return
	}
	c.disconnected(over)
	if err == nil {
		c.reason = over.next()
	}
	c.rest(ctx, c.pause(over), over)
}

// connect signs in over TCP, or else over HTTP. A client that was over HTTP leaves TCP alone until that is due, and
// says again what TCP met: a server that was started anew does not know.
func (c *Channel) connect(ctx context.Context, at Addresses) (link, error) {
	reason, noTCP := c.reason, error(nil)
	if !c.onHTTP || !time.Now().Before(c.tcpAt) {
		c.connecting(at.Notifier)
		l, err := c.overTCP(ctx, at.Notifier, reason)
		if err == nil {
			c.tcpWorks()
			return l, nil
		}
		if ctx.Err() != nil || told(err) != nil {
			return nil, err
		}
		c.tcpFailed(err)
		reason, noTCP = wire.ReasonFallback, err
	}
	c.connecting(at.Relay)
	l, err := c.overHTTP(ctx, at.Relay, reason, text(c.noTCP))
	if err != nil {
		return nil, join(noTCP, err)
	}
	if c.onHTTP = true; noTCP != nil {
		c.failed(noTCP)
	}
	return l, nil
}

// tcpWorks forgets what earlier attempts at TCP met.
func (c *Channel) tcpWorks() { c.tcpFailures, c.noTCP, c.onHTTP = 0, nil, false }

// tcpFailed keeps what an attempt at TCP met, and sets the next one of a client that is connected over HTTP.
func (c *Channel) tcpFailed(err error) {
	c.noTCP = err
	c.tcpAt = time.Now().Add(returnAfter(c.tcpFailures))
	c.tcpFailures++
}

// rest waits, but no longer than until something has changed that the next attempt depends on.
func (c *Channel) rest(ctx context.Context, wait time.Duration, after end) {
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	at := c.d.Addresses()
	c.waiting("", c.d.Now().Add(wait))
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-c.poked:
		}
		w, now := c.wanted(), c.d.Addresses()
		moved := now.Notifier != at.Notifier || now.Relay != at.Relay
		switch {
		case w.reconnect != "":
			return
		case after.asked(): // to be left alone
		case w.check != "", moved && !now.StandIn:
			c.onHTTP = false // what kept the client from TCP may be gone
			return
		}
	}
}

// join is why neither way worked.
func join(tcp, err error) error {
	if tcp == nil {
		return err
	}
	return fmt.Errorf("%w; %w", tcp, err)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
