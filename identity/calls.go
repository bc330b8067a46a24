package identity

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"statewire/internal/control"
	"statewire/trust"
)

// told is an answer or a refusal, on its way over the socket: whoever asked decides by the refusal's code.
type told[T any] struct {
	Refused *Refusal `json:"refused,omitempty"`
	Answer  T        `json:"answer"`
}

func tell[T any](answer T, err error) (told[T], error) {
	var refused *Refusal
	if errors.As(err, &refused) {
		return told[T]{Refused: refused}, nil
	}
	return told[T]{Answer: answer}, err
}

func (t told[T]) result() (T, error) {
	if t.Refused != nil {
		return t.Answer, t.Refused
	}
	return t.Answer, nil
}

// handle serves a call whose refusals keep their codes.
func handle[In, Out any](mux control.Router, path string, do func(context.Context, In) (Out, error)) {
	control.Handle(mux, "/identity/"+path, func(ctx context.Context, in In, _ *control.Teller) (told[Out], error) {
		return tell(do(ctx, in))
	})
}

// Calls that name something, or nothing.
type (
	nothing  struct{}
	named    struct{ ID string }
	reasoned struct{ ID, Reason string }
	decided  struct {
		ID      string
		Approve bool
	}
)

// Handle serves the calls of relays and of commands.
func (s *Service) Handle(mux control.Router) {
	handle(mux, "enroll", s.Enroll)
	handle(mux, "renew", s.Renew)
	handle(mux, "role/certificate", s.IssueRole)
	handle(mux, "seen", func(ctx context.Context, in []Caller) (nothing, error) { return nothing{}, s.Seen(ctx, in) })
	handle(mux, "strangers", func(ctx context.Context, in []Stranger) (nothing, error) {
		return nothing{}, s.Strangers(ctx, in)
	})
	handle(mux, "token/create", s.CreateToken)
	handle(mux, "token/list", func(ctx context.Context, _ nothing) ([]Token, error) { return s.Tokens(ctx) })
	handle(mux, "token/revoke", func(ctx context.Context, in named) (nothing, error) {
		return nothing{}, s.RevokeToken(ctx, in.ID)
	})
	handle(mux, "pending", func(ctx context.Context, _ nothing) ([]Pending, error) { return s.PendingList(ctx) })
	handle(mux, "decide", func(ctx context.Context, in decided) (nothing, error) {
		return nothing{}, s.Decide(ctx, in.ID, in.Approve)
	})
	handle(mux, "pause", func(ctx context.Context, in bool) (nothing, error) { return nothing{}, s.Pause(ctx, in) })
	handle(mux, "client/list", func(ctx context.Context, _ nothing) ([]Client, error) { return s.Clients(ctx) })
	handle(mux, "client/show", func(ctx context.Context, in named) (Client, error) { return s.Client(ctx, in.ID) })
	handle(mux, "backup", func(ctx context.Context, _ nothing) ([]byte, error) { return s.Backup(ctx) })
	handle(mux, "client/deny", func(ctx context.Context, in uuid.UUID) (nothing, error) { return nothing{}, s.Deny(ctx, in) })
	handle(mux, "client/revoke", func(ctx context.Context, in reasoned) (nothing, error) {
		return nothing{}, s.Revoke(ctx, in.ID, in.Reason)
	})
	handle(mux, "ca/stage", func(ctx context.Context, _ nothing) (Staged, error) { return s.StageCA(ctx) })
	handle(mux, "ca/switch", func(ctx context.Context, _ nothing) (Staged, error) { return s.SwitchCA(ctx) })
	handle(mux, "ca/staged", func(ctx context.Context, _ nothing) (*Staged, error) { return s.Staged(ctx) })
	handle(mux, "summary", func(ctx context.Context, _ nothing) (Summary, error) { return s.Summary(ctx) })
}

// Remote is the Service of another process of the site.
type Remote struct{ caller *control.Caller }

// Dial returns the service behind a socket. Nothing is connected before the first call.
func Dial(socketPath string) *Remote { return &Remote{control.NewCaller(socketPath, "identity")} }

func call[Out any](ctx context.Context, r *Remote, path string, in any) (Out, error) {
	out, err := control.Call[told[Out]](ctx, r.caller, path, in, control.Listener{})
	if err != nil {
		return out.Answer, err
	}
	return out.result()
}

// away says of a call that did not get through that the service is away; its own errors stay.
func away[T any](out T, err error) (T, error) {
	var refused *Refusal
	if err != nil && !errors.As(err, &refused) {
		refused = refuse(CodeUnavailable, "the process with the identity role does not answer")
		return out, errors.Join(refused, err)
	}
	return out, err
}

// Enroll is Service.Enroll.
func (r *Remote) Enroll(ctx context.Context, in EnrollCall) (trust.EnrollAnswer, error) {
	return away(call[trust.EnrollAnswer](ctx, r, "enroll", in))
}

// Renew is Service.Renew.
func (r *Remote) Renew(ctx context.Context, in RenewCall) (trust.RenewAnswer, error) {
	return away(call[trust.RenewAnswer](ctx, r, "renew", in))
}

// IssueRole is Service.IssueRole.
func (r *Remote) IssueRole(ctx context.Context, in trust.RenewRequest) (trust.RenewAnswer, error) {
	return away(call[trust.RenewAnswer](ctx, r, "role/certificate", in))
}

// Seen is Service.Seen.
func (r *Remote) Seen(ctx context.Context, callers []Caller) error {
	_, err := call[nothing](ctx, r, "seen", callers)
	return err
}

// Backup is Service.Backup.
func (r *Remote) Backup(ctx context.Context) ([]byte, error) {
	return call[[]byte](ctx, r, "backup", nothing{})
}

// Strangers is Service.Strangers.
func (r *Remote) Strangers(ctx context.Context, strangers []Stranger) error {
	_, err := call[nothing](ctx, r, "strangers", strangers)
	return err
}

// Deny is Service.Deny.
func (r *Remote) Deny(ctx context.Context, client uuid.UUID) error {
	_, err := away(call[nothing](ctx, r, "client/deny", client))
	return err
}

// CreateToken is Service.CreateToken.
func (r *Remote) CreateToken(ctx context.Context, spec TokenSpec) (MadeToken, error) {
	return call[MadeToken](ctx, r, "token/create", spec)
}

// Tokens is Service.Tokens.
func (r *Remote) Tokens(ctx context.Context) ([]Token, error) {
	return call[[]Token](ctx, r, "token/list", nothing{})
}

// RevokeToken is Service.RevokeToken.
func (r *Remote) RevokeToken(ctx context.Context, id string) error {
	_, err := call[nothing](ctx, r, "token/revoke", named{id})
	return err
}

// PendingList is Service.PendingList.
func (r *Remote) PendingList(ctx context.Context) ([]Pending, error) {
	return call[[]Pending](ctx, r, "pending", nothing{})
}

// Decide is Service.Decide.
func (r *Remote) Decide(ctx context.Context, id string, approve bool) error {
	_, err := call[nothing](ctx, r, "decide", decided{id, approve})
	return err
}

// Pause is Service.Pause.
func (r *Remote) Pause(ctx context.Context, pause bool) error {
	_, err := call[nothing](ctx, r, "pause", pause)
	return err
}

// Clients is Service.Clients.
func (r *Remote) Clients(ctx context.Context) ([]Client, error) {
	return call[[]Client](ctx, r, "client/list", nothing{})
}

// Client is Service.Client.
func (r *Remote) Client(ctx context.Context, key string) (Client, error) {
	return call[Client](ctx, r, "client/show", named{key})
}

// Revoke is Service.Revoke.
func (r *Remote) Revoke(ctx context.Context, key, reason string) error {
	_, err := call[nothing](ctx, r, "client/revoke", reasoned{key, reason})
	return err
}

// StageCA is Service.StageCA.
func (r *Remote) StageCA(ctx context.Context) (Staged, error) {
	return call[Staged](ctx, r, "ca/stage", nothing{})
}

// SwitchCA is Service.SwitchCA.
func (r *Remote) SwitchCA(ctx context.Context) (Staged, error) {
	return call[Staged](ctx, r, "ca/switch", nothing{})
}

// Staged is Service.Staged.
func (r *Remote) Staged(ctx context.Context) (*Staged, error) {
	return call[*Staged](ctx, r, "ca/staged", nothing{})
}

// Summary is Service.Summary.
func (r *Remote) Summary(ctx context.Context) (Summary, error) {
	return call[Summary](ctx, r, "summary", nothing{})
}
