package site

import (
	"context"
	"errors"
	"sync/atomic"

	"statewire/reports/names"
)

// errNoNames is what a change of names meets while the resync stage, which keeps them, is still starting.
var errNoNames = errors.New("the resync stage, which keeps names, has not started yet")

// nameSource changes names: by this process's resync stage, or by the process that runs it. So one service writes them.
type nameSource struct {
	other *names.Client // nil when this process runs the role

	own atomic.Pointer[names.Service] // nil until the stage has started
}

// Load implements the console's names.
func (n *nameSource) Load(ctx context.Context, list names.List, o names.Options) (names.Result, error) {
	if own := n.own.Load(); own != nil {
		return own.Load(ctx, list, o)
	}
	if n.other == nil {
		return names.Result{}, errNoNames
	}
	return n.other.Load(ctx, list, o)
}
