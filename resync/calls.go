package resync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"statewire/collections"
	"statewire/internal/control"
	"statewire/resync/gaps"
	"statewire/smx"
)

// role is the one on whose socket the service is called.
const role = "resync"

type checkCall struct {
	At     time.Time `json:"at,omitzero"`
	DryRun bool      `json:"dry_run"`
	Full   bool      `json:"full"`
	Rows   int       `json:"rows"`
}

type targetCall struct {
	Clients    []string `json:"clients,omitempty"`
	Collection string   `json:"collection,omitempty"`
	All        bool     `json:"all,omitempty"`
	By         string   `json:"by"`
	DryRun     bool     `json:"dry_run"`
	Rows       int      `json:"rows"`
	Claim      bool     `json:"claim,omitempty"`
}

func (c targetCall) target() (Target, error) {
	clients, err := collections.ParseClients(c.Clients)
	return Target{Clients: clients, Collection: c.Collection, All: c.All}, err
}

type listCall struct {
	Client string        `json:"client_id,omitempty"`
	Within time.Duration `json:"within_ns"`
	Open   bool          `json:"open"`
	Limit  int           `json:"limit"`
}

// Handle serves the service to other processes of the site, on the socket of its role.
func (s *Service) Handle(mux control.Router) {
	const path = "/" + role + "/"
	control.Handle(mux, path+"check", func(ctx context.Context, in checkCall, say *control.Teller) (Result, error) {
		r, err := s.Check(ctx, CheckOptions{At: in.At, DryRun: in.DryRun, Full: in.Full, Rows: in.Rows})
		for i := range r.Gaps.Rows {
			say.Row(&r.Gaps.Rows[i])
		}
		r.Gaps.Rows = nil
		return r, err
	})
	control.Handle(mux, path+"request", s.serveRequest)
	control.Handle(mux, path+"accept", s.serveAccept)
	control.Handle(mux, path+"next-serial", s.serveNextSerial)
	control.Handle(mux, path+"polled", func(ctx context.Context, since time.Time, _ *control.Teller) ([]uuid.UUID, error) {
		return s.Polled(ctx, since)
	})
	control.Handle(mux, path+"client/delete", func(ctx context.Context, in eraseCall, _ *control.Teller) (EraseResult,
		error) {
		return s.Erase(ctx, in.Client, in.Reason)
	})
	control.Handle(mux, path+"list", func(ctx context.Context, in listCall, _ *control.Teller) ([]Status, error) {
		o := ListOptions{Within: in.Within, Open: in.Open, Limit: in.Limit}
		if in.Client != "" {
			clients, err := collections.ParseClients([]string{in.Client})
			if err != nil {
				return nil, err
			}
			o.Client = clients[0]
		}
		return s.List(ctx, o)
	})
}

func (s *Service) serveRequest(ctx context.Context, in targetCall, say *control.Teller) (RequestResult, error) {
	target, err := in.target()
	if err != nil {
		return RequestResult{}, err
	}
	return s.Request(ctx, target, RequestOptions{By: in.By, DryRun: in.DryRun, Rows: in.Rows, Progress: say.Progress})
}

func (s *Service) serveAccept(ctx context.Context, in targetCall, say *control.Teller) (AcceptResult, error) {
	target, err := in.target()
	if err != nil {
		return AcceptResult{}, err
	}
	return s.Accept(ctx, target, AcceptOptions{By: in.By, DryRun: in.DryRun, Claim: in.Claim, Progress: say.Progress})
}

type eraseCall struct {
	Client uuid.UUID `json:"client_id"`
	Reason string    `json:"reason"`
}

type nextSerialCall struct {
	Client uuid.UUID `json:"client_id"`
	Last   uint64    `json:"last_serial"`
}

type nextSerialAnswer struct {
	NextSerial
	Busy *BusyError `json:"busy,omitempty"`
}

func (s *Service) serveNextSerial(ctx context.Context, in nextSerialCall, _ *control.Teller) (nextSerialAnswer, error) {
	next, err := s.NextSerial(ctx, in.Client, in.Last)
	var busy *BusyError
	if errors.As(err, &busy) {
		return nextSerialAnswer{Busy: busy}, nil
	}
	return nextSerialAnswer{NextSerial: next}, err
}

// Client is a Service in another process.
type Client struct{ caller *control.Caller }

// Dial returns a client of the service behind the socket of its role. Nothing is connected before the first call.
func Dial(socketPath string) *Client { return &Client{control.NewCaller(socketPath, role)} }

// Check is Service.Check.
func (c *Client) Check(ctx context.Context, o CheckOptions) (Result, error) {
	var rows []gaps.Gap
	hear := control.Listener{Row: func(text []byte) error {
		var gap gaps.Gap
		if err := json.Unmarshal(text, &gap); err != nil {
			return fmt.Errorf("a gap: %w", err)
		}
		rows = append(rows, gap)
		return nil
	}}
	r, err := control.Call[Result](ctx, c.caller, "check", checkCall{o.At, o.DryRun, o.Full, o.Rows}, hear)
	r.Gaps.Rows = rows
	return r, err
}

// Request is Service.Request.
func (c *Client) Request(ctx context.Context, t Target, o RequestOptions) (RequestResult, error) {
	if err := t.check(); err != nil {
		return RequestResult{}, err
	}
	in := targetCall{Clients: collections.Names(t.Clients), Collection: t.Collection, All: t.All, By: o.By,
		DryRun: o.DryRun, Rows: o.Rows}
	return control.Call[RequestResult](ctx, c.caller, "request", in, control.Listener{Progress: o.Progress})
}

// Accept is Service.Accept.
func (c *Client) Accept(ctx context.Context, t Target, o AcceptOptions) (AcceptResult, error) {
	if err := t.check(); err != nil {
		return AcceptResult{}, err
	}
	in := targetCall{Clients: collections.Names(t.Clients), Collection: t.Collection, All: t.All, By: o.By,
		DryRun: o.DryRun, Claim: o.Claim}
	return control.Call[AcceptResult](ctx, c.caller, "accept", in, control.Listener{Progress: o.Progress})
}

// Erase is Service.Erase.
func (c *Client) Erase(ctx context.Context, client uuid.UUID, reason string) (EraseResult, error) {
	return control.Call[EraseResult](ctx, c.caller, "client/delete", eraseCall{client, reason}, control.Listener{})
}

// NextSerial is Service.NextSerial.
func (c *Client) NextSerial(ctx context.Context, client uuid.UUID, last uint64) (NextSerial, error) {
	out, err := control.Call[nextSerialAnswer](ctx, c.caller, "next-serial", nextSerialCall{client, last},
		control.Listener{})
	if err == nil && out.Busy != nil {
		return NextSerial{}, out.Busy
	}
	return out.NextSerial, err
}

// List is Service.List.
func (c *Client) List(ctx context.Context, o ListOptions) ([]Status, error) {
	in := listCall{Within: o.Within, Open: o.Open, Limit: o.Limit}
	if o.Client != (smx.ClientID{}) {
		in.Client = o.Client.UUID()
	}
	return control.Call[[]Status](ctx, c.caller, "list", in, control.Listener{})
}

// Polled is Service.Polled.
func (c *Client) Polled(ctx context.Context, since time.Time) ([]uuid.UUID, error) {
	return control.Call[[]uuid.UUID](ctx, c.caller, "polled", since, control.Listener{})
}
