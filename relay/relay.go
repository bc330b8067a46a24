// Package relay accepts reports over HTTPS and answers only once the report is in
// the inbox and on disk: a client that reads a 202 may forget what it sent, and a
// report that was refused is never half kept.
package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"statewire/identity"
)

// MemoryLimit is what a process that runs the relay alone should give to debug.SetMemoryLimit: with it the process
// stays below 256 MiB with all connections taken and the largest bodies coming in. The relay itself leaves the
// process's settings alone.
const MemoryLimit = 192 << 20

// spool is the inbox as the relay sees it: where reports go, and whether they may.
type spool interface {
	putter
	storage
}

// Callers knows callers by their certificates; an *identity.Verifier. Its errors tell the caller why it is not known:
// an *identity.Refusal says with which code.
type Callers interface {
	// Verify decides on a handshake, new or resumed. Nobody has verified the certificates before.
	Verify(tls.ConnectionState) error
	// Caller says who is behind a connection that Verify let pass, as things are now.
	Caller(*tls.ConnectionState) (identity.Caller, error)
}

// Deps is what a relay is given beside its configuration.
type Deps struct {
	// Inbox takes the reports; an *inbox.Dir.
	Inbox spool
	// Certificate yields the listener's certificate, as identity.Site and identity.Files do.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Callers knows the clients; nil knows none, so that "mtls" refuses everybody.
	Callers Callers
	// Denied is the list of denied certificates for relays and notifiers of other machines; an *identity.Verifier. Nil
	// gives none.
	Denied denied
	// Enrolment gives out certificates; nil refuses that for now.
	Enrolment Enrolment
	// Policies answers polls; nil refuses them for now.
	Policies policies
	// Channel answers clients that wait for a word of the site; nil refuses them for now.
	Channel Channel
	// ChannelClients is how many may wait at most; zero sets no limit.
	ChannelClients int
	// Refused is the file in which the last refused report of each client is noted; empty notes none there.
	Refused    string
	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil registers nothing
	Clock      func() time.Time      // nil is time.Now
}

// Relay is the HTTPS listener and the committer behind it.
type Relay struct {
	// Constant after New.
	cfg         Config
	callers     Callers
	enrolment   Enrolment
	enrolling   chan struct{} // a place for each enrolment that is worked on
	renewing    chan struct{} // the same for renewals: strangers keep no client from its next certificate
	strangers   *budget       // memory for what callers without a certificate send
	denied      denied
	deniedHold  time.Duration
	holding     chan struct{} // a place for each caller that waits for a change of the list
	stopping    chan struct{} // closed when the relay stops: nobody waits any more
	channel     Channel
	channelMost int // clients that may wait in it; zero sets no limit
	seen        *seen
	policies    policies
	certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	log         *slog.Logger
	now         func() time.Time
	metrics     *metrics
	routes      map[string]route
	gate        *gate
	rates       *rates
	memory      *budget
	committer   *committer
	pool        *pool
	refused     *refused

	withoutPolicy, withoutIdentity rate.Sometimes // bound the complaints

	// Set by Listen, before Run serves.
	listener *listener
}

// New checks the configuration and what it was given; nothing starts before Run.
func New(cfg Config, deps Deps) (*Relay, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Inbox == nil || deps.Certificate == nil {
		return nil, errors.New("relay: needs an inbox and a certificate")
	}
	r := &Relay{cfg: cfg, callers: deps.Callers, enrolment: deps.Enrolment, policies: deps.Policies,
		certificate: deps.Certificate, log: deps.Log,
		now: deps.Clock}
	r.withoutPolicy.Interval, r.withoutIdentity.Interval = time.Minute, time.Minute
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.now == nil {
		r.now = time.Now
	}
	r.metrics = newMetrics(deps.Registerer)
	r.enrolling, r.renewing = make(chan struct{}, enrolmentsAtOnce), make(chan struct{}, enrolmentsAtOnce)
	r.strangers = &budget{max: strangerMemory}
	r.deniedHold = deniedHold
	r.channel, r.channelMost = deps.Channel, deps.ChannelClients
	r.denied, r.holding, r.stopping = deps.Denied, make(chan struct{}, deniedAtOnce), make(chan struct{})
	r.seen = newSeen(cfg, deps.Enrolment, r.metrics, r.log)
	r.refused = newRefused(cfg, deps.Refused, r.metrics, r.log)
	r.metrics.countRefused(deps.Registerer, r.refused.open)
	r.gate = newGate(cfg, deps.Inbox, r.metrics, r.log, r.now)
	r.rates = newRates(cfg)
	r.memory = &budget{max: cfg.MaxBodyMemory}
	r.pool = newPool(r.memory)
	r.committer = newCommitter(cfg, deps.Inbox, r.gate, r.metrics, r.log, r.now)
	r.routes = map[string]route{
		"/mp/reports": {method: http.MethodPost, serve: r.serveReport},
		"/mp/policy":  {method: http.MethodGet, serve: r.servePolicy},
		"/mp/enroll":  {method: http.MethodPost, serve: r.serveEnroll},
		"/mp/renew":   {method: http.MethodPost, serve: r.serveRenew},
		"/mp/denied":  {method: http.MethodGet, serve: r.serveDenied},
		channelPath:   {method: http.MethodPost, serve: r.serveChannel},
	}
	return r, r.listed()
}

// Listen opens the listener and returns its address, which tells the port when the configured one is 0. Run does it
// when nobody did.
func (r *Relay) Listen() (net.Addr, error) {
	if r.listener != nil {
		return r.listener.Addr(), nil
	}
	if err := enoughFiles(r.cfg.MaxConnections + r.cfg.MaxHandshakes); err != nil {
		return nil, err
	}
	tcp, err := net.Listen("tcp", r.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on relay.listen %s: %w", r.cfg.Listen, err)
	}
	r.listenOn(tcp)
	return tcp.Addr(), nil
}

func (r *Relay) listenOn(tcp net.Listener) {
	config := identity.ServerTLS(r.certificate)
	config.NextProtos = []string{"http/1.1"}
	if r.callers != nil {
		// Who it is decides Callers: an expired certificate may still be renewed, and who shows none gets a 401 that says
		// why.
		config.ClientAuth = tls.RequestClientCert
		if r.cfg.Auth == AuthMTLS {
			config.VerifyConnection = r.callers.Verify
		}
	}
	r.listener = newListener(tcp, config, r.cfg, r.metrics, r.log)
	r.listener.mostApart = r.channelMost
}

// Run serves until ctx is done, then answers what is in hand and returns nil.
func (r *Relay) Run(ctx context.Context) error {
	addr, err := r.Listen()
	if err != nil {
		return err
	}
	r.gate.look()
	r.log.Info("relay listening", "addr", addr.String(), "auth", r.cfg.Auth)
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var behind errgroup.Group
	behind.Go(func() error { return r.committer.run(work) })
	behind.Go(func() error { return r.committer.watch(work) })
	behind.Go(func() error { return r.gate.run(work) })
	behind.Go(func() error { return r.refused.run(work) })
	behind.Go(func() error { return r.seen.run(work) })
	err = r.serve(ctx)
	stopWork()
	return errors.Join(err, r.settle(behind.Wait))
}

// settle waits for the committer. Whoever waited for it has been answered; only a disk that hangs can still hold it.
func (r *Relay) settle(wait func() error) error {
	done := make(chan error, 1)
	go func() { done <- wait() }()
	select {
	case err := <-done:
		r.log.Info("relay stopped")
		return err
	case <-time.After(time.Second):
		return errors.New("stop the relay: the disk did not answer; what it held was not acknowledged")
	}
}

// Ready says why reports are refused at this moment; nil when they are taken.
func (r *Relay) Ready() error {
	if p := r.gate.refusal(); p != nil {
		return p
	}
	return nil
}
