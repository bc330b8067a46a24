package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"statewire/agent/cache"
	"statewire/smx"
)

// historyBatch is of how many occasions History hands out the reports at once; each makes one or two.
const historyBatch = 500

// PastReport is a report that the site received before Run: History hands these out.
type PastReport = smx.Accepted

// History hands out, oldest first and in batches, the reports that the clients sent before Run: their installation,
// three patch days in 90 days with what was required and when it was installed, and everything of the clients that have
// been silent since. Calling it is optional; call it before Run. The caller puts each batch into the inbox as one
// relay-written file (smx.AppendFile). Without it each client tells how its past ended in its first report, and the
// silent ones never show up.
func (f *Fleet) History(ctx context.Context, put func(batch []PastReport) error) error {
	if fs, ok := f.stores.(*Store); ok {
		defer fs.alone()()
	}
	past := f.pastOfAll()
	decoder := smx.NewDecoder()
	for batch := range slices.Chunk(past, historyBatch) {
		if err := ctx.Err(); err != nil {
			return err
		}
		var reports []PastReport
		for _, p := range batch {
			var err error
			if reports, err = p.client.report(decoder, p.events, reports); err != nil {
				return fmt.Errorf("history of %s: %w", p.client.machine.id.NetBIOSName, err)
			}
		}
		if err := put(reports); err != nil {
			return err
		}
	}
	return nil
}

// pastEvents is one report of the past.
type pastEvents struct {
	client *simulated
	events []event
}

func (p pastEvents) sent() time.Duration { return p.events[len(p.events)-1].at }

func (f *Fleet) pastOfAll() []pastEvents {
	var past []pastEvents
	for _, c := range f.clients {
		for _, events := range c.past {
			past = append(past, pastEvents{c, events})
		}
		c.past = nil
	}
	slices.SortStableFunc(past, func(a, b pastEvents) int { return cmp.Compare(a.sent(), b.sent()) })
	return past
}

// report appends the reports of past events, one for each priority, as accepted by a relay seconds after they were
// sent.
func (c *simulated) report(decoder *smx.Decoder, events []event, reports []PastReport) ([]PastReport, error) {
	c.sendAt = c.cycle(events[len(events)-1].at)
	if err := c.raise(events); err != nil {
		return nil, err
	}
	for received := c.fleet.clock.at(c.sendAt + 2*time.Second); ; received = received.Add(time.Second) {
		report, err := c.agent.Next()
		if err != nil || report == nil {
			return reports, err
		}
		checked, err := decoder.Check(report.Body)
		if err != nil {
			return nil, err
		}
		c.line.arrive(report, intact)
		receipt := fmt.Sprintf("past-%d-%d", c.index+1, report.Last)
		if err := c.store.Settle(cache.Settlement{Outcome: cache.Accepted, Receipt: receipt, Time: received}); err != nil {
			return nil, err
		}
		reports = append(reports, PastReport{
			Client: c.machine.id.Client, Received: received, Receipt: receipt,
			Messages: checked.Messages, Body: slices.Clone(checked.Body),
		})
	}
}
