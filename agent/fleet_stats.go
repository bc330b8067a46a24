package agent

import "time"

// FleetStats is the fleet's progress.
type FleetStats struct {
	Clients    int       // simulated clients
	Silent     int       // of these, the ones that no longer reported when the patch day began
	Reports    int64     // accepted by the relay
	Messages   int64     // in accepted reports
	Retries    int64     // attempts that were repeated
	Refused    int64     // reports the relay refused for good
	Lost       int64     // reports that vanished on purpose
	Duplicated int64     // reports sent twice on purpose
	Reordered  int64     // reports that arrived after their successor on purpose
	Damaged    int64     // records damaged on purpose
	Simulated  time.Time // the fleet's clock
	PatchDay   bool      // whether the patch day still runs
}

// Stats may be called at any time.
func (f *Fleet) Stats() FleetStats {
	f.mu.Lock()
	started := f.started
	f.mu.Unlock()
	var after time.Duration
	if !started.IsZero() {
		after = time.Since(started)
	}
	c := &f.counts
	return FleetStats{
		Clients: len(f.clients), Silent: f.silent,
		Reports: c.reports.Load(), Messages: c.messages.Load(), Retries: c.retries.Load(), Refused: c.refused.Load(),
		Lost: c.lost.Load(), Duplicated: c.duplicated.Load(), Reordered: c.reordered.Load(), Damaged: c.damaged.Load(),
		Simulated: f.began.Add(f.simulated(after)), PatchDay: after < f.cfg.PatchDay,
	}
}
