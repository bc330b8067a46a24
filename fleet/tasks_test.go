package fleet

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/internal/topics"
	"statewire/notifier/wire"
	"statewire/packs"
	"statewire/trust"
)

// ended keeps how clients ended their tasks, as a notifier tells it.
type ended struct {
	mu    sync.Mutex
	steps map[uuid.UUID]wire.Result // by client
}

func (e *ended) Results(_ context.Context, r wire.Results) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range r.Results {
		if one.Step.Rank() >= e.steps[one.Client].Step.Rank() {
			e.steps[one.Client] = one
		}
	}
	return nil
}

func (e *ended) count(step wire.Step) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.steps {
		if r.Step == step {
			n++
		}
	}
	return n
}

// Each client of a fleet does what the site signs for it, at once, and reports what it raises by it.
func TestAFleetDoesTasks(t *testing.T) {
	authority, reports, cfg := enrolling(t, 10)
	p := newPush(t, authority)
	p.results = &ended{steps: map[uuid.UUID]wire.Result{}}
	token := authority.Token()
	cfg.Token, cfg.Notifier, cfg.For, cfg.Settle = &token, p.address, time.Hour, 0
	cfg.SendInterval, cfg.PatchDay = 24*time.Hour, 24*time.Hour // nothing is sent by itself
	f, err := New(cfg, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- f.Run(ctx) }()
	want := cfg.Clients - f.silent
	within(t, time.Minute, "all online", func() bool { return f.Stats().OnlineTCP == want })
	key, private, err := authority.Keys.TaskKey()
	if err != nil {
		t.Fatal(err)
	}
	own := packs.BuiltIn()
	work := wire.Work{Number: 1}
	for i, c := range f.clients {
		if c.channel == nil {
			continue
		}
		m := wire.RequestMessage{TaskID: 1, Task: uuid.New(), Type: wire.TypePack, Site: authority.Site,
			Client: uuid.UUID(c.machine.id.Client), Issued: time.Now(), NotAfter: time.Now().Add(time.Hour), Pack: own.ID,
			PackVersion: own.Version.String(), PackHash: own.Hash, Name: "Statewire.Utility.TestEvent"}
		envelope, err := trust.SignEnvelope(wire.RequestType, m.Encode(), key, private)
		if err != nil {
			t.Fatal(err)
		}
		work.Pushes = append(work.Pushes, wire.Push{Push: uint64(i + 1), TaskID: 1, Task: m.Task, Client: m.Client,
			NotAfter: m.NotAfter, Envelope: envelope})
	}
	p.work <- work
	within(t, time.Minute, "all succeed", func() bool { return p.results.count(wire.StepSucceeded) == want })
	within(t, time.Minute, "all events are reported", func() bool {
		reports.Mu.Lock()
		defer reports.Mu.Unlock()
		return reports.Seen[[2]uint32{topics.TestEvent, topics.TestEventRaised}] == want
	})
	stop()
	if err := <-over; err != nil {
		t.Fatal(err)
	}
}
