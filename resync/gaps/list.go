package gaps

import (
	"context"
	_ "embed"
	"time"

	"github.com/google/uuid"
)

//go:embed sql/list.sql
var gapListSQL string

// show lists what a check that writes nothing found.
func (c *search) show(client uuid.UUID, open []openRange) {
	if c.opt.Rows == 0 {
		return
	}
	c.listed[client] = struct{}{}
	for _, o := range open {
		if c.full() {
			return
		}
		c.out.Rows = append(c.out.Rows, Gap{client, o.First, o.Last, time.UnixMicro(o.detected).UTC(), o.jump})
	}
}

// full is whether the list has as many rows as were asked for.
func (c *search) full() bool { return c.opt.Rows >= 0 && len(c.out.Rows) >= c.opt.Rows }

// list adds what is recorded of clients that are not in the list, the oldest first.
func (c *search) list(ctx context.Context) error {
	if c.full() {
		return nil
	}
	rows, err := c.store.Conn().Query(ctx, gapListSQL)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() && !c.full() {
		var g Gap
		var jump uint8
		if err := rows.Scan(&g.Client, &g.First, &g.Last, &g.Detected, &jump); err != nil {
			return err
		}
		if _, already := c.listed[g.Client]; already {
			continue
		}
		g.Jump = jump == 1
		c.out.Rows = append(c.out.Rows, g)
	}
	return rows.Err()
}
