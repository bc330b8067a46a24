package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"statewire/smx"
)

const (
	retryMin = time.Second
	retryMax = time.Minute
)

// commit stores parts as one batch. On an error, which means that ctx ended or that a drain has tried often enough, their
// files are still claimed.
func (p *pipeline) commit(ctx, late context.Context, parts []*part) error {
	b := make(batch, 0, len(parts))
	for _, part := range parts {
		b = append(b, piece{part, 0, len(part.sources)})
	}
	return p.storeBatch(ctx, late, b)
}

// storeBatch stores a batch, or the parts of it that the store does not refuse. A file that is refused alone is noted as bad.
func (l *Loader) storeBatch(ctx, late context.Context, b batch) error {
	if n := b.size(); n.bad == n.files {
		return nil
	}
	began := time.Now()
	var out outcome
	err := l.insist(ctx, late, b.size(), func(ctx context.Context) (err error) {
		out, err = l.seen.account(ctx, l.store.Conn(), b)
		return err
	})
	if err != nil {
		return err
	}
	err = l.insist(ctx, late, b.size(), func(ctx context.Context) error { return l.insert(ctx, b) })
	if errors.Is(err, errRefused) {
		return l.bisect(ctx, late, b, err)
	}
	if err != nil {
		return err
	}
	l.countStored(b, out, time.Since(began))
	return nil
}

// bisect stores the halves of a batch that the store refuses.
func (l *Loader) bisect(ctx, late context.Context, b batch, cause error) error {
	l.metrics.insertFails.WithLabelValues("data").Inc()
	left, right := b.halve()
	if len(left) == 0 {
		right[0].files()[0].bad = &smx.Error{Code: "engine_refused", Detail: cause.Error()}
		return nil
	}
	l.log.Warn("store refuses a batch, looking for the file", "files", b.size().files, "rows", b.size().rows, "err", cause)
	if err := l.storeBatch(ctx, late, left); err != nil {
		return err
	}
	return l.storeBatch(ctx, late, right)
}

// insist does something with the store, again and again while the store is away. An error leaves the outcome of a try
// unknown; another is harmless, its rows are the same.
func (l *Loader) insist(ctx, late context.Context, n size, do func(context.Context) error) error {
	delay := l.retryMin
	for try := 1; ; try++ {
		err := do(late)
		if err == nil || errors.Is(err, errRefused) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: stopped before %d files were stored", ctx.Err(), n.files)
		}
		l.metrics.insertFails.WithLabelValues("away").Inc()
		if try == l.tries {
			return fmt.Errorf("%w; the files stay in the inbox", err)
		}
		wait := jitter(delay)
		l.log.Warn("store is away, files stay", "files", n.files, "rows", n.rows, "retry_in", wait, "err", err)
		if !pause(ctx, wait) {
			return fmt.Errorf("%w: stopped before %d files were stored", ctx.Err(), n.files)
		}
		delay = min(2*delay, retryMax)
	}
}

// errRefused says that the engine refuses the data itself and will at every try.
var errRefused = errors.New("the store refuses the data")

// refused makes an error that shows unreadable data an errRefused: exceptions 6, 27, 38, 41, 53 and 69 are text, dates and
// types that cannot be read. Everything else may pass.
func refused(err error) error {
	var e *clickhouse.Exception
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case 6, 27, 38, 41, 53, 69:
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	return err
}
