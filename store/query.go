package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"statewire/store/embedded"
)

// EachRow runs a query and hands every row to take, which scans it. An error of take ends the query.
func (s *Store) EachRow(ctx context.Context, sql string, args []any, take func(scan func(...any) error) error) error {
	rows, err := s.conn.Query(Scanned(ctx), sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := take(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Scanned marks the statements of a caller that scans rows and never asks an answer without rows for its columns: to
// find them costs the embedded engine as much as the answer.
func Scanned(ctx context.Context) context.Context { return embedded.Scanned(ctx) }

// never is later than anything that was loaded.
var never = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// TimeArg is a query's parameter of type DateTime64(6, 'UTC'). The engine knows no years before 1970 and few after
// 2299: an earlier time counts as 1970, one after 2200 as 2200.
func TimeArg(name string, t time.Time) any {
	if t.Before(time.Unix(0, 0)) {
		t = time.Unix(0, 0)
	} else if t.After(never) {
		t = never
	}
	return clickhouse.Named(name, t.UTC().Format("2006-01-02 15:04:05.000000"))
}

// TextArg is a query's parameter of type String.
func TextArg(name, text string) any { return clickhouse.Named(name, text) }

// UintArg is a query's parameter of an unsigned type.
func UintArg(name string, n uint64) any { return clickhouse.Named(name, strconv.FormatUint(n, 10)) }

// FlagArg is a query's parameter of type UInt8: 1 when on.
func FlagArg(name string, on bool) any { return UintArg(name, uint64(Flag(on))) }

// UUIDArg is a query's parameter of type UUID.
func UUIDArg(name string, id uuid.UUID) any { return clickhouse.Named(name, id.String()) }

// UUIDsArg is a query's parameter of type Array(UUID).
func UUIDsArg[T ~[16]byte](name string, ids []T) any {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = fmt.Sprintf("'%s'", uuid.UUID(id))
	}
	return clickhouse.Named(name, "["+strings.Join(texts, ",")+"]")
}

// Flag is a value of a column of type UInt8: 1 when on.
func Flag(on bool) uint8 {
	if on {
		return 1
	}
	return 0
}

// CompareUUIDs is the order of the engine: by the second half of an id, then by the first.
func CompareUUIDs[T ~[16]byte](a, b T) int {
	x, y := [16]byte(a), [16]byte(b)
	return cmp.Or(bytes.Compare(x[8:], y[8:]), bytes.Compare(x[:8], y[:8]))
}
