package fleet

import "time"

// Stats is the fleet's progress.
type Stats struct {
	Clients     int           `json:"clients"`      // simulated clients
	Silent      int           `json:"silent"`       // of these, the ones that no longer reported when the patch day began
	Enrolled    int64         `json:"enrolled"`     // clients that got a certificate in this run
	Enrolling   bool          `json:"enrolling"`    // they get their certificates: nothing else happens yet
	Reports     int64         `json:"reports"`      // accepted by the relay
	Messages    int64         `json:"messages"`     // in accepted reports
	Retries     int64         `json:"retries"`      // attempts that were repeated
	Refused     int64         `json:"refused"`      // reports the relay refused for good
	Lost        int64         `json:"lost"`         // reports that vanished on purpose
	Duplicated  int64         `json:"duplicated"`   // reports sent twice on purpose
	Reordered   int64         `json:"reordered"`    // reports that arrived after their successor on purpose
	Delayed     int64         `json:"delayed"`      // reports that arrived late on purpose
	Damaged     int64         `json:"damaged"`      // records damaged on purpose
	Reinstalled int64         `json:"reinstalled"`  // clients that lost their store
	Restored    int64         `json:"restored"`     // clients set back to an image
	ClockJumps  int64         `json:"clock_jumps"`  // clients whose clock jumped
	SerialJumps int64         `json:"serial_jumps"` // clients whose counter of serials jumped
	FalseClaims int64         `json:"false_claims"` // polls in a client's name that claimed too much
	Polls       int64         `json:"polls"`        // policy polls that the relay answered
	PollsFailed int64         `json:"polls_failed"` // and that it did not, or that were lost on purpose
	Resyncs     int64         `json:"resyncs"`      // resyncs that clients carried out
	Wakes       int64         `json:"wakes"`        // that clients obeyed
	OnlineTCP   int           `json:"online_tcp"`   // clients whose fast channel is open
	OnlineHTTP  int           `json:"online_http"`  // and that come to the relay for it
	Unsettled   int           `json:"unsettled"`    // clients with something left to say, while the fleet settles
	Behind      time.Duration `json:"behind"`       // by how much clients act late: machine or relay do not keep up
	Settling    bool          `json:"settling"`     // nothing is raised any more
	Simulated   time.Time     `json:"simulated"`    // the time of the fleet's day
	PatchDay    bool          `json:"patch_day"`    // whether simulated time still runs faster than real time
	Trouble     string        `json:"trouble"`      // why the last repeated attempt came to nothing; empty = none was
}

// Stats may be called at any time.
func (f *Fleet) Stats() Stats {
	f.mu.Lock()
	started, unsettled, settling, behind := f.started, f.unsettled, f.settling, f.behind
	f.mu.Unlock()
	var after time.Duration
	if !started.IsZero() {
		after = time.Since(started)
	}
	c := &f.counts
	trouble := ""
	if said := c.trouble.Load(); said != nil {
		trouble = *said
	}
	online := f.connected()
	return Stats{
		Wakes: c.wakes.Load(), OnlineTCP: online.tcp, OnlineHTTP: online.http,
		Clients: len(f.clients), Silent: f.silent, Enrolled: c.enrolled.Load(),
		Enrolling: started.IsZero() && f.cfg.Token != nil, Reports: c.reports.Load(), Messages: c.messages.Load(),
		Retries: c.retries.Load(), Refused: c.refused.Load(), Lost: c.lost.Load(), Duplicated: c.duplicated.Load(),
		Reordered: c.reordered.Load(), Delayed: c.delayed.Load(), Damaged: c.damaged.Load(),
		Reinstalled: c.reinstalled.Load(), Restored: c.restored.Load(), ClockJumps: c.clockJumps.Load(),
		SerialJumps: c.serialJumps.Load(), FalseClaims: c.falseClaims.Load(), Polls: c.polls.Load(),
		PollsFailed: c.pollsFailed.Load(), Resyncs: c.resyncs.Load(), Unsettled: unsettled, Behind: behind,
		Settling: settling, Simulated: f.clock.shown(f.clock.simulated(after)), PatchDay: after < f.clock.fast,
		Trouble: trouble,
	}
}
