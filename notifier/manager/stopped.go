package manager

import (
	"context"
	"time"

	"statewire/internal/control"
)

// StopStatus says whether pushes are stopped, by whom, and why.
type StopStatus struct {
	Stopped bool      `json:"stopped"`
	Actor   string    `json:"actor,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

// Stopping is Stopped for those who may be in another process.
func (m *Manager) Stopping(context.Context) (s StopStatus, _ error) {
	s.Stopped, s.Actor, s.Reason, s.At = m.Stopped()
	return s, nil
}

// Stopping is Manager.Stopping.
func (c *Client) Stopping(ctx context.Context) (StopStatus, error) {
	return control.Call[StopStatus](ctx, c.caller, "stopped", none{}, control.Listener{})
}
