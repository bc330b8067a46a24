package fleet

import (
	"context"
	"net/http"
	"time"

	"statewire/agent"
	"statewire/smx"
)

// firstPoll spreads the first polls of a run over one interval.
func (c *simulated) firstPoll() time.Duration {
	interval := c.fleet.cfg.PolicyInterval
	if interval == 0 || c.silentFor > 0 {
		return never
	}
	return time.Duration(c.line.chance(1, 0).Int64N(int64(interval)))
}

// beginToSettle lets the client raise what it had no time to raise, send what waits and claim its last serial at a real
// time, and from then on in every interval.
func (c *simulated) beginToSettle(at time.Duration) {
	c.sendDue, c.pollDue, c.idle, c.claimed, c.settled = never, never, false, false, false
	if c.silentFor > 0 {
		return
	}
	c.sendDue, c.sendAt = at, c.fleet.clock.end()
	if c.fleet.cfg.PolicyInterval > 0 {
		c.pollDue = at
	}
}

// poll asks for the client's policy and does at once what it asks for.
func (c *simulated) poll(ctx, sending context.Context, now time.Duration) error {
	if err := c.tend(sending); err != nil {
		return err
	}
	outcome, err := c.agent.Poll(sending)
	if err != nil {
		return err
	}
	c.pollDue = never
	if interval := c.agent.PolicyInterval(); interval > 0 {
		c.pollDue = now + interval
	}
	if c.channel != nil {
		c.channel.Look()
	}
	counts := &c.fleet.counts
	c.claimed = outcome.Outcome == agent.PolicyUnchanged || outcome.Outcome == agent.PolicyAdopted
	if !c.claimed {
		counts.pollsFailed.Add(1)
		return nil
	}
	counts.polls.Add(1)
	if c.claimedFor && !c.fleet.settling {
		forged := smx.Poll{Client: c.machine.id.Client, LastSerial: claimedSerial, States: 1}
		if c.relay.Policy(sending, forged, "").Status == http.StatusOK {
			counts.falseClaims.Add(1)
		}
	}
	if !outcome.Resync {
		return nil
	}
	counts.resyncs.Add(1)
	return c.drain(ctx, sending)
}
