package manager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/google/uuid"

	"statewire/identity"
	"statewire/internal/control"
)

// taskCall is a call about tasks: who asks, and what.
type taskCall[T any] struct {
	By   By `json:"by"`
	What T  `json:"what"`
}

// answer is what came of such a call, or why the site does not do it.
type answer[T any] struct {
	Value   T                 `json:"value"`
	Refused *identity.Refusal `json:"refused,omitempty"`
}

type (
	showCall struct {
		ID      string      `json:"id"`
		Steps   bool        `json:"steps"` // they are wanted
		Options ShowOptions `json:"options"`
	}
	idCall struct {
		ID     string    `json:"id"`
		Reason string    `json:"reason,omitempty"`
		Rate   int       `json:"rate,omitempty"`
		Client uuid.UUID `json:"client_id,omitzero"`
	}
)

// caller is who asks: whom the site's own processes name, else the user at the other end.
func caller(ctx context.Context, by By) By {
	peer, ok := control.PeerOf(ctx)
	if by.Actor != "" && (!ok || peer.UID == os.Getuid() && peer.Role == "") {
		return by
	}
	return By{Person: identity.Local(ctx)}
}

// serve serves one call about tasks.
func serve[In, Out any](mux control.Router, path string, do func(context.Context, By, In, *control.Teller) (Out,
	error)) {
	control.Handle(mux, path, func(ctx context.Context, in taskCall[In], say *control.Teller) (answer[Out], error) {
		out, err := do(ctx, caller(ctx, in.By), in.What, say)
		var refused *identity.Refusal
		if errors.As(err, &refused) {
			return answer[Out]{Refused: refused}, nil
		}
		return answer[Out]{Value: out}, err
	})
}

// handleTasks serves what people do with tasks.
func (m *Manager) handleTasks(mux control.Router) {
	serve(mux, "/manager/task/plan", func(ctx context.Context, by By, in Order, _ *control.Teller) (Plan, error) {
		return m.Plan(ctx, by, in)
	})
	serve(mux, "/manager/task/create", func(ctx context.Context, by By, in Order, _ *control.Teller) (TaskStatus, error) {
		return m.Create(ctx, by, in)
	})
	serve(mux, "/manager/task/list", func(ctx context.Context, by By, in ListOptions, _ *control.Teller) ([]TaskStatus,
		error) {
		return m.List(ctx, by, in)
	})
	serve(mux, "/manager/task/show", func(ctx context.Context, by By, in showCall, say *control.Teller) (TaskStatus,
		error) {
		var take func(StepStatus) error
		if in.Steps {
			take = func(s StepStatus) error { say.Row(s); return ctx.Err() }
		}
		return m.Show(ctx, by, in.ID, in.Options, take)
	})
	serve(mux, "/manager/task/cancel", func(ctx context.Context, by By, in idCall, _ *control.Teller) (TaskStatus, error) {
		return m.Cancel(ctx, by, in.ID, in.Reason)
	})
	serve(mux, "/manager/task/approve", func(ctx context.Context, by By, in idCall, _ *control.Teller) (TaskStatus,
		error) {
		return m.Approve(ctx, by, in.ID)
	})
	serve(mux, "/manager/task/rate", func(ctx context.Context, by By, in idCall, _ *control.Teller) (TaskStatus, error) {
		return m.SetRate(ctx, by, in.ID, in.Rate)
	})
	serve(mux, "/manager/task/output", func(ctx context.Context, by By, in idCall, _ *control.Teller) (StepStatus, error) {
		return m.Output(ctx, by, in.ID, in.Client)
	})
	serve(mux, "/manager/task/waiting", func(ctx context.Context, _ By, in uuid.UUID, _ *control.Teller) ([]ClientTask,
		error) {
		return m.WaitingFor(ctx, in)
	})
	serve(mux, "/manager/task/lasting", func(ctx context.Context, _ By, in uuid.UUID, _ *control.Teller) ([][]byte,
		error) {
		return m.Lasting(ctx, in)
	})
	serve(mux, "/manager/stop", func(ctx context.Context, by By, reason string, _ *control.Teller) (none, error) {
		return none{}, m.Stop(ctx, by, reason)
	})
	control.Handle(mux, "/manager/stopped", func(ctx context.Context, _ none, _ *control.Teller) (StopStatus, error) {
		return m.Stopping(ctx)
	})
	serve(mux, "/manager/resume", func(ctx context.Context, by By, reason string, _ *control.Teller) (none, error) {
		return none{}, m.Resume(ctx, by, reason)
	})
}

// ask makes a call about tasks. A refusal comes as the *identity.Refusal that it is.
func ask[Out, In any](ctx context.Context, c *Client, path string, by By, in In, hear control.Listener) (Out, error) {
	out, err := control.Call[answer[Out]](ctx, c.caller, path, taskCall[In]{by, in}, hear)
	if err == nil && out.Refused != nil {
		return out.Value, out.Refused
	}
	return out.Value, err
}

// Plan is Manager.Plan. Of By only the site's own processes are believed; a person may leave it empty.
func (c *Client) Plan(ctx context.Context, by By, o Order) (Plan, error) {
	return ask[Plan](ctx, c, "task/plan", by, o, control.Listener{})
}

// Create is Manager.Create.
func (c *Client) Create(ctx context.Context, by By, o Order) (TaskStatus, error) {
	return ask[TaskStatus](ctx, c, "task/create", by, o, control.Listener{})
}

// List is Manager.List.
func (c *Client) List(ctx context.Context, by By, o ListOptions) ([]TaskStatus, error) {
	return ask[[]TaskStatus](ctx, c, "task/list", by, o, control.Listener{})
}

// Show is Manager.Show.
func (c *Client) Show(ctx context.Context, by By, id string, o ShowOptions, take func(StepStatus) error) (TaskStatus,
	error) {
	hear := control.Listener{Row: func(text []byte) error {
		var s StepStatus
		if err := json.Unmarshal(text, &s); err != nil {
			return fmt.Errorf("a step: %w", err)
		}
		return take(s)
	}}
	return ask[TaskStatus](ctx, c, "task/show", by, showCall{id, take != nil, o}, hear)
}

// Cancel is Manager.Cancel.
func (c *Client) Cancel(ctx context.Context, by By, id, reason string) (TaskStatus, error) {
	return ask[TaskStatus](ctx, c, "task/cancel", by, idCall{ID: id, Reason: reason}, control.Listener{})
}

// Approve is Manager.Approve.
func (c *Client) Approve(ctx context.Context, by By, id string) (TaskStatus, error) {
	return ask[TaskStatus](ctx, c, "task/approve", by, idCall{ID: id}, control.Listener{})
}

// SetRate is Manager.SetRate.
func (c *Client) SetRate(ctx context.Context, by By, id string, rate int) (TaskStatus, error) {
	return ask[TaskStatus](ctx, c, "task/rate", by, idCall{ID: id, Rate: rate}, control.Listener{})
}

// Output is Manager.Output.
func (c *Client) Output(ctx context.Context, by By, id string, client uuid.UUID) (StepStatus, error) {
	return ask[StepStatus](ctx, c, "task/output", by, idCall{ID: id, Client: client}, control.Listener{})
}

// WaitingFor is Manager.WaitingFor.
func (c *Client) WaitingFor(ctx context.Context, client uuid.UUID) ([]ClientTask, error) {
	return ask[[]ClientTask](ctx, c, "task/waiting", By{}, client, control.Listener{})
}

// Lasting is Manager.Lasting.
func (c *Client) Lasting(ctx context.Context, client uuid.UUID) ([][]byte, error) {
	return ask[[][]byte](ctx, c, "task/lasting", By{}, client, control.Listener{})
}

// Stop is Manager.Stop.
func (c *Client) Stop(ctx context.Context, by By, reason string) error {
	_, err := ask[none](ctx, c, "stop", by, reason, control.Listener{})
	return err
}

// Resume is Manager.Resume.
func (c *Client) Resume(ctx context.Context, by By, reason string) error {
	_, err := ask[none](ctx, c, "resume", by, reason, control.Listener{})
	return err
}
