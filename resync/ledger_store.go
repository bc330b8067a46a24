package resync

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"statewire/smx"
	"statewire/store"
)

var (
	//go:embed sql/clock.sql
	clockSQL string
	//go:embed sql/outstanding.sql
	outstandingSQL string
	//go:embed sql/requests.sql
	requestsSQL string
	//go:embed sql/watermark.sql
	watermarkSQL string
	//go:embed sql/open.sql
	openRangesSQL string
)

// storeLedger is the ledger in the store.
type storeLedger struct {
	// Constant after newStoreLedger.
	store  *store.Store
	finder *finder
	log    *slog.Logger

	// Guarded by the service's busy.
	watermark time.Time // where the last scan began to read
	unwritten found     // what a dry scan found and did not write

	// Guarded by the service's flushing.
	aside map[uuid.UUID]struct{} // clients whose jumping claims were logged
}

func newStoreLedger(s *store.Store, log *slog.Logger) *storeLedger {
	return &storeLedger{store: s, finder: newFinder(s, log), log: log, aside: map[uuid.UUID]struct{}{}}
}

func (l *storeLedger) clock(ctx context.Context) (row clockRow, err error) {
	if err := l.store.Conn().QueryRow(ctx, watermarkSQL).Scan(&l.watermark); err != nil {
		return row, wrap(err, "read where the last gap check began")
	}
	if l.watermark.Unix() <= 0 {
		l.watermark = time.Time{}
	}
	err = l.each(ctx, clockSQL, nil, func(scan func(...any) error) error {
		var epoch, before *time.Time
		if err := scan(&row.number, &row.checked, &epoch, &before); err != nil {
			return err
		}
		row.epoch, row.before = orZero(epoch), orZero(before)
		return nil
	})
	return row, wrap(err, "read when the last gap check ran")
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (l *storeLedger) keepClock(ctx context.Context, row clockRow) error {
	err := l.store.Insert(ctx, `INSERT INTO resync_clock (id, number, checked_time, epoch_time, before_time)`,
		[]uint8{1}, []uint64{row.number}, []time.Time{row.checked}, []*time.Time{orNil(row.epoch)}, []*time.Time{orNil(row.before)})
	return errors.Join(wrap(err, "store when the gap check ran"), l.forgetClaims(ctx, row.checked))
}

func (l *storeLedger) find(ctx context.Context, q scan) (Gaps, error) {
	rows := q.rows
	if rows < 0 {
		rows = mostRows
	}
	opt := findOptions{At: q.at, DryRun: q.dry, Full: q.full, Since: l.watermark, Rows: rows, Unread: q.unread}
	if q.anew {
		opt.Since = time.Time{}
	}
	f, err := l.finder.find(ctx, opt)
	if err == nil && f.Watermark.Before(opt.Since) { // the store's clock was set back: what was loaded since may carry any time
		opt.Since = time.Time{}
		f, err = l.finder.find(ctx, opt)
	}
	if err != nil {
		return Gaps{}, err
	}
	slices.SortFunc(f.Gaps, compareGaps)
	if l.unwritten = (found{}); q.dry {
		l.unwritten = f
	} else {
		l.watermark = f.Watermark
	}
	g := f.gaps()
	for i, one := range f.Gaps {
		if q.rows >= 0 && i >= q.rows {
			break
		}
		g.Rows = append(g.Rows, Gap{Client: one.Client.UUID(), First: one.First, Last: one.Last, Detected: one.Detected, Jump: one.Jump})
	}
	if q.dry {
		g.countRows(f.Gaps)
		err = l.countAside(ctx, &g)
	} else {
		err = errors.Join(l.openRanges(ctx, &g), l.countAside(ctx, &g))
	}
	return g, err
}

// gaps are the numbers of what was found.
func (f *found) gaps() Gaps {
	return Gaps{
		Compared: f.Clients, Looked: f.Looked, Ranges: f.Ranges, Messages: f.Messages, Jumps: f.Jumps, JumpMessages: f.JumpMessages,
		Opened: f.Opened, Closed: f.Closed, Late: f.Late, Conflicts: f.Conflicts, Differs: f.Differing, Postponed: f.Postponed,
	}
}

func (l *storeLedger) recorded(ctx context.Context) (Gaps, error) {
	f, err := l.finder.recorded(ctx)
	if err != nil {
		return Gaps{}, err
	}
	g := f.gaps()
	err = errors.Join(l.openRanges(ctx, &g), l.countAside(ctx, &g))
	return g, err
}

// countAside adds how many clients have a claim that is kept aside.
func (l *storeLedger) countAside(ctx context.Context, g *Gaps) error {
	return l.eachAside(ctx, nil, func(asideClaim) { g.Aside++ })
}

// countRows adds what openRanges adds, from the rows of a scan that wrote nothing.
func (g *Gaps) countRows(rows []gap) {
	clients := map[smx.ClientID]bool{}
	for _, one := range rows {
		if one.Jump {
			continue
		}
		clients[one.Client] = true
		if g.Oldest.IsZero() || one.Detected.Before(g.Oldest) {
			g.Oldest = one.Detected
		}
	}
	g.Clients = uint64(len(clients))
}

// mostRows is what "all gaps" means: a list of more is not a list any more.
const mostRows = 2_000_000

// openRanges adds whose ranges are open, and since when the oldest is.
func (l *storeLedger) openRanges(ctx context.Context, g *Gaps) error {
	err := l.store.Conn().QueryRow(ctx, openRangesSQL).Scan(&g.Clients, &g.Oldest)
	if g.Clients == 0 {
		g.Oldest = time.Time{}
	}
	return wrap(err, "count the clients with gaps")
}

// wants yields those who did not answer the last time after all others, the one asked longest ago first: else machines that died
// with old gaps would keep every place.
func (l *storeLedger) wants(ctx context.Context, q wantQuery, take func(want) bool) error {
	silent, _, err := l.owing(ctx, time.Unix(0, 0), q.now)
	if err != nil {
		return err
	}
	source := l.storedWants
	if q.dry {
		source = l.dryWants
	}
	var last []want
	more := true
	err = source(ctx, q, func(w want) bool {
		if _, ok := silent[w.client]; ok {
			last = append(last, w)
			return true
		}
		more = take(w)
		return more
	})
	slices.SortStableFunc(last, func(a, b want) int { return askedBy(a, q.now).Compare(askedBy(b, q.now)) })
	for i := 0; err == nil && more && i < len(last); i++ {
		more = take(last[i])
	}
	return err
}

// storedWants yields who is to be asked by what the last check wrote.
func (l *storeLedger) storedWants(ctx context.Context, q wantQuery, take func(want) bool) error {
	opt := candidateOptions{At: q.now}
	if !q.all {
		opt.MissingBefore, opt.AskedBefore = q.now.Add(-q.cfg.MinMissingMessageAge), q.now.Add(-q.cfg.MergeInterval)
	}
	return l.finder.candidates(ctx, opt, func(c candidate) bool { return take(c.want()) })
}

func (c candidate) want() want {
	return want{client: c.Client, reason: c.Reason, since: c.Since, next: c.NextSerial, number: c.Number, asked: c.Asked}
}

// askedBy is when the client was asked; long ago when a clock that was wrong since says later than now.
func askedBy(w want, now time.Time) time.Time {
	if w.asked.After(now) {
		return time.Time{}
	}
	return w.asked
}

func (l *storeLedger) requests(ctx context.Context, q wantQuery, take func(want) bool) error {
	retry := timeArg("retry", q.line.issuedSince(q.now, q.cfg.MergeInterval))
	err := l.each(ctx, requestsSQL, []any{retry, latestArg(q.now)}, func(scan func(...any) error) error {
		var client uuid.UUID
		w := want{reason: reasonRequested}
		if err := scan(&client, &w.since, &w.by, &w.number, &w.asked, &w.next); err != nil {
			return err
		}
		if w.client = smx.ClientID(client); w.number == 0 {
			w.asked = time.Time{}
		}
		if !take(w) {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return wrap(err, "list the resyncs that people asked for")
}

// latestArg is the parameter that leaves out arrivals of a clock that was years ahead.
func latestArg(now time.Time) any { return timeArg("latest", now.Add(stampTolerance)) }

// stampTolerance is how far the relay's stamps may be ahead of the service's clock, which stands still while a machine sleeps.
const stampTolerance = 24 * time.Hour

// errEnough ends a query early.
var errEnough = errors.New("enough")

func (l *storeLedger) owing(ctx context.Context, since, now time.Time) (owing, map[smx.ClientID]uint32, error) {
	owed, picked := owing{}, map[smx.ClientID]uint32{}
	err := l.each(ctx, outstandingSQL, []any{timeArg("since", since), latestArg(now)}, func(scan func(...any) error) error {
		var client uuid.UUID
		var told, expired uint8
		var r resync
		if err := scan(&client, &r.number, &r.issued, &r.reason, &r.by, &r.next, &told, &expired); err != nil {
			return err
		}
		r.client, r.expired = smx.ClientID(client), expired == 1
		owed[r.client] = r
		if told == 1 {
			picked[r.client] = r.number
		}
		return nil
	})
	return owed, picked, wrap(err, "list the outstanding resyncs")
}

func (l *storeLedger) issue(ctx context.Context, list []resync) error {
	n := len(list)
	clients, numbers, issued := make([]uuid.UUID, n), make([]uint32, n), make([]time.Time, n)
	reasons, by, next := make([]string, n), make([]string, n), make([]uint64, n)
	for i, r := range list {
		clients[i], numbers[i], issued[i] = uuid.UUID(r.client), r.number, r.issued
		reasons[i], by[i], next[i] = r.reason, r.by, r.next
	}
	err := l.store.Insert(ctx, `INSERT INTO resyncs (client_id, number, issued_time, reason, issued_by, next_serial)`,
		clients, numbers, issued, reasons, by, next)
	return wrap(err, "store the resyncs issued")
}

func (l *storeLedger) keepCheck(ctx context.Context, r Result) error {
	err := l.store.Insert(ctx, `INSERT INTO resync_checks (time, kind, watermark, clients, ranges, messages, conflicts, differing, issued, held, took_ms, text)`,
		[]time.Time{r.At}, []string{r.Kind}, []time.Time{l.watermark}, []uint64{r.Gaps.Clients}, []uint64{r.Gaps.Ranges}, []float64{r.Gaps.Messages},
		[]uint64{r.Gaps.Conflicts}, []uint64{r.Gaps.Differs}, []uint64{uint64(r.IssuedTotal)}, []uint64{uint64(r.Waiting)},
		[]uint64{uint64(r.Took.Milliseconds())}, []string{r.UnreadReason})
	return wrap(err, "store the outcome of the gap check")
}

// each runs a query and hands f the rows one by one.
func (l *storeLedger) each(ctx context.Context, sql string, args []any, f func(scan func(...any) error) error) error {
	return eachRow(ctx, l.store.Conn(), sql, args, f)
}

func eachRow(ctx context.Context, conn driver.Conn, sql string, args []any, f func(scan func(...any) error) error) error {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// wrap says what was being done; nil stays nil.
func wrap(err error, doing string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
