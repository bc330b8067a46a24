package resync

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"statewire/smx"
)

// waker has clients ask for their policy soon; whoever is away does it when it is back.
type waker interface {
	Wake(ctx context.Context, clients []uuid.UUID) error
}

// told is the request that a client was woken for.
type told struct {
	number   uint32
	accepted bool
}

// tellOffered has somebody look, soon, for requests that are newly on offer. It never waits: it is called while a check
// runs.
func (s *Service) tellOffered() {
	select {
	case s.offered <- struct{}{}:
	default: // somebody is about to
	}
}

// wakeOffered wakes the clients whose request nobody has told them of. After a start that is every request that was not
// picked up: whom the former process told is not known.
func (s *Service) wakeOffered(ctx context.Context) error {
	if s.waker == nil {
		return nil
	}
	list := s.offers.untold()
	if len(list) == 0 {
		return nil
	}
	clients := make([]uuid.UUID, 0, len(list))
	for client := range list {
		clients = append(clients, uuid.UUID(client))
	}
	if err := s.waker.Wake(ctx, clients); err != nil {
		return fmt.Errorf("wake %d clients: %w", len(clients), err)
	}
	s.offers.told(list)
	return nil
}

// untold are the requests on offer that their clients neither picked up nor were woken for. One that changed since is a
// new one: a client that declined it may take it now.
func (o *offers) untold() map[smx.ClientID]told {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := map[smx.ClientID]told{}
	for client, r := range o.owing {
		now := told{r.number, r.accepted}
		switch woken, was := o.woken[client]; {
		case was && woken == now:
		case o.picked[client] == r.number && !(was && woken.number == r.number):
			o.woken[client] = now // it knows
		default:
			list[client] = now
		}
	}
	for client := range o.woken {
		if _, owes := o.owing[client]; !owes {
			delete(o.woken, client)
		}
	}
	return list
}

// told notes whom a wake was sent to.
func (o *offers) told(list map[smx.ClientID]told) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for client, request := range list {
		o.woken[client] = request
	}
}
