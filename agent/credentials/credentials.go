// Package credentials keeps what proves who a client is: its key, its certificate, the authorities it believes and the
// trust document. A new pair takes the place of the former whole or not at all, whenever the process is killed; a key
// that other users can read is never used; and a request whose answer was lost is repeated with the same key.
package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"statewire/agent/cache"
	"statewire/smx"
	"statewire/trust"
)

// Options are what Open is told.
type Options struct {
	Client  smx.ClientID // whose the credentials are; a certificate of another client is not used
	Serials serials      // of that client
	Now     func() time.Time
	Log     *slog.Logger
}

// serials are a client's serials, in its store.
type serials interface {
	Summary() (cache.Summary, error)
	Continue(last uint64) error
}

// Credentials are what one client has of its site: at first nothing, after its enrolment a certificate, which is
// renewed while the client runs. They are safe for concurrent use.
type Credentials struct {
	// Constant after Open, and after OnChange.
	store   Store
	client  smx.ClientID
	serials serials
	now     func() time.Time
	log     *slog.Logger
	wake    chan struct{} // renew now, or look again when
	changed []func()

	asking   sync.Mutex   // held while a certificate is asked for
	failures atomic.Int32 // renewals in a row that came to nothing

	// Guarded by mu.
	mu       sync.Mutex
	kept     Kept
	pair     *tls.Certificate // nil: not enrolled
	owner    owner
	believed []*x509.Certificate // authorities
	document *trust.Document     // nil: none
	problem  string              // why the last attempt to get a certificate came to nothing
	distrust string              // why what a policy told of whom to believe was not taken
	expired  bool                // the relay says that the certificate is
}

// Open reads what a client keeps. A client that has nothing yet is no error: it is not enrolled.
func Open(store Store, opt Options) (*Credentials, error) {
	c := &Credentials{store: store, client: opt.Client, serials: opt.Serials, now: opt.Now, log: opt.Log,
		wake: make(chan struct{}, 1)}
	if c.now == nil {
		c.now = time.Now
	}
	kept, err := store.Load()
	if err != nil {
		return nil, fmt.Errorf("read the client's credentials: %w", err)
	}
	if err := c.use(kept); err != nil {
		return nil, fmt.Errorf("read the client's credentials: %w", err)
	}
	if c.pair == nil && kept.Certificate != nil {
		c.log.Warn("the certificate is another client's: this one has to enrol", "client", opt.Client, "certificate_of",
			c.owner.client)
	}
	return c, nil
}

// use makes what is kept what is shown. The caller holds mu, or is alone.
func (c *Credentials) use(kept Kept) error {
	if kept.Certificate == nil {
		c.kept, c.pair, c.believed, c.document = kept, nil, nil, nil
		return nil
	}
	pair, err := tls.X509KeyPair(kept.Certificate, kept.Key)
	if err != nil {
		return fmt.Errorf("key and certificate are no pair (%w): restore the whole folder from one backup, or move it away "+
			"and enrol anew", err)
	}
	who, err := ownerOf(pair.Leaf)
	if err != nil {
		return err
	}
	believed, err := certificatesIn(kept.CA)
	if err != nil {
		return fmt.Errorf("the site's authorities: %w", err)
	}
	if len(kept.Former) > 0 {
		former, err := certificatesIn(kept.Former)
		if err != nil {
			return fmt.Errorf("the site's former authorities: %w", err)
		}
		believed = append(believed, former...)
	}
	document, err := trust.Read(kept.Trust)
	if err != nil {
		return fmt.Errorf("the trust document: %w; restore the whole folder from one backup, or move it away and enrol anew",
			err)
	}
	c.kept, c.owner, c.believed, c.document, c.pair = kept, who, believed, document, &pair
	if who.client != c.client {
		c.pair, c.believed, c.document = nil, nil, nil
	}
	return nil
}

// replace keeps what fn makes of what is kept now, first in the store, then here.
func (c *Credentials) replace(fn func(*Kept)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.kept
	if next.Pending != nil {
		pending := *next.Pending
		next.Pending = &pending
	}
	fn(&next)
	if err := c.store.Save(next); err != nil {
		return fmt.Errorf("keep the client's credentials: %w", err)
	}
	return c.use(next)
}

// OnChange has fn called after each new certificate. Call it before anything is asked for.
func (c *Credentials) OnChange(fn func()) { c.changed = append(c.changed, fn) }

func (c *Credentials) tellChange() {
	for _, fn := range c.changed {
		fn()
	}
	c.poke()
}

func (c *Credentials) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Enrolled tells whether the client has a certificate.
func (c *Credentials) Enrolled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pair != nil
}

// Relay is the address that the client enrolled at; empty when it did not.
func (c *Credentials) Relay() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.Relay
}

// Document is the trust document that the client believes; nil before it enrolled. Nobody changes it.
func (c *Credentials) Document() *trust.Document {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.document
}

// Status is how a client's credentials stand.
type Status struct {
	Client     smx.ClientID
	Enrolled   bool
	Site       string    // that issued the certificate
	Since      time.Time // when the client enrolled
	Number     string    // of the certificate, in decimal
	NotAfter   time.Time // until when it is valid
	Expired    bool      // by this machine's clock, or because the relay said so
	RenewAt    time.Time // when it is renewed
	Pending    string    // id under which a person has to approve the enrolment; empty = none waits
	Ended      string    // code with which the site ended it: only a new enrolment helps; empty = it did not
	Problem    string    // why the last attempt to get a certificate came to nothing
	Distrust   string    // why what a policy told of whom to believe was not taken
	OtherID    string    // the client that the certificate is of, when it is not this one
	NextSerial uint64    // that the enrolment's answer named
	Trust      uint64    // version of the trust document
}

// Status tells how they stand.
func (c *Credentials) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Client: c.client, Problem: c.problem, Distrust: c.distrust}
	if c.kept.Pending != nil {
		s.Pending = c.kept.Pending.Approval
	}
	if c.pair == nil {
		if c.kept.Certificate != nil {
			s.OtherID = c.owner.client.String()
		}
		return s
	}
	leaf := c.pair.Leaf
	s.Enrolled, s.Site, s.Since, s.Number = true, c.owner.site, c.kept.Enrolled, leaf.SerialNumber.String()
	s.NotAfter, s.RenewAt, s.Ended = leaf.NotAfter, renewAt(leaf), c.kept.Ended
	s.NextSerial = c.kept.NextSerial
	s.Expired, s.Trust = c.expired || c.now().After(leaf.NotAfter), c.document.Version
	return s
}

func (c *Credentials) note(problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem = problem
}

// errNotEnrolled is what renewing ends with before there is anything to renew.
var errNotEnrolled = errors.New("the client is not enrolled")

// believes tells whether one of the certificates is among the authorities believed already.
func (c *Credentials) believes(certs []*x509.Certificate) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(certs, func(cert *x509.Certificate) bool {
		return slices.ContainsFunc(c.believed, cert.Equal)
	})
}
