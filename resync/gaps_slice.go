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
	// clientsPerSlice bounds the rows of clients that one query compares, and with them the engine's memory.
	clientsPerSlice = 750_000
	// watermarkMargin is how far a check looks back behind the watermark of the one before: an insert that was on its way
	// then carries a time from before it.
	watermarkMargin = 15 * time.Minute
)

// never is later than anything that was loaded.
var never = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

//go:embed sql/gaps_marks.sql
var marksSQL string

// slice is a range of client ids in the order of the store, both ends included.
type slice struct{ from, to uuid.UUID }

// slices cuts the clients into ranges that hold about clientsPerSlice each. Wherever the cuts are, every client is in one slice.
func (f *finder) slices(ctx context.Context) ([]slice, error) {
	out, err := f.cut(ctx, slice{uuid.Nil, uuid.Max})
	if err != nil {
		return nil, fmt.Errorf("cut the clients into slices: %w", err)
	}
	return out, nil
}

func (f *finder) cut(ctx context.Context, rest slice) (out []slice, err error) {
	rows, err := f.store.Conn().Query(ctx, marksSQL)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for clients := uint64(0); rows.Next(); {
		var mark uuid.UUID
		var between uint64
		if err := rows.Scan(&mark, &between); err != nil {
			return nil, err
		}
		if clients >= clientsPerSlice && mark != rest.from {
			out = append(out, slice{rest.from, before(mark)})
			rest.from, clients = mark, 0
		}
		clients += between
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return append(out, rest), nil
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
