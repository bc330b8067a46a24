package resync

import (
	"context"
	_ "embed"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
)

const (
	// marksPerSlice are the index marks, of 8,192 runs each, whose clients one query looks at: it bounds the memory of the
	// engine.
	marksPerSlice = 1000
	// slicesAtOnce is how many of the engine's threads a check takes.
	slicesAtOnce = 2
	// clientsPerSlice is how many changed clients are looked at in one query.
	clientsPerSlice = 50_000
	// watermarkMargin is how far a check looks back behind the watermark of the one before: an insert that was on its way
	// then carries a time from before it.
	watermarkMargin = 15 * time.Minute
)

// never is later than anything that was loaded.
var never = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

//go:embed sql/gaps_changed.sql
var changedSQL string

//go:embed sql/gaps_marks.sql
var marksSQL string

// slice is a range of client ids in the order of the store, both ends included.
type slice struct{ from, to uuid.UUID }

// slices counts the clients to look at and cuts them into ranges with about as many runs of serials each. Wherever the cuts
// are, every client is in one slice.
func (f *finder) slices(ctx context.Context, opt findOptions, out *found) ([]slice, error) {
	since := f.since(opt)
	if opt.Full {
		since = timeArg("since", time.Unix(0, 0))
	}
	if err := f.store.Conn().QueryRow(ctx, changedSQL, since).Scan(&out.Clients); err != nil {
		return nil, fmt.Errorf("count the clients to look at: %w", err)
	}
	all := slice{uuid.Nil, uuid.Max}
	if out.Clients <= clientsPerSlice {
		return []slice{all}, nil
	}
	return f.cut(ctx, all)
}

func (f *finder) cut(ctx context.Context, all slice) (out []slice, err error) {
	rows, err := f.store.Conn().Query(ctx, marksSQL)
	if err != nil {
		return nil, fmt.Errorf("cut the clients into slices: %w", err)
	}
	defer rows.Close()
	for n := 1; rows.Next(); n++ {
		var mark uuid.UUID
		if err := rows.Scan(&mark); err != nil {
			return nil, fmt.Errorf("cut the clients into slices: %w", err)
		}
		if n%marksPerSlice == 0 && mark != all.from {
			out = append(out, slice{all.from, before(mark)})
			all.from = mark
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("cut the clients into slices: %w", err)
	}
	return append(out, all), nil
}

// before is the client id just below id, which is not the least one. The store orders ids by their second half, then by the
// first.
func before(id uuid.UUID) uuid.UUID {
	high, low := binary.BigEndian.Uint64(id[8:]), binary.BigEndian.Uint64(id[:8])
	if low == 0 {
		high--
	}
	low--
	var out uuid.UUID
	binary.BigEndian.PutUint64(out[8:], high)
	binary.BigEndian.PutUint64(out[:8], low)
	return out
}

// since is the parameter of the queries that look at what changed.
func (f *finder) since(opt findOptions) any {
	if opt.Since.IsZero() {
		return timeArg("since", time.Unix(0, 0))
	}
	return timeArg("since", opt.Since.Add(-f.margin))
}

// timeArg is a time as the engine reads it, which knows no years before 1970 and few after 2299.
func timeArg(name string, t time.Time) any {
	if t.Before(time.Unix(0, 0)) {
		t = time.Unix(0, 0)
	} else if t.After(never) {
		t = never
	}
	return clickhouse.Named(name, t.UTC().Format("2006-01-02 15:04:05.000000"))
}

func uuidArg(name string, id uuid.UUID) any { return clickhouse.Named(name, id.String()) }

func uintArg(name string, n uint64) any { return clickhouse.Named(name, strconv.FormatUint(n, 10)) }

func flagArg(name string, on bool) any {
	if on {
		return uintArg(name, 1)
	}
	return uintArg(name, 0)
}
