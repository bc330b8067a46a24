package runner

import (
	"context"
	"log/slog"
	"time"

	"statewire/smx"
)

func (r *Runner) log(text string, args ...any) { r.write(slog.LevelInfo, text, args) }

func (r *Runner) warn(text string, args ...any) { r.write(slog.LevelWarn, text, args) }

// doubtInterval is the time between two lines about what anybody on the way can bring about, as often as they like.
const doubtInterval = time.Minute

// doubt logs such a thing, with how many there were since the last line.
func (r *Runner) doubt(text string, args ...any) {
	if r.doubted++; r.clock.Boot() < r.doubtAt {
		return
	}
	r.log(text, append(args, "times", r.doubted)...)
	r.doubted, r.doubtAt = 0, r.clock.Boot()+doubtInterval
}

func (r *Runner) write(level slog.Level, text string, args []any) {
	if r.d.Quiet {
		level = slog.LevelDebug
	}
	r.d.Log.Log(context.Background(), level, text, append([]any{"client", smx.ClientID(r.d.Client)}, args...)...)
}
