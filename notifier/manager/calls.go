package manager

import (
	"context"

	"github.com/google/uuid"

	"statewire/internal/control"
	"statewire/notifier/wire"
)

// role is the first part of the paths of the manager's calls.
const role = "manager"

// none is the answer of a call that has none.
type none struct{}

// Handle serves the manager's calls on the private socket of its process.
func (m *Manager) Handle(mux control.Router) {
	control.Handle(mux, "/manager/work", func(ctx context.Context, ask wire.Ask, _ *control.Teller) (wire.Work, error) {
		return m.Work(ctx, ask)
	})
	control.Handle(mux, "/manager/seen", func(ctx context.Context, seen wire.Seen, _ *control.Teller) (none, error) {
		return none{}, m.Seen(ctx, seen)
	})
	control.Handle(mux, "/manager/results", func(ctx context.Context, told wire.Results, _ *control.Teller) (none, error) {
		return none{}, m.Results(ctx, told)
	})
	control.Handle(mux, "/manager/wake", func(ctx context.Context, ids []uuid.UUID, _ *control.Teller) (none, error) {
		return none{}, m.Wake(ctx, ids)
	})
	control.Handle(mux, "/manager/revoked", func(ctx context.Context, ids []uuid.UUID, _ *control.Teller) (none, error) {
		return none{}, m.Revoked(ctx, ids)
	})
	control.Handle(mux, "/manager/forget", func(ctx context.Context, ids []uuid.UUID, _ *control.Teller) (none, error) {
		return none{}, m.Forget(ctx, ids)
	})
	control.Handle(mux, "/manager/servers", func(ctx context.Context, _ none, _ *control.Teller) ([]ServerStatus, error) {
		return m.Servers(ctx)
	})
	m.handleTasks(mux)
}

// Client asks the manager of another process over its socket.
type Client struct{ caller *control.Caller }

// Dial returns a client of the manager behind a socket. Nothing is connected before the first call.
func Dial(socket string) *Client { return &Client{control.NewCaller(socket, role)} }

// Close ends the connections that no call uses.
func (c *Client) Close() { c.caller.Close() }

// Work is Manager.Work.
func (c *Client) Work(ctx context.Context, ask wire.Ask) (wire.Work, error) {
	return control.Call[wire.Work](ctx, c.caller, "work", ask, control.Listener{})
}

// Seen is Manager.Seen.
func (c *Client) Seen(ctx context.Context, seen wire.Seen) error { return c.tell(ctx, "seen", seen) }

// Results is Manager.Results.
func (c *Client) Results(ctx context.Context, told wire.Results) error {
	return c.tell(ctx, "results", told)
}

// Wake is Manager.Wake.
func (c *Client) Wake(ctx context.Context, clients []uuid.UUID) error {
	return c.tell(ctx, "wake", clients)
}

// Revoked is Manager.Revoked.
func (c *Client) Revoked(ctx context.Context, clients []uuid.UUID) error {
	return c.tell(ctx, "revoked", clients)
}

// Forget is Manager.Forget.
func (c *Client) Forget(ctx context.Context, clients []uuid.UUID) error {
	return c.tell(ctx, "forget", clients)
}

// Servers is Manager.Servers.
func (c *Client) Servers(ctx context.Context) ([]ServerStatus, error) {
	return control.Call[[]ServerStatus](ctx, c.caller, "servers", none{}, control.Listener{})
}

func (c *Client) tell(ctx context.Context, path string, in any) error {
	_, err := control.Call[none](ctx, c.caller, path, in, control.Listener{})
	return err
}
