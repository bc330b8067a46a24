package runner

import (
	"context"
	"log/slog"

	"statewire/smx"
)

func (r *Runner) log(text string, args ...any) { r.write(slog.LevelInfo, text, args) }

func (r *Runner) warn(text string, args ...any) { r.write(slog.LevelWarn, text, args) }

func (r *Runner) write(level slog.Level, text string, args []any) {
	if r.d.Quiet {
		level = slog.LevelDebug
	}
	r.d.Log.Log(context.Background(), level, text, append([]any{"client", smx.ClientID(r.d.Client)}, args...)...)
}
