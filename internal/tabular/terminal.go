package tabular

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Ago says how far a time is from now, in its greatest unit: 3 d ago. The zero time and the engine's are never.
func Ago(now, at time.Time) string {
	d := now.Sub(at)
	switch {
	case at.IsZero() || at.Unix() == 0:
		return "never"
	case d < -time.Minute:
		return "in " + span(-d)
	case d < 2*time.Second:
		return "just now"
	}
	return span(d) + " ago"
}

func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}

// Colours of a terminal.
const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	dim    = "\x1b[2m"
	plain  = "\x1b[0m"
)

// tones are the words of health and compliance that a terminal shows in a colour.
var tones = map[string]string{
	"compliant": green, "ok": green, "online": green, "complete": green, "completed": green, "done": green,
	"success": green, "connected": green, "none": green,
	"failed": red, "bad": red, "error": red, "problem": red, "critical": red, "overdue": red, "required": red,
	"restart": yellow, "pending": yellow, "warning": yellow, "silent": yellow, "security": yellow, "waiting": yellow,
	"not_known": yellow, "gap": yellow, "said_unknown": yellow, "offline": yellow,
	"outside": dim, "not_applicable": dim, "not_applicable_implied": dim, "other": dim,
}

// toned are the columns that hold such words.
var toned = []string{"class", "cause", "health", "state", "status", "severity", "result", "problem"}

// coloured is a cell of a column as the terminal shows it.
func (w *tableRows) coloured(column int, cell string) string {
	if !w.o.Colour || !slices.Contains(toned, w.columns[column].Name) {
		return cell
	}
	if tone := tones[strings.ToLower(cell)]; tone != "" {
		return tone + cell + plain
	}
	return cell
}
