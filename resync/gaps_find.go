package resync

import (
	"context"
	_ "embed"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"statewire/smx"
)

//go:embed sql/gaps_quick.sql
var quickSQL string

//go:embed sql/gaps_find.sql
var findSQL string

//go:embed sql/gaps_open.sql
var openSQL string

const (
	// clientsPerLook bounds the clients that one query looks at closely, and lookBytes its text.
	clientsPerLook = 50_000
	lookBytes      = 4 << 20
)

// findGaps compares what is missing with the open ranges, slice by slice, and stores the differences.
func (f *finder) findGaps(ctx context.Context, opt findOptions, out *found) (err error) {
	since := f.since(opt)
	if opt.Full {
		since = timeArg("since", time.Unix(0, 0))
	}
	if out.Clients, err = f.count(ctx, since); err != nil {
		return err
	}
	parts, err := f.slices(ctx, out.Clients)
	if err != nil {
		return err
	}
	check := gapCheck{opt: opt, out: out, messages: new(big.Int), rows: rangeRows{store: f.store}}
	if err := f.store.Conn().QueryRow(ctx, openSQL).Scan(&out.Ranges, check.messages); err != nil {
		return err
	}
	if err := f.checkSlices(ctx, parts, &check); err != nil {
		return err
	}
	out.Messages, _ = new(big.Float).SetInt(check.messages).Float64()
	return check.rows.flush(ctx)
}

func (f *finder) checkSlices(ctx context.Context, parts []slice, check *gapCheck) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(slicesAtOnce)
	for _, s := range parts {
		work.Go(func() error { return f.checkSlice(ctx, s, check) })
	}
	return work.Wait()
}

// checkSlice looks at the clients of one slice, and at those whose serials have a break once more, closely.
func (f *finder) checkSlice(ctx context.Context, s slice, check *gapCheck) error {
	since := f.since(check.opt)
	if check.opt.Full {
		since = timeArg("since", never) // spares the engine a list that is not asked for
	}
	rows, err := f.store.Conn().Query(ctx, quickSQL, since, uuidArg("from", s.from), uuidArg("to", s.to),
		flagArg("full", check.opt.Full), flagArg("all", check.opt.Rows != 0), uintArg("seed", rand.Uint64()))
	if err != nil {
		return err
	}
	defer rows.Close()
	var broken []uuid.UUID
	for rows.Next() {
		var c clientRanges
		if err := rows.Scan(append(c.fields(), &c.broken)...); err != nil {
			return err
		}
		if c.broken == 1 {
			broken = append(broken, c.client)
		} else if err := check.client(ctx, &c); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for some := range slices.Chunk(broken, clientsPerLook) {
		if err := f.lookClosely(ctx, some, check); err != nil {
			return err
		}
	}
	return nil
}

// lookClosely looks at some clients, run by run.
func (f *finder) lookClosely(ctx context.Context, clients []uuid.UUID, check *gapCheck) error {
	var list strings.Builder
	for _, id := range clients {
		list.WriteString(id.String())
		list.WriteByte('\n')
	}
	limited := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_query_size": lookBytes}))
	rows, err := f.store.Conn().Query(limited, findSQL, list.String(), check.opt.Rows != 0)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c clientRanges
		if err := rows.Scan(c.fields()...); err != nil {
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
	opt findOptions

	mu       sync.Mutex
	out      *found    // Guarded by mu.
	messages *big.Int  // Guarded by mu.
	rows     rangeRows // Guarded by mu.
}

// client takes one client's row. All that is written about it is written at once, open ranges first: a check that is cut
// short in between leaves ranges that overlap, never less than what is missing.
func (c *gapCheck) client(ctx context.Context, r *clientRanges) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.opt.At.UnixMicro()
	open, missing := r.open(), r.missing()
	if unopened := c.opt.Unread.unopened(smx.ClientID(r.client), missing, open); len(unopened) > 0 {
		missing = subtract(missing, unopened)
		c.out.Postponed++
	}
	want := reconcile(missing, open, at)
	opened, closed := differences(open, want)
	c.out.Opened += uint64(len(opened))
	c.out.Closed += uint64(len(closed))
	c.out.Ranges += uint64(len(want) - len(open))
	c.messages.Add(c.messages, total(want))
	c.messages.Sub(c.messages, total(open))
	c.list(r.client, want)
	if c.opt.DryRun {
		return nil
	}
	version := max(at, r.checked+1)
	c.rows.add(r.client, version, opened, 0)
	c.rows.add(r.client, version, closed, 1)
	if c.rows.len() < rowsPerInsert {
		return nil
	}
	return c.rows.flush(ctx)
}

// list keeps what find returns.
func (c *gapCheck) list(client uuid.UUID, open []openSpan) {
	for _, o := range open {
		if c.opt.Rows >= 0 && len(c.out.Gaps) >= c.opt.Rows {
			return
		}
		c.out.Gaps = append(c.out.Gaps, gap{smx.ClientID(client), o.first, o.last, time.UnixMicro(o.detected).UTC()})
	}
}

// clientRanges is a row of the query.
type clientRanges struct {
	client                    uuid.UUID
	missingFirst, missingLast []uint64
	openFirst, openLast       []uint64
	openDetected              []int64
	checked                   int64 // the newest version of the client's rows, in microseconds
	broken                    uint8 // the rest says nothing: the client has to be looked at closely
}

// fields are where a row goes.
func (r *clientRanges) fields() []any {
	return []any{&r.client, &r.missingFirst, &r.missingLast, &r.openFirst, &r.openLast, &r.openDetected, &r.checked}
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
