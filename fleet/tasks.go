package fleet

import (
	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/agent/runner"
	"statewire/packs"
)

// newRunner makes what carries out a client's tasks. It forgets them with the process. No program runs: one machine
// simulates many.
func (c *simulated) newRunner() (*runner.Runner, error) {
	return runner.New(runner.Deps{
		Client: uuid.UUID(c.machine.id.Client), Site: func() string { return c.own.Status().Site }, Trust: c.own.Document,
		Store: cache.NewMemory(0), Agent: tasked{c}, Log: c.fleet.clientLog, Quiet: true,
		Rules: runner.Rules{Tasks: runner.Run, Allow: packs.Destructive},
	})
}

// lasting takes the lasting tasks of the client's policy.
func (c *simulated) lasting(envelopes [][]byte) {
	if c.runner != nil {
		c.runner.Lasting(envelopes)
	}
}

// tasked is a client as its tasks see it.
type tasked struct{ c *simulated }

func (t tasked) Raise(states ...cache.State) error { return t.c.current.Load().Raise(states...) }
func (t tasked) PollNow()                          { t.c.wake() }

func (t tasked) Resend() error {
	err := t.c.current.Load().Resend()
	t.SendNow()
	return err
}

// SendNow makes the client send what waits: at once when it rests, or else after what it does.
func (t tasked) SendNow() {
	f := t.c.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	t.c.hurry = true
	f.rouse(t.c)
}
