package resync

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/resync/gaps"
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
)

// storeLedger is the ledger in the store.
type storeLedger struct {
	// Constant after newStoreLedger.
	store  *store.Store
	finder *gaps.Finder
	log    *slog.Logger

	// Guarded by the service's busy.
	watermark time.Time    // where the last scan began to read
	unwritten gaps.Outcome // what a dry scan found and did not write

	// Guarded by the service's flushing.
	aside map[uuid.UUID]struct{} // clients whose jumping claims were logged
}

func newStoreLedger(s *store.Store, log *slog.Logger) *storeLedger {
	return &storeLedger{store: s, finder: gaps.New(s, log), log: log, aside: map[uuid.UUID]struct{}{}}
}

func (l *storeLedger) clock(ctx context.Context) (row clockRow, err error) {
	if err := l.store.Conn().QueryRow(ctx, watermarkSQL).Scan(&l.watermark); err != nil {
		return row, wrap(err, "read where the last gap check began")
	}
	if l.watermark.Unix() <= 0 {
		l.watermark = time.Time{}
	}
	err = l.store.EachRow(ctx, clockSQL, nil, func(scan func(...any) error) error {
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
		[]uint8{1}, []uint64{row.number}, []time.Time{row.checked}, []*time.Time{orNil(row.epoch)},
		[]*time.Time{orNil(row.before)})
	return errors.Join(wrap(err, "store when the gap check ran"), l.forgetClaims(ctx, row.checked))
}

func (l *storeLedger) find(ctx context.Context, q scan) (gaps.Found, error) {
	opt := gaps.Options{At: q.at, DryRun: q.dry, Full: q.full, Since: l.watermark, Rows: q.rows, Unread: q.unread}
	if q.anew {
		opt.Since = time.Time{}
	}
	out, err := l.finder.Find(ctx, opt)
	if err == nil && out.Watermark.Before(opt.Since) {
		// The store's clock was set back: what was loaded since may carry any time.
		opt.Since = time.Time{}
		out, err = l.finder.Find(ctx, opt)
	}
	if err != nil {
		return gaps.Found{}, err
	}
	if q.dry {
		l.unwritten = out
	} else {
		l.unwritten, l.watermark = gaps.Outcome{}, out.Watermark
	}
	found := out.Found
	found.Rows = atMost(found.Rows, q.rows)
	return found, l.countAside(ctx, &found)
}

// atMost are the first n rows; below 0 all.
func atMost(rows []gaps.Gap, n int) []gaps.Gap {
	switch {
	case n < 0:
		return rows
	case n == 0:
		return nil
	}
	return rows[:min(n, len(rows))]
}

func (l *storeLedger) recorded(ctx context.Context) (gaps.Found, error) {
	found, err := l.finder.Recorded(ctx)
	if err != nil {
		return gaps.Found{}, err
	}
	return found, l.countAside(ctx, &found)
}

// countAside adds how many clients have a claim that is kept aside.
func (l *storeLedger) countAside(ctx context.Context, g *gaps.Found) error {
	return l.eachAside(ctx, nil, func(asideClaim) { g.Aside++ })
}

// wants yields those who did not answer the last time after all others, the one asked longest ago first: else machines
// that died with old gaps would keep every place.
func (l *storeLedger) wants(ctx context.Context, q wantQuery, take func(gaps.Candidate) bool) error {
	silent, _, err := l.owing(ctx, time.Unix(0, 0), q.now)
	if err != nil {
		return err
	}
	source := l.storedWants
	if q.dry {
		source = l.dryWants
	}
	var last []gaps.Candidate
	more := true
	err = source(ctx, q, func(w gaps.Candidate) bool {
		if _, ok := silent[w.Client]; ok {
			last = append(last, w)
			return true
		}
		more = take(w)
		return more
	})
	slices.SortStableFunc(last, func(a, b gaps.Candidate) int { return askedBy(a, q.now).Compare(askedBy(b, q.now)) })
	for i := 0; err == nil && more && i < len(last); i++ {
		more = take(last[i])
	}
	return err
}

// storedWants yields who is to be asked by what the last check wrote.
func (l *storeLedger) storedWants(ctx context.Context, q wantQuery, take func(gaps.Candidate) bool) error {
	opt := gaps.CandidateOptions{At: q.now}
	if !q.all {
		opt.MissingBefore, opt.AskedBefore = q.now.Add(-q.cfg.MinMissingMessageAge), q.now.Add(-q.cfg.MergeInterval)
	}
	return l.finder.Candidates(ctx, opt, take)
}

// askedBy is when the client was asked; long ago when a clock that was wrong since says later than now.
func askedBy(w gaps.Candidate, now time.Time) time.Time {
	if w.Asked.After(now) {
		return time.Time{}
	}
	return w.Asked
}

func (l *storeLedger) requests(ctx context.Context, q wantQuery, take func(gaps.Candidate) bool) error {
	retry := store.TimeArg("retry", q.line.issuedSince(q.now, q.cfg.MergeInterval))
	err := l.store.EachRow(ctx, requestsSQL, []any{retry, latestArg(q.now)}, func(scan func(...any) error) error {
		var client uuid.UUID
		w := gaps.Candidate{Reason: reasonRequested}
		if err := scan(&client, &w.Since, &w.By, &w.Number, &w.Asked, &w.NextSerial); err != nil {
			return err
		}
		w.Client = smx.ClientID(client)
		if w.Number == 0 {
			w.Asked = time.Time{}
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
func latestArg(now time.Time) any { return store.TimeArg("latest", now.Add(stampTolerance)) }

// stampTolerance is how far the relay's stamps may be ahead of the service's clock, which stands still while a machine
// sleeps.
const stampTolerance = 24 * time.Hour

// errEnough ends a query early.
var errEnough = errors.New("enough")

func (l *storeLedger) owing(ctx context.Context, since, now time.Time) (owing, map[smx.ClientID]uint32, error) {
	owed, picked := owing{}, map[smx.ClientID]uint32{}
	err := l.store.EachRow(ctx, outstandingSQL, []any{store.TimeArg("since", since), latestArg(now)},
		func(scan func(...any) error) error {
			var client uuid.UUID
			var accepted, told, expired uint8
			var r resync
			if err := scan(&client, &r.number, &r.issued, &r.reason, &r.by, &r.next, &accepted, &told,
				&expired); err != nil {
				return err
			}
			r.client, r.accepted, r.expired = smx.ClientID(client), accepted == 1, expired == 1
			owed[r.client] = r
			if told == 1 {
				picked[r.client] = r.number
			}
			return nil
		})
	return owed, picked, wrap(err, "list the outstanding resyncs")
}

func (l *storeLedger) issue(ctx context.Context, list []resync) error {
	if err := l.markAccepted(ctx, list); err != nil {
		return err
	}
	n := len(list)
	clients, numbers, issued := make([]uuid.UUID, n), make([]uint32, n), make([]time.Time, n)
	reasons, by, next := make([]string, n), make([]string, n), make([]uint64, n)
	accepted := make([]uint8, n)
	for i, r := range list {
		clients[i], numbers[i], issued[i] = uuid.UUID(r.client), r.number, r.issued
		reasons[i], by[i], next[i], accepted[i] = r.reason, r.by, r.next, store.Flag(r.accepted)
	}
	err := l.store.Insert(ctx, `INSERT INTO resyncs (client_id, number, issued_time, reason, issued_by, next_serial,
		accepted)`, clients, numbers, issued, reasons, by, next, accepted)
	return wrap(err, "store the resyncs issued")
}

func (l *storeLedger) keepCheck(ctx context.Context, r Result) error {
	err := l.store.Insert(ctx, `INSERT INTO resync_checks (time, kind, watermark, clients, ranges, messages, conflicts,
		differing, issued, held, took_ms, text)`,
		[]time.Time{r.At}, []string{r.Kind}, []time.Time{l.watermark}, []uint64{r.Gaps.Clients},
		[]uint64{r.Gaps.Ranges}, []float64{r.Gaps.Messages}, []uint64{r.Gaps.Conflicts}, []uint64{r.Gaps.Differs},
		[]uint64{uint64(r.IssuedTotal)}, []uint64{uint64(r.Waiting)}, []uint64{uint64(r.Took.Milliseconds())},
		[]string{r.UnreadReason})
	return wrap(err, "store the outcome of the gap check")
}

// wrap says what was being done; nil stays nil.
func wrap(err error, doing string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
