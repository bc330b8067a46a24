package gaps

import (
	"context"
	_ "embed"
	"encoding/binary"
	"fmt"
	"time"

	"statewire/store"

	"github.com/google/uuid"
)

const (
	// clientsPerSlice bounds the rows of clients that one query compares, and with them the engine's memory.
	clientsPerSlice = 750_000
	// watermarkMargin is how far a check looks back behind the watermark of the one before: an insert that was on its
	// way then carries a time from before it.
	watermarkMargin = 15 * time.Minute
)

//go:embed sql/marks.sql
var marksSQL string

// slice is a range of client ids in the order of the store, both ends included.
type slice struct{ from, to uuid.UUID }

// slices cuts the clients into ranges that hold about clientsPerSlice each. Wherever the cuts are, every client is in
// one slice.
func (f *Finder) slices(ctx context.Context) ([]slice, error) {
	out, err := f.cut(ctx, slice{uuid.Nil, uuid.Max})
	if err != nil {
		return nil, fmt.Errorf("cut the clients into slices: %w", err)
	}
	return out, nil
}

func (f *Finder) cut(ctx context.Context, rest slice) (out []slice, err error) {
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

// before is the client id just below id, which is not the least one. The store orders ids by their second half, then by
// the first.
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
func (f *Finder) since(opt Options) any {
	if opt.Since.IsZero() {
		return store.TimeArg("since", time.Unix(0, 0))
	}
	return store.TimeArg("since", opt.Since.Add(-f.margin))
}
