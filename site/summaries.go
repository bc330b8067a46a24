package site

import (
	"context"
	"errors"
	"time"

	"statewire/internal/control"
)

// rebuildPath is where the socket of the process with the ingest role, which keeps the summaries, takes the wish.
const rebuildPath = "/manager/summary/rebuild"

// errNoSummaries is what a wish meets while the store is not open.
var errNoSummaries = errors.New("the site keeps no summaries yet, because its store is not open; try again once it is")

func (s *Site) rebuildSummaries(ctx context.Context, _ struct{}, _ *control.Teller) (time.Duration, error) {
	own := s.summaries.Load()
	if own == nil {
		return 0, errNoSummaries
	}
	s.log.Info("summaries are made anew, because a person asked for it")
	return own.Rebuild(ctx)
}

// RebuildSummaries has the running site make anew what it keeps ready of clients, subjects and machines, and says how
// long that took.
func RebuildSummaries(ctx context.Context, data string) (time.Duration, error) {
	if Holder(data, "ingest") == 0 {
		return 0, errors.New("no site runs here: summaries are kept by the process with the ingest role; start it first")
	}
	caller := control.NewCaller(ManagerSocket(data), "manager")
	defer caller.Close()
	return control.Call[time.Duration](ctx, caller, "summary/rebuild", struct{}{}, control.Listener{})
}
