package gaps

import (
	"context"
	_ "embed"
	"fmt"
	"math/big"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"statewire/internal/serials"
	"statewire/smx"
	"statewire/store"
)

//go:embed sql/suspects.sql
var suspectsSQL string

//go:embed sql/arrived.sql
var arrivedSQL string

//go:embed sql/known.sql
var knownSQL string

//go:embed sql/open.sql
var openSQL string

const (
	// clientsPerLook bounds the clients that are named in one query, and lookBytes its text.
	clientsPerLook = 20_000
	lookBytes      = 4 << 20
	// namedPerQuery bounds the clients that are named in a parameter of a query.
	namedPerQuery = 10_000
)

// search is what one search has found so far.
type search struct {
	*Finder
	opt       Options
	out       *Outcome
	messages  *big.Int // in open ranges
	apart     *big.Int // in those below serials that jumped
	rows      rangeRows
	looks     lookRows
	conflicts conflictSearch
	listed    map[uuid.UUID]struct{} // clients whose gaps are in the list
}

// findGaps compares every client's fingerprint with that of the last look at its serials, looks again at those where it
// tells of more than the next serials, and stores the differences: the cost goes with what changed, not with what ever
// arrived.
func (f *Finder) findGaps(ctx context.Context, opt Options, out *Outcome) error {
	c := search{Finder: f, opt: opt, out: out, messages: new(big.Int), apart: new(big.Int),
		listed: map[uuid.UUID]struct{}{}, rows: rangeRows{store: f.store, dry: opt.DryRun},
		looks: lookRows{store: f.store, dry: opt.DryRun}}
	if err := f.store.Conn().QueryRow(ctx, openSQL).Scan(&out.Ranges, c.messages, &out.Jumps, c.apart); err != nil {
		return err
	}
	slices, err := f.slices(ctx)
	if err != nil {
		return err
	}
	if c.conflicts, err = f.newConflictSearch(ctx, opt, out.Watermark); err != nil {
		return err
	}
	if err := c.compare(ctx, slices); err != nil {
		return err
	}
	out.Messages, out.JumpMessages = float(c.messages), float(c.apart)
	out.NewConflicts = c.conflicts.rows.found
	if opt.DryRun {
		out.Foreseen.rows = c.conflicts.rows
	}
	return c.list(ctx)
}

// float is a count that may be beyond every integer type.
func float(n *big.Int) float64 {
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}

// compare looks at the suspects among all clients, in the order of the store: so a look reads one stretch of every
// table.
func (c *search) compare(ctx context.Context, all []slice) error {
	var next standings // those of the next look
	for _, s := range all {
		suspects, err := c.suspects(ctx, s)
		if err != nil {
			return err
		}
		for suspects.len() > 0 {
			suspects.take(min(suspects.len(), clientsPerLook-next.len()), &next)
			if next.len() < clientsPerLook {
				break
			}
			if err := c.look(ctx, next); err != nil {
				return err
			}
			next = standings{}
		}
	}
	return c.look(ctx, next)
}

// suspects are the clients of a slice of whom something else may be missing than is recorded, in the order of the
// store.
func (c *search) suspects(ctx context.Context, s slice) (some standings, err error) {
	var compared uint64
	everybody := store.FlagArg("everybody", c.opt.Since.IsZero())
	row := c.store.Conn().QueryRow(ctx, suspectsSQL, store.UUIDArg("from", s.from), store.UUIDArg("to", s.to),
		everybody)
	err = row.Scan(&compared, &some.clients, &some.fingerprints, &some.lasts, &some.claims, &some.floors, &some.checked)
	if err != nil {
		return standings{}, fmt.Errorf("compare fingerprints: %w", err)
	}
	c.out.Compared += compared
	c.out.Looked += uint64(len(some.clients))
	return some, nil
}

// look reads the serials of some clients and what else is known of them, and compares. Their standing is stored last: a
// check that is cut short before looks at them again.
func (c *search) look(ctx context.Context, some standings) error {
	if some.len() == 0 {
		return nil
	}
	wanted := c.named(some.clients)
	var arrived map[uuid.UUID]arrived
	var known map[uuid.UUID]known
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { arrived, err = c.arrived(gctx, wanted); return err })
	g.Go(func() (err error) { known, err = c.known(gctx, wanted); return err })
	if err := g.Wait(); err != nil {
		return err
	}
	for i, client := range some.clients {
		r := clientRanges{arrived[client], known[client]}
		if err := c.client(ctx, some.at(i), &r); err != nil {
			return err
		}
	}
	if err := c.rows.flush(ctx); err != nil {
		return err
	}
	if err := c.conflicts.search(ctx, wanted); err != nil {
		return fmt.Errorf("look for conflicting serials: %w", err)
	}
	return c.looks.flush(ctx)
}

// arrived reads what arrived of some clients. Those of whom nothing did are left out.
func (c *search) arrived(ctx context.Context, clients []any) (map[uuid.UUID]arrived, error) {
	rows, err := c.store.Conn().Query(listed(ctx), arrivedSQL, clients...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[uuid.UUID]arrived{}
	for rows.Next() {
		var client uuid.UUID
		var a arrived
		if err := rows.Scan(&client, &a.first, &a.last, &a.breakEnds, &a.breakStarts); err != nil {
			return nil, err
		}
		all[client] = a
	}
	return all, rows.Err()
}

// known reads what is known of some clients beside what arrived.
func (c *search) known(ctx context.Context, clients []any) (map[uuid.UUID]known, error) {
	rows, err := c.store.Conn().Query(listed(ctx), knownSQL, clients...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[uuid.UUID]known{}
	for rows.Next() {
		var client uuid.UUID
		var k known
		if err := rows.Scan(&client, &k.claimed, &k.floor, &k.openFirst, &k.openLast, &k.openDetected, &k.openJump,
			&k.checked); err != nil {
			return nil, err
		}
		all[client] = k
	}
	return all, rows.Err()
}

// listed lets a query carry a list of clients.
func listed(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_query_size": lookBytes}))
}

// named are some clients, in the order of the store, as the parameters of queries: the ids between which they lie, and
// a list of them unless they are most of those that lie there.
func (c *search) named(some []uuid.UUID) []any {
	var list strings.Builder
	most := 2*c.out.Looked >= c.out.Compared
	for i := 0; i < len(some) && !most; i++ {
		list.WriteString(some[i].String())
		list.WriteByte('\n')
	}
	return []any{store.UUIDArg("from", some[0]), store.UUIDArg("to", some[len(some)-1]), store.FlagArg("all", most),
		store.TextArg("clients", list.String())}
}

// client takes one client's row. All that is written about it is written at once, open ranges first: a check that is
// cut short in between leaves ranges that overlap, never less than what is missing.
func (c *search) client(ctx context.Context, s standing, r *clientRanges) error {
	at := c.opt.At.UnixMicro()
	open, missing := r.open(), r.missing()
	unopened := c.opt.Unread.unopened(smx.ClientID(s.client), missing, open)
	if len(unopened) > 0 {
		missing = serials.Subtract(missing, unopened)
		c.out.Postponed++
	}
	c.out.Late += r.late(missing).Uint64()
	want := reconcile(missing, open, at)
	for i := range want {
		want[i].jump = want[i].Below(c.jump, r.last)
	}
	opened, closed := differences(open, want)
	c.out.Opened += uint64(len(opened))
	c.out.Closed += uint64(len(closed))
	c.count(open, want)
	if c.opt.DryRun {
		c.show(s.client, want)
	}
	version := max(at, r.checked+1)
	// A look that left something out, or saw what the comparison did not, is not one to continue from.
	if len(unopened) == 0 && s.same(r) {
		if len(opened)+len(closed) > 0 {
			s.checked = version
		}
		c.looks.add(s)
	}
	c.rows.add(s.client, version, opened, 0)
	c.rows.add(s.client, version, closed, 1)
	if c.rows.len() < rowsPerInsert {
		return nil
	}
	return c.rows.flush(ctx)
}

// count replaces what was open of a client by what is. Ranges below serials that jumped are counted apart.
func (c *search) count(open, want []openRange) {
	lost, apart := parted(want)
	before, beforeApart := parted(open)
	c.out.Ranges += uint64(len(lost) - len(before))
	c.out.Jumps += uint64(len(apart) - len(beforeApart))
	c.messages.Add(c.messages, serials.Count(lost))
	c.messages.Sub(c.messages, serials.Count(before))
	c.apart.Add(c.apart, serials.Count(apart))
	c.apart.Sub(c.apart, serials.Count(beforeApart))
}
