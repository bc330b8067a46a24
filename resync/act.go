package resync

import (
	"context"
	"fmt"

	"statewire/collections"
	"statewire/internal/control"
	"statewire/smx"
)

// recorded does what a person asks for, once it is kept that they did. What writes nothing is not kept.
func (s *Service) recorded(ctx context.Context, name string, t Target, clients []smx.ClientID, dry bool,
	do func() error) error {
	if dry {
		return do()
	}
	act := control.Act{Name: name, Object: t.object(), Targets: len(clients), Params: collections.Names(clients)}
	return control.Recorded(ctx, s.recorder, act, do)
}

// object names whom a person means.
func (t Target) object() string {
	switch {
	case t.All:
		return "all clients"
	case t.Collection != "":
		return "collection:" + t.Collection
	case len(t.Clients) == 1:
		return t.Clients[0].String()
	}
	return fmt.Sprint(len(t.Clients), " clients")
}
