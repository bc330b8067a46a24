package identity

import (
	"context"
	"encoding/json"
	"fmt"

	"statewire/audit"
	"statewire/internal/control"
	"statewire/trust"
)

// SigningKeys are the keys behind the trust document, for whoever changes it.
type SigningKeys interface {
	Next(trust.Change) (*trust.Document, error)
	Load(envelope []byte) (*trust.Document, error)
	Forget(names []string) error
}

// Trust changes the trust document and its keys; each change is noted before it is done.
type Trust struct {
	// Constant after NewTrust.
	service *Service
	keys    SigningKeys
}

// NewTrust lets the service's callers change the keys.
func NewTrust(service *Service, keys SigningKeys) *Trust { return &Trust{service, keys} }

// TrustChange is trust.Change on its way over the socket: documents are envelopes.
type TrustChange struct {
	Roots, Packs []json.RawMessage
	Threshold    int
	Drop         []string
}

// change reads the documents of a change.
func (c TrustChange) change() (trust.Change, error) {
	out := trust.Change{Threshold: c.Threshold, Drop: c.Drop}
	for _, part := range []struct {
		from []json.RawMessage
		to   *[]*trust.Document
	}{{c.Roots, &out.Roots}, {c.Packs, &out.Packs}} {
		for _, text := range part.from {
			d, err := trust.Parse(text)
			if err != nil {
				return out, err
			}
			*part.to = append(*part.to, d)
		}
	}
	return out, nil
}

// TrustNext makes the next trust document, which somebody signs and TrustLoad takes.
func (t *Trust) TrustNext(ctx context.Context, c TrustChange) (json.RawMessage, error) {
	change, err := c.change()
	if err != nil {
		return nil, control.Invalid("%v", err)
	}
	d, err := t.noted(ctx, audit.Action{Action: "trust.next", Object: "trust"}, func() (*trust.Document, error) {
		return t.keys.Next(change)
	})
	if err != nil {
		return nil, err
	}
	return d.Envelope(), nil
}

// TrustLoad makes a signed document the site's. Where its roots are others, unused enrolment tokens are void at once.
func (t *Trust) TrustLoad(ctx context.Context, envelope json.RawMessage) error {
	d, err := trust.Parse(envelope)
	if err != nil {
		return control.Invalid("%v", err)
	}
	action := audit.Action{Action: "trust.load", Object: fmt.Sprintf("trust:%d", d.Version), Params: envelope}
	_, err = t.noted(ctx, action, func() (*trust.Document, error) { return t.keys.Load(envelope) })
	if err != nil {
		return err
	}
	return t.service.checkPin()
}

// TrustForget removes root and pack keys from the server whose copies the caller has.
func (t *Trust) TrustForget(ctx context.Context, names []string) error {
	action := audit.Action{Action: "trust.offline", Object: "trust", Targets: len(names)}
	_, err := t.noted(ctx, action, func() (*trust.Document, error) { return nil, t.keys.Forget(names) })
	return err
}

// noted does what is noted first.
func (t *Trust) noted(ctx context.Context, a audit.Action, do func() (*trust.Document, error)) (*trust.Document,
	error) {
	finish, err := t.service.note(ctx, a)
	if err != nil {
		return nil, err
	}
	d, err := do()
	finish(audit.Outcome(err))
	return d, err
}

// Handle serves the calls of commands.
func (t *Trust) Handle(mux control.Router) {
	handle(mux, "trust/next", t.TrustNext)
	handle(mux, "trust/load", func(ctx context.Context, in json.RawMessage) (nothing, error) {
		return nothing{}, t.TrustLoad(ctx, in)
	})
	handle(mux, "trust/forget", func(ctx context.Context, in []string) (nothing, error) {
		return nothing{}, t.TrustForget(ctx, in)
	})
}

// TrustNext is Trust.TrustNext.
func (r *Remote) TrustNext(ctx context.Context, c TrustChange) (json.RawMessage, error) {
	return call[json.RawMessage](ctx, r, "trust/next", c)
}

// TrustLoad is Trust.TrustLoad.
func (r *Remote) TrustLoad(ctx context.Context, envelope json.RawMessage) error {
	_, err := call[nothing](ctx, r, "trust/load", envelope)
	return err
}

// TrustForget is Trust.TrustForget.
func (r *Remote) TrustForget(ctx context.Context, names []string) error {
	_, err := call[nothing](ctx, r, "trust/forget", names)
	return err
}
