package resync

import (
	"context"
	_ "embed"
	"math/big"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"statewire/smx"
)

//go:embed sql/gaps_arrived.sql
var arrivedSQL string

//go:embed sql/gaps_arrived_of.sql
var arrivedOfSQL string

//go:embed sql/gaps_others.sql
var othersSQL string

//go:embed sql/gaps_known.sql
var knownSQL string

//go:embed sql/gaps_open.sql
var openSQL string

const (
	// clientsPerLook bounds the clients that are named in one query, and lookBytes its text.
	clientsPerLook = 20_000
	lookBytes      = 4 << 20
)

// findGaps compares what is missing with the open ranges and stores the differences. All that arrived is read once, for the
// clients with a break in their serials; only of those, and of the clients with open ranges or a claim beyond what arrived, is
// anything else read.
func (f *finder) findGaps(ctx context.Context, opt findOptions, out *found) (err error) {
	since := f.since(opt)
	if opt.Full {
		since = timeArg("since", time.Unix(0, 0))
	}
	if out.Clients, err = f.count(ctx, since); err != nil {
		return err
	}
	if opt.Full {
		since = timeArg("since", never) // spares the engine a list that is not asked for
	}
	check := gapCheck{finder: f, opt: opt, out: out, messages: new(big.Int), rows: rangeRows{store: f.store}, done: map[uuid.UUID]struct{}{}}
	if err := f.store.Conn().QueryRow(ctx, openSQL).Scan(&out.Ranges, check.messages); err != nil {
		return err
	}
	full := flagArg("full", opt.Full)
	if err := check.arrived(ctx, arrivedSQL, since, full); err != nil {
		return err
	}
	if err := check.others(ctx, since, full); err != nil {
		return err
	}
	out.Messages, _ = new(big.Float).SetInt(check.messages).Float64()
	return check.rows.flush(ctx)
}

// gapCheck is what one check has found so far.
type gapCheck struct {
	*finder
	opt      findOptions
	out      *found
	messages *big.Int
	rows     rangeRows
	done     map[uuid.UUID]struct{} // clients that were looked at
}

// arrived looks at the clients that the query yields.
func (c *gapCheck) arrived(ctx context.Context, sql string, args ...any) error {
	rows, err := c.store.Conn().Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var some []arrived
	for rows.Next() {
		var a arrived
		if err := rows.Scan(&a.client, &a.first, &a.last, &a.breakEnds, &a.breakStarts); err != nil {
			return err
		}
		if some = append(some, a); len(some) < clientsPerLook {
			continue
		}
		if err := c.look(ctx, some); err != nil {
			return err
		}
		some = some[:0]
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return c.look(ctx, some)
}

// others looks at the clients of whom something is open or claimed, and that were not looked at for a break.
func (c *gapCheck) others(ctx context.Context, args ...any) error {
	rows, err := c.store.Conn().Query(ctx, othersSQL, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var some []uuid.UUID
	for rows.Next() {
		var client uuid.UUID
		if err := rows.Scan(&client); err != nil {
			return err
		}
		if _, done := c.done[client]; done {
			continue
		}
		if some = append(some, client); len(some) < clientsPerLook {
			continue
		}
		if err := c.closely(ctx, some); err != nil {
			return err
		}
		some = some[:0]
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return c.closely(ctx, some)
}

// closely looks at some clients whatever arrived of them, and if nothing did.
func (c *gapCheck) closely(ctx context.Context, clients []uuid.UUID) error {
	if len(clients) == 0 {
		return nil
	}
	if err := c.arrived(listed(ctx), arrivedOfSQL, list(clients)); err != nil {
		return err
	}
	var silent []arrived
	for _, client := range clients {
		if _, done := c.done[client]; !done {
			silent = append(silent, arrived{client: client})
		}
	}
	return c.look(ctx, silent)
}

// look reads what else is known of some clients and compares.
func (c *gapCheck) look(ctx context.Context, some []arrived) error {
	if len(some) == 0 {
		return nil
	}
	clients := make([]uuid.UUID, len(some))
	for i := range some {
		clients[i] = some[i].client
		c.done[some[i].client] = struct{}{}
	}
	known, err := c.known(ctx, clients)
	if err != nil {
		return err
	}
	for i := range some {
		if err := c.client(ctx, &clientRanges{some[i], known[some[i].client]}); err != nil {
			return err
		}
	}
	return nil
}

// known reads what is known of some clients beside what arrived.
func (c *gapCheck) known(ctx context.Context, clients []uuid.UUID) (map[uuid.UUID]known, error) {
	rows, err := c.store.Conn().Query(listed(ctx), knownSQL, list(clients))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make(map[uuid.UUID]known, len(clients))
	for rows.Next() {
		var client uuid.UUID
		var k known
		if err := rows.Scan(&client, &k.claimed, &k.floor, &k.openFirst, &k.openLast, &k.openDetected, &k.checked); err != nil {
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

func list(clients []uuid.UUID) string {
	var text strings.Builder
	for _, id := range clients {
		text.WriteString(id.String())
		text.WriteByte('\n')
	}
	return text.String()
}

// client takes one client's row. All that is written about it is written at once, open ranges first: a check that is cut
// short in between leaves ranges that overlap, never less than what is missing.
func (c *gapCheck) client(ctx context.Context, r *clientRanges) error {
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
	c.show(r.client, want)
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

// show keeps what find returns.
func (c *gapCheck) show(client uuid.UUID, open []openSpan) {
	for _, o := range open {
		if c.opt.Rows >= 0 && len(c.out.Gaps) >= c.opt.Rows {
			return
		}
		c.out.Gaps = append(c.out.Gaps, gap{smx.ClientID(client), o.first, o.last, time.UnixMicro(o.detected).UTC()})
	}
}

// arrived is what arrived of a client: its first and last serial, and what stands on both sides of each break. The zero value is
// a client of whom nothing did.
type arrived struct {
	client                 uuid.UUID
	first, last            uint64
	breakEnds, breakStarts []uint64
}

// known is what else is known of a client.
type known struct {
	claimed, floor      uint64
	openFirst, openLast []uint64
	openDetected        []int64
	checked             int64 // the newest version of the client's rows, in microseconds
}

// clientRanges is what one client's ranges follow from.
type clientRanges struct {
	arrived
	known
}

// missing are the serials from the floor to the greatest seen or claimed that did not arrive.
func (r *clientRanges) missing() (missing []span) {
	add := func(first, last uint64) {
		if first = max(first, r.floor, 1); first <= last {
			missing = append(missing, span{first, last})
		}
	}
	if r.first > 1 {
		add(1, r.first-1)
	}
	for i := range r.breakEnds {
		add(r.breakEnds[i]+1, r.breakStarts[i]-1)
	}
	if r.claimed > r.last {
		add(r.last+1, r.claimed)
	}
	return missing
}

func (r *clientRanges) open() []openSpan {
	out := make([]openSpan, len(r.openFirst))
	for i := range out {
		out[i] = openSpan{span{r.openFirst[i], r.openLast[i]}, r.openDetected[i]}
	}
	return out
}
