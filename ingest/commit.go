package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"statewire/internal/backoff"
	"statewire/smx"
)

const (
	retryMin = time.Second
	retryMax = time.Minute
)

// saved is a batch whose messages are stored, and not yet what else there is to say about them.
type saved struct {
	batch batch
	out   outcome
	began time.Time
}

// storeMessages stores the messages of decoded parts, batch by batch. After an error, which means that the store cannot
// be opened, that ctx ended or that a drain has tried often enough, it gives up the parts that are on their way: their
// files are still claimed.
func (p *pipeline) storeMessages(ctx, failed context.Context, fail context.CancelFunc) (err error) {
	defer close(p.saved)
	if err = p.open(); err != nil {
		fail()
	}
	for parts := p.gather(); len(parts) > 0; parts = p.gather() {
		s := saved{batch: whole(parts), began: time.Now()}
		if err == nil {
			s.out, err = p.saveMessages(ctx, failed, s.batch)
		}
		if err != nil {
			fail()
			p.drop(s.batch)
			continue
		}
		p.saved <- s
	}
	return err
}

// storeRest stores what else is known of stored messages, while the next are being stored, and passes their parts on to
// be ended. Errors are as in storeMessages.
func (p *pipeline) storeRest(ctx, failed context.Context, fail context.CancelFunc) (err error) {
	defer close(p.stored)
	for s := range p.saved {
		p.plan(s.batch)
		if err == nil {
			err = p.saveRest(ctx, failed, s.batch)
		}
		if err != nil {
			fail()
			p.drop(s.batch)
			continue
		}
		p.countStored(s.batch, s.out, time.Since(s.began))
		for _, piece := range s.batch {
			p.stored <- piece.part
		}
	}
	return err
}

// saveMessages stores the messages of a batch, but for files that the store refuses: those are noted as bad.
func (l *Loader) saveMessages(ctx, late context.Context, b batch) (out outcome, err error) {
	if n := b.size(); n.bad == n.files {
		return outcome{}, nil
	}
	err = l.insist(ctx, late, b.size(), func(ctx context.Context) (err error) {
		out, err = l.seen.account(ctx, l.store.Conn(), b)
		return err
	})
	if err != nil {
		return outcome{}, err
	}
	err = l.insist(ctx, late, b.size(), func(ctx context.Context) error { return l.insertMessages(ctx, b) })
	if !errors.Is(err, errRefused) {
		return out, err
	}
	out = outcome{}
	err = l.bisect(b, err, func(half batch) error {
		o, err := l.saveMessages(ctx, late, half)
		out = out.plus(o)
		return err
	})
	return out, err
}

// saveRest stores all but the messages of a batch.
func (l *Loader) saveRest(ctx, late context.Context, b batch) error {
	if n := b.size(); n.bad == n.files {
		return nil
	}
	err := l.insist(ctx, late, b.size(), func(ctx context.Context) error { return l.insertRest(ctx, b) })
	if !errors.Is(err, errRefused) {
		return err
	}
	return l.bisect(b, err, func(half batch) error { return l.saveRest(ctx, late, half) })
}

// bisect does with both halves what the store refuses of the batch. A file that is refused alone is bad.
func (l *Loader) bisect(b batch, cause error, do func(batch) error) error {
	l.metrics.insertFails.WithLabelValues("data").Inc()
	left, right := b.halve()
	if len(left) == 0 {
		right[0].files()[0].bad = &smx.Error{Code: "engine_refused", Detail: cause.Error()}
		return nil
	}
	l.log.Warn("store refuses a batch, looking for the file", "files", b.size().files, "rows", b.size().rows, "err", cause)
	if err := do(left); err != nil {
		return err
	}
	return do(right)
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
		if late.Err() != nil || ctx.Err() != nil {
			return fmt.Errorf("%w: stopped before %d files were stored", ctx.Err(), n.files)
		}
		l.metrics.insertFails.WithLabelValues("away").Inc()
		if try == l.tries {
			return fmt.Errorf("%w; the files stay in the inbox", err)
		}
		wait := backoff.Jitter(delay/2, delay/2+1)
		l.log.Warn("store is away, files stay", "files", n.files, "rows", n.rows, "retry_in", wait, "err", err)
		if backoff.Sleep(ctx, wait) != nil {
			return fmt.Errorf("%w: stopped before %d files were stored", ctx.Err(), n.files)
		}
		delay = min(2*delay, retryMax)
	}
}

// errRefused says that the engine refuses the data itself and will at every try.
var errRefused = errors.New("the store refuses the data")

// refused makes an error that shows unreadable data an errRefused: exceptions 6, 27, 38, 41, 53 and 69 are text, dates
// and types that cannot be read. Everything else may pass.
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
