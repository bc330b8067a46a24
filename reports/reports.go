// Package reports answers questions about stored state as rows: named queries, their parameters, and pages that go on
// where the last one ended.
//
// It only reads: every query runs through the store's read-only connection, values reach it as typed
// parameters and never as text, and what a client wrote into its report is escaped in every output.
// A client that never reported on a topic is counted as Unknown, never left out.
package reports

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
)

// querier is the part of a ClickHouse connection that reports use; a driver.Conn is one.
// It has to be read-only (readonly=1): reports trust it to refuse writes and the reading of files.
type querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
	QueryFormat(ctx context.Context, format, query string, args ...any) (io.ReadCloser, error)
}

// Runner runs named reports and ad-hoc read-only statements.
type Runner struct {
	// Constant after NewRunner.
	cfg     Config
	catalog *Catalog
	conn    querier
	backlog func(context.Context) ([]Box, error)
	now     func() time.Time
	log     *slog.Logger
	metrics *metrics
	slots   chan struct{} // one element per running query
	columns columnLists
}

// Box is one inbox folder as the status page shows it: a lane, `process` or `corrupt`.
type Box struct {
	Name   string // "high", "normal", "low", "process", "corrupt"
	Files  int
	Bytes  int64
	Oldest time.Duration // age of the oldest file; 0 when the box is empty
}

// Waiting says that the box's files are still to be loaded.
func (b Box) Waiting() bool { return b.Name != "corrupt" && b.Name != "outgoing" }

// Backlog is the inbox as it is now; nil when this process sees none.
func (r *Runner) Backlog(ctx context.Context) ([]Box, error) {
	if r.backlog == nil {
		return nil, nil
	}
	return r.backlog(ctx)
}

// Deps is what reports need from others.
type Deps struct {
	Conn       querier                              // the store's read-only connection
	Backlog    func(context.Context) ([]Box, error) // inbox statistics; nil when this process sees no inbox
	Now        func() time.Time                     // nil means time.Now
	Log        *slog.Logger                         // nil discards
	Registerer prometheus.Registerer                // nil keeps the package's metrics private
}
