package runner

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// What the agent's own end stops has not ended, in whatever order that comes to light; and what waits does not begin.
func TestAnEndInTheMiddleOfAnEnd(t *testing.T) {
	for range 50 {
		bubble(t, func(t *testing.T, m *machine) {
			m.end()
			m.work = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
			m.start().clock()
			var ids []uuid.UUID
			for range maxRunning + 2 {
				ids = append(ids, m.ask("Scan").Task)
			}
			waits := m.ask("Policy")
			m.answers()
			_ = m.stop()
			for i, id := range append(ids, waits.Task) {
				want := wire.StepRunning
				if i >= maxRunning {
					want = wire.StepReceived
				}
				if kept, _, err := m.store.Task(id); err != nil || kept.Step != string(want) {
					t.Errorf("task %d: %s %s, %v", i, kept.Step, kept.Code, err)
				}
			}
		})
	}
}
