package resync

import (
	"context"
	_ "embed"
	"math/big"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
)

//go:embed sql/gaps_find.sql
var findSQL string

//go:embed sql/gaps_open.sql
var openSQL string

//go:embed sql/gaps_changed.sql
var changedSQL string

// findGaps compares what is missing with the open ranges, slice by slice, and stores the differences.
func (f *finder) findGaps(ctx context.Context, opt findOptions, out *found) error {
	messages := new(big.Int)
	if err := f.store.Conn().QueryRow(ctx, openSQL).Scan(&out.Ranges, messages); err != nil {
		return err
	}
	if err := f.store.Conn().QueryRow(ctx, changedSQL, opt.since()).Scan(&out.Clients); err != nil {
		return err
	}
	slices, err := f.slices(ctx, opt, out.Clients)
	if err != nil {
		return err
	}
	check := gapCheck{opt: opt, out: out, messages: messages, rows: rangeRows{store: f.store}}
	for _, s := range slices {
		if err := f.checkSlice(ctx, s, &check); err != nil {
			return err
		}
	}
	out.Messages, _ = new(big.Float).SetInt(messages).Float64()
	return check.flush(ctx)
}

// checkSlice looks at the clients of one slice.
func (f *finder) checkSlice(ctx context.Context, s slice, check *gapCheck) error {
	rows, err := f.store.Conn().Query(ctx, findSQL, check.opt.since(), uuidArg("from", s.from), uuidArg("to", s.to),
		flagArg("full", check.opt.Full), flagArg("all", check.opt.Rows > 0))
	if err != nil {
		return err
	}
	defer rows.Close()
	var c clientRanges
	for rows.Next() {
		if err := rows.Scan(&c.client, &c.missingFirst, &c.missingLast, &c.openFirst, &c.openLast, &c.openDetected, &c.checked); err != nil {
			return err
		}
		if err := check.client(ctx, &c); err != nil {
			return err
		}
	}
	return rows.Err()
}

// gapCheck is what one check has found so far.
type gapCheck struct {
	opt      findOptions
	out      *found
	messages *big.Int
	rows     rangeRows
}

// client takes one client's row. All that is written about it is written at once, open ranges first: a check that is cut
// short in between leaves ranges that overlap, never less than what is missing.
func (c *gapCheck) client(ctx context.Context, r *clientRanges) error {
	at := c.opt.At.UnixMicro()
	open, want := r.open(), reconcile(r.missing(), r.open(), at)
	opened, closed := differences(open, want)
	c.out.Opened += uint64(len(opened))
	c.out.Closed += uint64(len(closed))
	c.out.Ranges += uint64(len(want) - len(open))
	c.messages.Add(c.messages, total(want))
	c.messages.Sub(c.messages, total(open))
	for _, g := range want[:min(len(want), c.opt.Rows-len(c.out.Gaps))] {
		c.out.Gaps = append(c.out.Gaps, gap{smx.ClientID(r.client), g.first, g.last, time.UnixMicro(g.detected).UTC()})
	}
	if c.opt.DryRun {
		return nil
	}
	version := max(at, r.checked+1)
	c.rows.add(r.client, version, opened, 0)
	c.rows.add(r.client, version, closed, 1)
	if c.rows.len() < rowsPerInsert {
		return nil
	}
	return c.flush(ctx)
}

func (c *gapCheck) flush(ctx context.Context) error { return c.rows.flush(ctx) }

// clientRanges is a row of the query.
type clientRanges struct {
	client                    uuid.UUID
	missingFirst, missingLast []uint64
	openFirst, openLast       []uint64
	openDetected              []int64
	checked                   int64 // the newest version of the client's rows, in microseconds
}

func (r *clientRanges) missing() []span {
	out := make([]span, len(r.missingFirst))
	for i := range out {
		out[i] = span{r.missingFirst[i], r.missingLast[i]}
	}
	return out
}

func (r *clientRanges) open() []openSpan {
	out := make([]openSpan, len(r.openFirst))
	for i := range out {
		out[i] = openSpan{span{r.openFirst[i], r.openLast[i]}, r.openDetected[i]}
	}
	return out
}
