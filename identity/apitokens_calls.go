package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"

	"statewire/internal/control"
)

// callsRole is the one on whose socket tokens are kept.
const callsRole = "identity"

type revokeCall struct {
	ID string `json:"id"`
}

// verdict is what came of a claim: a person, or why not.
type verdict struct {
	Person  Person   `json:"person"`
	Refused *Refusal `json:"refused,omitempty"`
}

// Handle serves the tokens to other processes of the site, on the socket of the identity role.
func (t *APITokens) Handle(mux control.Router) {
	const path = "/" + callsRole + "/api-token/"
	control.Handle(mux, path+"create", func(ctx context.Context, in Wanted, _ *control.Teller) (MadeAPIToken, error) {
		return t.Create(ctx, Local(ctx), in)
	})
	control.Handle(mux, path+"list", func(ctx context.Context, _ struct{}, _ *control.Teller) ([]APIToken, error) {
		return t.List(ctx, Local(ctx))
	})
	control.Handle(mux, path+"revoke", func(ctx context.Context, in revokeCall, _ *control.Teller) (APIToken, error) {
		return t.Revoke(ctx, Local(ctx), in.ID)
	})
	control.Handle(mux, path+"standing", func(ctx context.Context, in revokeCall, _ *control.Teller) (verdict, error) {
		err := t.Standing(ctx, in.ID)
		var refused *Refusal
		if errors.As(err, &refused) {
			return verdict{Refused: refused}, nil
		}
		return verdict{}, err
	})
	control.Handle(mux, path+"verify", func(ctx context.Context, in claim, _ *control.Teller) (verdict, error) {
		person, err := t.verify(ctx, in)
		var refused *Refusal
		if errors.As(err, &refused) {
			return verdict{Refused: refused}, nil
		}
		return verdict{Person: person}, err
	})
}

// Standing is APITokens.Standing.
func (c *APITokenClient) Standing(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	v, err := control.Call[verdict](ctx, c.caller, "api-token/standing", revokeCall{id}, control.Listener{})
	switch {
	case err != nil:
		return fmt.Errorf("%w (%w)", Unavailable(), err)
	case v.Refused != nil:
		return v.Refused
	}
	return nil
}

// Local is who calls over a private socket, which only the owner of the data directory and root can open: they may do
// everything.
func Local(ctx context.Context) Person { return Person{Actor: control.Actor(ctx), Role: Admin} }

// A verified token is believed for so long without asking again: a revoked one is refused after it at the latest.
const (
	verifiedTime  = 5 * time.Second
	verifyTimeout = 2 * time.Second
	verifiedKept  = 1024
)

// APITokenClient is APITokens in another process.
type APITokenClient struct {
	// Constant after DialAPITokens.
	caller *control.Caller
	now    func() time.Time

	mu    sync.Mutex
	known *lru.LRU[[sha256.Size]byte, verified] // Guarded by mu; by the hash of the whole token.
}

type verified struct {
	person Person
	until  time.Time
}

// DialAPITokens returns a client of the tokens behind the socket of the identity role. Nothing is connected before the
// first call.
func DialAPITokens(socketPath string) *APITokenClient {
	known, err := lru.NewLRU[[sha256.Size]byte, verified](verifiedKept, nil)
	if err != nil {
		panic(err) // the size is positive
	}
	return &APITokenClient{caller: control.NewCaller(socketPath, callsRole), now: time.Now, known: known}
}

// Create is APITokens.Create, by whoever runs this process.
func (c *APITokenClient) Create(ctx context.Context, want Wanted) (MadeAPIToken, error) {
	return control.Call[MadeAPIToken](ctx, c.caller, "api-token/create", want, control.Listener{})
}

// List is APITokens.List.
func (c *APITokenClient) List(ctx context.Context) ([]APIToken, error) {
	return control.Call[[]APIToken](ctx, c.caller, "api-token/list", struct{}{}, control.Listener{})
}

// Revoke is APITokens.Revoke.
func (c *APITokenClient) Revoke(ctx context.Context, id string) (APIToken, error) {
	return control.Call[APIToken](ctx, c.caller, "api-token/revoke", revokeCall{id}, control.Listener{})
}

// Verify is APITokens.Verify. Who was verified is believed for a few seconds; a refusal is asked for anew. While nobody
// answers it is the refusal identity_unavailable.
func (c *APITokenClient) Verify(ctx context.Context, token, from string) (Person, error) {
	key, now := sha256.Sum256([]byte(token)), c.now()
	if person, ok := c.recall(key, now); ok {
		return person, nil
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	v, err := control.Call[verdict](ctx, c.caller, "api-token/verify", readClaim(token, from), control.Listener{})
	switch {
	case err != nil:
		return Person{}, fmt.Errorf("%w (%w)", Unavailable(), err)
	case v.Refused != nil:
		return Person{}, v.Refused
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.Add(key, verified{v.Person, now.Add(verifiedTime)})
	return v.Person, nil
}

// recall is who came with this token a moment ago.
func (c *APITokenClient) recall(key [sha256.Size]byte, now time.Time) (Person, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.known.Get(key)
	if !ok {
		return Person{}, false
	}
	if !now.Before(v.until) || now.Before(v.until.Add(-verifiedTime)) || !now.Before(v.person.Expires) {
		c.known.Remove(key)
		return Person{}, false
	}
	return v.person, true
}
