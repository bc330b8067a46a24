package names

import (
	"context"

	"statewire/internal/control"
)

// role is the one on whose socket names are changed.
const role = "resync"

type loadCall struct {
	List    List    `json:"list"`
	Options Options `json:"options"`
}

type targetCall struct {
	Kind       string `json:"kind"`
	ID         string `json:"id"`
	Collection string `json:"collection,omitempty"`
}

// Handle serves the service to other processes of the site, on the socket of the resync role.
func (s *Service) Handle(mux control.Router) {
	const path = "/" + role
	control.Handle(mux, path+"/names/load", func(ctx context.Context, in loadCall, _ *control.Teller) (Result, error) {
		return s.Load(ctx, in.List, in.Options)
	})
	control.Handle(mux, path+"/names/delete", func(ctx context.Context, id string, _ *control.Teller) (int, error) {
		return s.Delete(ctx, id)
	})
	control.Handle(mux, path+"/target/set", func(ctx context.Context, in targetCall, _ *control.Teller) (bool, error) {
		return true, s.SetTarget(ctx, in.Kind, in.ID, in.Collection)
	})
	control.Handle(mux, path+"/target/clear", func(ctx context.Context, in targetCall, _ *control.Teller) (bool, error) {
		return true, s.ClearTarget(ctx, in.Kind, in.ID)
	})
}

// Client is a Service in another process, as far as it changes something.
type Client struct{ caller *control.Caller }

// Dial returns a client of the service behind the socket of the resync role. Nothing is connected before the
// first call.
func Dial(socketPath string) *Client { return &Client{control.NewCaller(socketPath, role)} }

// Load is Service.Load.
func (c *Client) Load(ctx context.Context, list List, o Options) (Result, error) {
	return control.Call[Result](ctx, c.caller, "names/load", loadCall{list, o}, control.Listener{})
}

// Delete is Service.Delete.
func (c *Client) Delete(ctx context.Context, id string) (int, error) {
	return control.Call[int](ctx, c.caller, "names/delete", id, control.Listener{})
}

// SetTarget is Service.SetTarget.
func (c *Client) SetTarget(ctx context.Context, kind, id, collection string) error {
	_, err := control.Call[bool](ctx, c.caller, "target/set", targetCall{kind, id, collection}, control.Listener{})
	return err
}

// ClearTarget is Service.ClearTarget.
func (c *Client) ClearTarget(ctx context.Context, kind, id string) error {
	_, err := control.Call[bool](ctx, c.caller, "target/clear", targetCall{Kind: kind, ID: id}, control.Listener{})
	return err
}
