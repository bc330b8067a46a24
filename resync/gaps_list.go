package resync

import (
	"context"
	_ "embed"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
)

//go:embed sql/gaps_list.sql
var gapListSQL string

// show lists what a check that writes nothing found.
func (c *gapCheck) show(client uuid.UUID, open []openSpan) {
	if c.opt.Rows == 0 {
		return
	}
	c.listed[client] = struct{}{}
	for _, o := range open {
		if c.full() {
			return
		}
		c.out.Gaps = append(c.out.Gaps, gap{smx.ClientID(client), o.first, o.last, time.UnixMicro(o.detected).UTC(), o.jump})
	}
}

// full is whether the list has as many rows as were asked for.
func (c *gapCheck) full() bool { return c.opt.Rows >= 0 && len(c.out.Gaps) >= c.opt.Rows }

// list adds what is recorded of clients that are not in the list, the oldest first.
func (c *gapCheck) list(ctx context.Context) error {
	if c.full() {
		return nil
	}
	rows, err := c.store.Conn().Query(ctx, gapListSQL)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() && !c.full() {
		var g gap
		var client uuid.UUID
		var jump uint8
		if err := rows.Scan(&client, &g.First, &g.Last, &g.Detected, &jump); err != nil {
			return err
		}
		if _, already := c.listed[client]; already {
			continue
		}
		g.Client, g.Jump = smx.ClientID(client), jump == 1
		c.out.Gaps = append(c.out.Gaps, g)
	}
	return rows.Err()
}
