package client

import (
	"bytes"
	"context"
	"io"
	"log/slog"

	"golang.org/x/sys/windows/svc/eventlog"
)

// eventID is the number of all our events; the level and the text tell them apart.
const eventID = 1

// eventHandler writes log lines to Windows' event log.
type eventHandler struct {
	to    *eventlog.Log
	lines func(io.Writer) slog.Handler // what writes one line
}

// Enabled implements slog.Handler.
func (h *eventHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.lines(io.Discard).Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *eventHandler) Handle(ctx context.Context, r slog.Record) error {
	var line bytes.Buffer
	if err := h.lines(&line).Handle(ctx, r); err != nil {
		return err
	}
	switch {
	case r.Level >= slog.LevelError:
		return h.to.Error(eventID, line.String())
	case r.Level >= slog.LevelWarn:
		return h.to.Warning(eventID, line.String())
	}
	return h.to.Info(eventID, line.String())
}

// WithAttrs implements slog.Handler.
func (h *eventHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &eventHandler{h.to, func(w io.Writer) slog.Handler { return h.lines(w).WithAttrs(attrs) }}
}

// WithGroup implements slog.Handler.
func (h *eventHandler) WithGroup(name string) slog.Handler {
	return &eventHandler{h.to, func(w io.Writer) slog.Handler { return h.lines(w).WithGroup(name) }}
}
