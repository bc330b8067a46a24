package transport

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"statewire/smx"
	"statewire/trust"
)

const (
	// assignedAttempts is how many attempts in a row an assigned relay may leave unserved before the client goes back
	// to the configured one.
	assignedAttempts = 5
	// assignedRetry is the time after which it tries the assigned relay again.
	assignedRetry = time.Hour
)

// Route is the way to the relay in use: the assigned one when a policy names it, or else the configured one. Where the
// machine happens to be never changes it.
type Route struct {
	// Constant after NewRoute.
	configured Relay
	dial       func(address string) (*Sender, error)
	steady     func() time.Duration
	log        *slog.Logger

	// Guarded by mu.
	mu       sync.Mutex
	address  string  // of the assigned relay; empty = none
	assigned *Sender // nil = none
	silent   int     // attempts in a row that the assigned relay did not serve
	retryAt  time.Duration
}

// NewRoute returns the way to the configured relay. dial makes the way to one that a policy assigns; nil stays with the
// configured one. steady is a clock that never jumps.
func NewRoute(configured Relay, dial func(address string) (*Sender, error), steady func() time.Duration,
	log *slog.Logger) *Route {
	return &Route{configured: configured, dial: dial, steady: steady, log: log}
}

// Assign makes the relay at address the one to use; empty goes back to the configured one.
func (r *Route) Assign(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if address == r.address {
		return
	}
	if r.assigned != nil {
		r.assigned.Close()
	}
	r.address, r.assigned, r.silent = address, nil, 0
	if address == "" || r.dial == nil {
		return
	}
	sender, err := r.dial(address)
	if err != nil {
		r.log.Warn("assigned relay not usable: staying with the configured one", "relay", address, "err", err)
		return
	}
	r.assigned = sender
}

// pick is the relay for the next attempt.
func (r *Route) pick() (relay Relay, assigned *Sender) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.assigned == nil || r.fellBack() {
		return r.configured, nil
	}
	return r.assigned, r.assigned
}

// fellBack tells whether the configured relay stands in. Call it with mu held.
func (r *Route) fellBack() bool { return r.silent >= assignedAttempts && r.steady() < r.retryAt }

// serves tells whether an answer is that of a relay at work for this client. One that is busy is; one that does not
// know the client, or stands at no relay's address, would keep it from its site for ever if a policy names it by
// mistake.
func serves(status int, err error) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	case 0, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return false
	}
	return status < 500 && !errors.Is(err, ErrNotRelay)
}

// heard notes whether the assigned relay serves this client.
func (r *Route) heard(ctx context.Context, assigned *Sender, status int, err error) {
	if assigned == nil || status == 0 && ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.assigned != assigned:
	case serves(status, err):
		r.silent = 0
	default:
		r.silent++
		if r.silent >= assignedAttempts {
			r.retryAt = r.steady() + assignedRetry
			r.log.Warn("assigned relay does not serve this client: using the configured one", "relay", r.address,
				"attempts", r.silent, "again_in", assignedRetry)
		}
	}
}

// Post implements Relay.
func (r *Route) Post(ctx context.Context, body []byte) Answer {
	relay, assigned := r.pick()
	answer := relay.Post(ctx, body)
	r.heard(ctx, assigned, answer.Status, answer.Err)
	return answer
}

// Policy implements Relay.
func (r *Route) Policy(ctx context.Context, poll smx.Poll, etag string) PolicyAnswer {
	relay, assigned := r.pick()
	answer := relay.Policy(ctx, poll, etag)
	r.heard(ctx, assigned, answer.Status, answer.Err)
	return answer
}

// Renew asks the relay in use once for the client's next certificate.
func (r *Route) Renew(ctx context.Context, request trust.RenewRequest) Issue {
	relay, _ := r.pick()
	renewer, ok := relay.(interface {
		Renew(ctx context.Context, request trust.RenewRequest) Issue
	})
	if !ok {
		return Issue{Outcome: Again, Err: errors.New("the way to the relay gives no certificates")}
	}
	return renewer.Renew(ctx, request)
}

// Reconnect ends idle connections: those to come are opened with what the client is by then.
func (r *Route) Reconnect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if configured, ok := r.configured.(interface{ Close() }); ok {
		configured.Close()
	}
	if r.assigned != nil {
		r.assigned.Close()
	}
}

// State is the assigned relay and whether it is in use.
func (r *Route) State() (address string, inUse bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.address, r.assigned != nil && !r.fellBack()
}

// Close ends the connections to the assigned relay.
func (r *Route) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.assigned != nil {
		r.assigned.Close()
	}
}
