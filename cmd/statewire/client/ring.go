package client

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// ringBytes bounds the log lines that an agent keeps in memory.
const ringBytes = 128 << 10

// ring keeps the last lines of a log, for whoever asks for them from afar.
type ring struct {
	mu    sync.Mutex
	lines []string // Guarded by mu, as is what follows.
	bytes int
}

// Write implements io.Writer: each call is one line.
func (r *ring) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines, r.bytes = append(r.lines, string(line)), r.bytes+len(line)
	for len(r.lines) > 1 && r.bytes > ringBytes {
		r.bytes -= len(r.lines[0])
		r.lines = r.lines[1:]
	}
	return len(line), nil
}

func (r *ring) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "")
}

// remembering is a log whose lines from Info on are kept in memory, too.
func remembering(log *slog.Logger) (*slog.Logger, *ring) {
	r := &ring{}
	return slog.New(both{log.Handler(), slog.NewTextHandler(r, nil)}), r
}

// both hands every record to two handlers.
type both struct{ log, kept slog.Handler }

func (b both) Enabled(ctx context.Context, level slog.Level) bool {
	return b.log.Enabled(ctx, level) || b.kept.Enabled(ctx, level)
}

func (b both) Handle(ctx context.Context, record slog.Record) (err error) {
	if b.kept.Enabled(ctx, record.Level) {
		_ = b.kept.Handle(ctx, record.Clone()) // a ring takes everything
	}
	if b.log.Enabled(ctx, record.Level) {
		err = b.log.Handle(ctx, record)
	}
	return err
}

func (b both) WithAttrs(attrs []slog.Attr) slog.Handler {
	return both{b.log.WithAttrs(attrs), b.kept.WithAttrs(attrs)}
}

func (b both) WithGroup(name string) slog.Handler {
	return both{b.log.WithGroup(name), b.kept.WithGroup(name)}
}
