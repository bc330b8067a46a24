package reportstest

import (
	"context"
	"sync/atomic"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Counting is a connection that counts its queries and holds them while held.
type Counting struct {
	driver.Conn
	Queries atomic.Int64
	Hold    chan struct{} // when not nil, a query waits until it is closed
	Entered chan struct{} // told of each query that waits
}

func (c *Counting) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	c.Queries.Add(1)
	if c.Hold != nil {
		select {
		case c.Entered <- struct{}{}:
		default:
		}
		select {
		case <-c.Hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return c.Conn.Query(ctx, query, args...)
}
