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

// commit stores a batch and then, only then, ends its files: loaded ones are deleted, bad ones set aside. On an error,
// which means that ctx ended or that a drain has tried often enough, its files are still claimed.
func (l *Loader) commit(ctx context.Context, b *batch) error {
	if b.empty() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.commitLocked(ctx, b)
}

func (l *Loader) commitLocked(ctx context.Context, b *batch) error {
	started := l.now()
	out, err := l.storeRetrying(ctx, b)
	if dataFault(err) {
		l.metrics.insertFails.WithLabelValues("data").Inc()
		return l.split(ctx, b, err)
	}
	if err != nil {
		return err
	}
	l.end(b)
	l.report(b, out, l.now().Sub(started))
	return nil
}

// outcome is what storing a batch showed about its messages.
type outcome struct{ stored, duplicates, conflicts int }

// storeRetrying stores the batch, again and again while the store is away.
func (l *Loader) storeRetrying(ctx context.Context, b *batch) (outcome, error) {
	delay := retryMin
	for attempt := 1; ; attempt++ {
		out, err := l.storeOnce(ctx, b)
		if err == nil || dataFault(err) {
			return out, err
		}
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		if attempt == l.attempts {
			return out, fmt.Errorf("%w; the files stay in the inbox", err)
		}
		l.metrics.insertFails.WithLabelValues("away").Inc()
		wait := jitter(delay)
		l.log.Warn("store is away, files stay", "files", len(b.sources), "rows", b.rows.Len(), "retry_in", wait, "err", err)
		if !pause(ctx, wait) {
			return out, ctx.Err()
		}
		delay = min(2*delay, retryMax)
	}
}

// storeOnce tries once. An error leaves the outcome unknown; trying again is harmless, the rows are the same.
func (l *Loader) storeOnce(ctx context.Context, b *batch) (outcome, error) {
	out, err := l.seen.account(ctx, l.store.Conn(), b)
	if err != nil {
		return out, err
	}
	if err := l.insert(ctx, b); err != nil {
		return out, err
	}
	l.seen.keep()
	return out, nil
}

// dataFault says that the engine refuses the data itself and will at every try: exceptions 6, 27, 38, 41, 53 and 69 are
// text, dates and types that cannot be read. Everything else may pass.
func dataFault(err error) bool {
	var e *clickhouse.Exception
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case 6, 27, 38, 41, 53, 69:
		return true
	}
	return false
}

// split stores the two halves of a batch that the store refuses; a file that is refused alone is bad.
func (l *Loader) split(ctx context.Context, b *batch, cause error) error {
	if len(b.sources) == 1 {
		s := b.sources[0]
		if s.err != nil {
			return fmt.Errorf("note bad file %s: %w", s.file.Name, cause)
		}
		alone := &batch{}
		alone.bad(s.chunk, s.file, &smx.Error{Code: "engine_refused", Detail: cause.Error()})
		return l.commitLocked(ctx, alone)
	}
	half := len(b.sources) / 2
	for _, part := range [][]source{b.sources[:half], b.sources[half:]} {
		if err := l.commitLocked(ctx, l.again(part)); err != nil {
			return err
		}
	}
	return nil
}

// again decodes some files of a batch into a batch of their own.
func (l *Loader) again(sources []source) *batch {
	sub, decoder := &batch{}, smx.NewDecoder()
	for _, s := range sources {
		data, err := s.file.Read(nil)
		switch {
		case s.err != nil || s.gone:
			sub.add(s, s.file.Claimed)
		case err != nil:
			l.log.Error("file cannot be read, trying again later", "file", s.file.Name, "err", err)
			s.chunk.Postpone(s.file)
		default:
			sub.decode(decoder, s.chunk, s.file, data, l.now())
		}
	}
	return sub
}

// pause waits; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
