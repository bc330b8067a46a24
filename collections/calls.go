package collections

import (
	"context"

	"statewire/internal/control"
	"statewire/smx"
)

// role is the one on whose socket collections are called.
const role = "resync"

type call struct {
	Name    string   `json:"name"`
	Clients []string `json:"clients,omitempty"`
	Query   string   `json:"query,omitempty"`
	Replace bool     `json:"replace,omitempty"`
}

type shown struct {
	Collection Collection `json:"collection"`
	Clients    []string   `json:"clients"`
}

// Handle serves the service to other processes of the site, on the socket of the resync role.
func (s *Service) Handle(mux control.Router) {
	const path = "/" + role + "/collection/"
	control.Handle(mux, path+"create", func(ctx context.Context, in call, _ *control.Teller) (Collection, error) {
		clients, err := ParseClients(in.Clients)
		if err != nil {
			return Collection{}, err
		}
		return s.Create(ctx, Spec{Name: in.Name, Clients: clients, Query: in.Query, Replace: in.Replace})
	})
	control.Handle(mux, path+"add", func(ctx context.Context, in call, _ *control.Teller) (bool, error) {
		clients, err := ParseClients(in.Clients)
		if err != nil {
			return false, err
		}
		return true, s.Add(ctx, in.Name, clients)
	})
	control.Handle(mux, path+"list", func(ctx context.Context, _ call, _ *control.Teller) ([]Collection, error) {
		return s.List(ctx)
	})
	control.Handle(mux, path+"show", func(ctx context.Context, in call, _ *control.Teller) (shown, error) {
		c, members, err := s.Show(ctx, in.Name)
		return shown{c, Names(members)}, err
	})
	control.Handle(mux, path+"delete", func(ctx context.Context, in call, _ *control.Teller) (bool, error) {
		return true, s.Delete(ctx, in.Name)
	})
	s.handleClients(mux)
}

type retireCall struct {
	Clients []string `json:"clients"`
	By      string   `json:"by"`
	Reason  string   `json:"reason,omitempty"`
}

// handleClients serves what is done to clients.
func (s *Service) handleClients(mux control.Router) {
	type change func(context.Context, []smx.ClientID, RetireOptions) (RetireResult, error)
	for name, do := range map[string]change{"retire": s.Retire, "unretire": s.Unretire} {
		control.Handle(mux, "/"+role+"/client/"+name,
			func(ctx context.Context, in retireCall, _ *control.Teller) (RetireResult, error) {
				clients, err := ParseClients(in.Clients)
				if err != nil {
					return RetireResult{}, err
				}
				return do(ctx, clients, RetireOptions{By: in.By, Reason: in.Reason})
			})
	}
}

// Client is a Service in another process.
type Client struct{ caller *control.Caller }

// Dial returns a client of the service behind the socket of the resync role. Nothing is connected before the first
// call.
func Dial(socketPath string) *Client { return &Client{control.NewCaller(socketPath, role)} }

// Create is Service.Create.
func (c *Client) Create(ctx context.Context, spec Spec) (Collection, error) {
	if err := spec.check(); err != nil {
		return Collection{}, err
	}
	in := call{spec.Name, Names(spec.Clients), spec.Query, spec.Replace}
	return control.Call[Collection](ctx, c.caller, "collection/create", in, control.Listener{})
}

// Add is Service.Add.
func (c *Client) Add(ctx context.Context, name string, clients []smx.ClientID) error {
	_, err := control.Call[bool](ctx, c.caller, "collection/add", call{Name: name, Clients: Names(clients)},
		control.Listener{})
	return err
}

// List is Service.List.
func (c *Client) List(ctx context.Context) ([]Collection, error) {
	return control.Call[[]Collection](ctx, c.caller, "collection/list", call{}, control.Listener{})
}

// Show is Service.Show.
func (c *Client) Show(ctx context.Context, name string) (Collection, []smx.ClientID, error) {
	out, err := control.Call[shown](ctx, c.caller, "collection/show", call{Name: name}, control.Listener{})
	if err != nil {
		return Collection{}, nil, err
	}
	clients, err := ParseClients(out.Clients)
	return out.Collection, clients, err
}

// Delete is Service.Delete.
func (c *Client) Delete(ctx context.Context, name string) error {
	_, err := control.Call[bool](ctx, c.caller, "collection/delete", call{Name: name}, control.Listener{})
	return err
}

// Retire is Service.Retire.
func (c *Client) Retire(ctx context.Context, clients []smx.ClientID, o RetireOptions) (RetireResult, error) {
	return control.Call[RetireResult](ctx, c.caller, "client/retire", retireCall{Names(clients), o.By, o.Reason},
		control.Listener{})
}

// Unretire is Service.Unretire.
func (c *Client) Unretire(ctx context.Context, clients []smx.ClientID, o RetireOptions) (RetireResult, error) {
	return control.Call[RetireResult](ctx, c.caller, "client/unretire", retireCall{Names(clients), o.By, o.Reason},
		control.Listener{})
}

// Names are clients as a call names them.
func Names(clients []smx.ClientID) []string {
	names := make([]string, len(clients))
	for i, client := range clients {
		names[i] = client.UUID()
	}
	return names
}

// ParseClients reads what Names wrote.
func ParseClients(names []string) ([]smx.ClientID, error) {
	clients := make([]smx.ClientID, len(names))
	for i, name := range names {
		client, err := smx.ParseUUID(name)
		if err != nil {
			return nil, control.Invalid("client %d of %d: %v", i+1, len(names), err)
		}
		clients[i] = client
	}
	return clients, nil
}
