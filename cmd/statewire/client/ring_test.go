package client

import (
	"log/slog"
	"strings"
	"testing"
)

// The last lines of the log are kept from Info on, whatever the log itself shows, and no more of them than fit.
func TestTheLastLinesOfTheLogAreKept(t *testing.T) {
	var shown strings.Builder
	log, kept := remembering(slog.New(slog.NewTextHandler(&shown, &slog.HandlerOptions{Level: slog.LevelWarn})))
	log = log.With("source", "x").WithGroup("g")
	log.Debug("a debug line")
	log.Info("an info line", "n", 1)
	log.Warn("a warning")
	if got := kept.text(); strings.Contains(got, "debug") || !strings.Contains(got, `msg="an info line" source=x g.n=1`) ||
		!strings.Contains(got, "a warning") {
		t.Errorf("kept %q", got)
	}
	if got := shown.String(); strings.Contains(got, "info") || !strings.Contains(got, "a warning") {
		t.Errorf("shown %q", got)
	}
	for range 3000 {
		log.Info(strings.Repeat("y", 100))
	}
	log.Info("the last")
	if got := kept.text(); len(got) > ringBytes || len(got) < ringBytes*9/10 || !strings.Contains(got, "the last") ||
		strings.Contains(got, "an info line") {
		t.Errorf("%d bytes are kept", len(got))
	}
}
