package summary

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// waiting yields the clients whose reports wait in an inbox, as far as they can be told.
type waiting interface {
	Waiting(ctx context.Context) (map[uuid.UUID]struct{}, error)
}

// keeper brings the kept members of saved queries up to date.
type keeper interface {
	Keep(ctx context.Context) error
}

// looks are what counts depend on and no message tells of.
type looks struct {
	inbox, members job
	before         map[uuid.UUID]struct{} // who waited at the last look
}

// look brings up to date who waits in the inbox, and who is in the collections of saved queries.
func (s *Summarizer) look(ctx context.Context) error {
	var errs []error
	for _, l := range []struct {
		*job
		what string
		do   func(context.Context) error
	}{
		{&s.looks.inbox, "look into the inbox", s.lookIntoInbox},
		{&s.looks.members, "look who is in the collections", s.keepMembers},
	} {
		began := time.Now()
		if began.Before(l.rests) {
			continue
		}
		if err := l.do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", l.what, err))
		}
		l.rests = began.Add(rest * time.Since(began))
	}
	return errors.Join(errs...)
}

func (s *Summarizer) keepMembers(ctx context.Context) error {
	if s.deps.Collections == nil {
		return nil
	}
	return s.deps.Collections.Keep(ctx)
}

// lookIntoInbox writes whose reports wait. Who was not there at the look before is about to be loaded, and waits
// for nothing.
func (s *Summarizer) lookIntoInbox(ctx context.Context) error {
	if s.deps.Waiting == nil {
		return nil
	}
	now, err := s.deps.Waiting.Waiting(ctx)
	if err != nil {
		return err
	}
	before := s.looks.before
	s.looks.before = now
	stored := map[uuid.UUID]bool{}
	err = s.each(ctx, "waiting_stored", nil, func(scan func(...any) error) error {
		var id uuid.UUID
		err := scan(&id)
		stored[id] = true
		return err
	})
	if err != nil {
		return err
	}
	if len(now) == 0 && len(stored) == 0 {
		return nil
	}
	return s.writeWaiting(ctx, now, before, stored)
}

func (s *Summarizer) writeWaiting(ctx context.Context, now, before map[uuid.UUID]struct{},
	stored map[uuid.UUID]bool) error {
	changed := map[uuid.UUID]uint8{}
	for id := range now {
		if _, waited := before[id]; waited && !stored[id] {
			changed[id] = 1
		}
	}
	for id := range stored {
		if _, waits := now[id]; !waits {
			changed[id] = 0
		}
	}
	if len(changed) == 0 {
		return nil
	}
	var version uint64
	if err := s.deps.Store.Conn().QueryRow(ctx, "SELECT max(version) FROM clients_waiting").Scan(&version); err != nil {
		return fmt.Errorf("read the version of who waits: %w", err)
	}
	batch, err := s.deps.Store.Conn().PrepareBatch(s.deps.Store.InsertContext(ctx),
		"INSERT INTO clients_waiting (client_id, waiting, version)")
	if err != nil {
		return fmt.Errorf("write %d clients that wait or no longer do: %w", len(changed), err)
	}
	defer batch.Close()
	for id, waits := range changed {
		if err := batch.Append(id, waits, version+1); err != nil {
			return fmt.Errorf("write a client that waits: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write %d clients that wait or no longer do: %w", len(changed), err)
	}
	return nil
}
