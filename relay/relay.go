// Package relay accepts reports over HTTPS and answers only once the report is in
// the inbox and on disk: a client that reads a 202 may forget what it sent, and a
// report that was refused is never half kept.
package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Deps is what a relay is given beside its configuration.
type Deps struct {
	// Certificate yields the listener's certificate, as identity.Site and identity.Files do.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Log         *slog.Logger          // nil discards
	Registerer  prometheus.Registerer // nil registers nothing
	Clock       func() time.Time      // nil is time.Now
}

// Relay is the HTTPS listener and the committer behind it.
type Relay struct{ cfg Config }

// New checks the configuration and what it was given; nothing starts before Run.
func New(cfg Config, deps Deps) (*Relay, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Relay{cfg: cfg}, nil
}

// Listen opens the listener and returns its address, which tells the port when the configured one is 0. Run does it when nobody did.
func (r *Relay) Listen() (net.Addr, error) { return nil, errors.New("relay: not built yet") }

// Run serves until ctx is done, then answers what is in hand and returns nil.
func (r *Relay) Run(ctx context.Context) error { return errors.New("relay: not built yet") }

// Ready says why reports are refused at this moment; nil when they are taken.
func (r *Relay) Ready() error { return errors.New("relay: not built yet") }
