package site

import (
	"context"

	"github.com/google/uuid"

	"statewire/collections"
	"statewire/identity"
	"statewire/smx"
)

// lists puts clients into collections: of this process's resync stage, or of the process that runs it.
func (s *Site) lists() identity.Lists {
	if s.cfg.Roles.Has("resync") {
		return lists{func() adder {
			if own := s.sets.Load(); own != nil {
				return own
			}
			return nil
		}}
	}
	other := collections.Dial(ResyncSocket(s.cfg.Data))
	return lists{func() adder { return other }}
}

// adder is a *collections.Service or its *collections.Client.
type adder interface {
	Add(ctx context.Context, name string, clients []smx.ClientID) error
}

// lists asks whoever keeps the collections at the time; nil while nobody does.
type lists struct{ of func() adder }

// Add implements identity.Lists.
func (l lists) Add(ctx context.Context, name string, clients []uuid.UUID) error {
	if err := collections.CheckName(name); err != nil {
		return err
	}
	to := l.of()
	if to == nil {
		return errNoPolicies
	}
	ids := make([]smx.ClientID, len(clients))
	for i, id := range clients {
		ids[i] = smx.ClientID(id)
	}
	return to.Add(ctx, name, ids)
}

// NoLists is for commands that enrol nobody: they know which names are good.
var NoLists identity.Lists = lists{func() adder { return nil }}
