// Package names keeps what people call the ids that state messages carry: titles, groups and targets that a person
// loads from a file. A file is taken whole or not at all, loading it again changes nothing, and no client ever changes what a
// person named.
package names

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"statewire/internal/control"
	"statewire/internal/topics"
	"statewire/store"
)

// Topic is a topic type's name for people: the catalog's constant, without what all of them begin with.
func Topic(name string) string { return topics.Name(name) }

// Service keeps the names. Its state is in the store, where one service at a time may write.
type Service struct {
	// Constant after New.
	store    *store.Store
	log      *slog.Logger
	now      func() time.Time
	recorder control.Recorder // nil: nobody records

	changing chan struct{} // a place that whoever changes something holds
}

// New returns a service on an open store; now is the clock that stamps changes. The recorder may be nil where nothing
// is changed.
func New(db *store.Store, log *slog.Logger, now func() time.Time, recorder control.Recorder) *Service {
	return &Service{store: db, log: log, now: now, recorder: recorder, changing: make(chan struct{}, 1)}
}

// alone calls do while nobody else changes anything.
func (s *Service) alone(ctx context.Context, do func() error) error {
	select {
	case s.changing <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for another change of names: %w", ctx.Err())
	}
	defer func() { <-s.changing }()
	return do()
}
