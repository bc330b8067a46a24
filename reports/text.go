package reports

import (
	"time"

	"statewire/internal/tabular"
)

// The words of tabular that sentences and pages need at every turn.

func textOf(v any) string               { return tabular.Text(v) }
func timeText(t time.Time) string       { return tabular.TimeText(t) }
func terminalSafe(s string) string      { return tabular.TerminalSafe(s) }
func shorten(s string, most int) string { return tabular.Shorten(s, most) }
