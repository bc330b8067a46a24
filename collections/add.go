package collections

import (
	"context"
	"errors"
	"slices"
	"time"

	"statewire/internal/control"
	"statewire/smx"
)

// CheckName says what is wrong with a name of a collection.
func CheckName(name string) error { return checkName(name) }

// Add puts clients into a list, and makes the list where there is none. Those that are in it already may be added
// again. Without clients it does nothing, and says whether some could be added.
func (s *Service) Add(ctx context.Context, name string, clients []smx.ClientID) error {
	if err := checkName(name); err != nil {
		return err
	}
	return s.Change(ctx, name, func(revision uint64, at time.Time) error {
		c, err := s.Get(ctx, name)
		switch {
		case errors.Is(err, ErrNotFound):
			c = Collection{Name: name, Kind: kindList, Revision: revision}
		case err != nil:
			return err
		case c.Kind != kindList:
			return control.Invalid("collection %s is a saved query: whoever it yields is in it, and nobody is added; name a "+
				"list", name)
		case c.Clients+uint64(len(clients)) > MaxMembers:
			return control.Invalid("collection %s has %d clients, and at most %d; %d more are too many", name, c.Clients,
				MaxMembers, len(clients))
		}
		if len(clients) == 0 {
			return nil
		}
		c.Changed = at
		act := control.Act{Name: "collection.add", Object: "collection:" + name, Targets: len(clients),
			Params: call{Name: name, Clients: Names(clients)}}
		return control.Recorded(ctx, s.recorder(), act, func() error { return s.add(ctx, c, clients) })
	})
}

// add stores members under the revision that the list has: those before stay as they are.
func (s *Service) add(ctx context.Context, c Collection, clients []smx.ClientID) error {
	members := slices.Compact(slices.SortedFunc(slices.Values(clients), smx.ClientID.Compare))
	if err := s.putMembers(ctx, c, members); err != nil {
		return err
	}
	if err := s.putCollection(ctx, c, false); err != nil {
		return err
	}
	s.log.Info("clients added to a collection", "collection", c.Name, "clients", len(members))
	return s.reload(ctx)
}
