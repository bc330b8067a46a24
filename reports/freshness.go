package reports

import (
	"context"
	"fmt"
	"time"

	"statewire/internal/humanize"
)

// Freshness is how far stored data may be behind the clients, and it goes with every answer.
type Freshness struct {
	AsOf           time.Time  `json:"as_of" doc:"When the answer was made"`
	LastReceived   *time.Time `json:"last_received,omitempty" doc:"Arrival of the newest report that is stored"`
	LastStored     *time.Time `json:"last_stored,omitempty" doc:"When the store last took in a report"`
	LastSummary    *time.Time `json:"last_summary,omitempty" doc:"Counts of whole topics may lack what was stored later; absent when they lack nothing"`
	WaitingFiles   *int       `json:"waiting_files,omitempty" doc:"Files waiting in the inbox; absent when this process sees no inbox"`
	WaitingSeconds *float64   `json:"waiting_seconds,omitempty" doc:"Age of the oldest waiting file"`
	Stale          bool       `json:"stale" doc:"True when reports have waited so long that figures lag behind"`
	Problem        string     `json:"problem,omitempty" doc:"Why the data's age could not be found out"`
}

// StaleAfter is how long a report may wait in the inbox before figures count as stale: one polling interval.
const StaleAfter = 15 * time.Minute

// Freshness asks how old the data is. It never fails: what it can't find out it says in Problem.
func (r *Runner) Freshness(ctx context.Context) *Freshness {
	f := &Freshness{AsOf: r.now().UTC()}
	if err := r.storedTimes(ctx, f); err != nil {
		f.Problem = "the age of the data could not be read"
		r.log.Warn("read data age", "err", err)
	}
	boxes, err := r.Backlog(ctx)
	if err != nil {
		f.Problem = "the inbox could not be read"
		r.log.Warn("read inbox statistics", "err", err)
		return f
	}
	if boxes != nil {
		f.AddBacklog(boxes)
	}
	return f
}

// storedTimes reads the report of the same name.
func (r *Runner) storedTimes(ctx context.Context, f *Freshness) error {
	report, err := r.catalog.Get("freshness")
	if err != nil {
		return err
	}
	rows, err := r.start(ctx, report.label(), prepared{report: report, sql: report.Query, max: 1000})
	if err != nil {
		return err
	}
	defer rows.Close()
	for row := rows.Next(); row != nil; row = rows.Next() {
		f.AddEvent(row[0], row[1])
	}
	if f.LastSummary != nil && (f.LastStored == nil || f.LastStored.Before(*f.LastSummary)) {
		f.LastSummary = nil // nothing came since
	}
	return rows.Err()
}

// AddEvent takes one row of the report freshness.
func (f *Freshness) AddEvent(what, when any) {
	at, ok := when.(time.Time)
	if !ok {
		return
	}
	switch what {
	case "newest report received":
		f.LastReceived = &at
	case "last report stored":
		f.LastStored = &at
	case "last summary of topics":
		f.LastSummary = &at
	}
}

func (f *Freshness) AddBacklog(boxes []Box) {
	files, oldest := 0, time.Duration(0)
	for _, b := range boxes {
		if b.Waiting() {
			files += b.Files
			oldest = max(oldest, b.Oldest)
		}
	}
	seconds := oldest.Seconds()
	f.WaitingFiles, f.WaitingSeconds = &files, &seconds
	f.Stale = files > 0 && oldest > StaleAfter
}

// staleNote ends the sentence when reports have waited too long.
const staleNote = " STALE: these figures lag behind."

// Sentence says it for people.
func (f *Freshness) Sentence() string {
	if f.Stale {
		return f.Text() + staleNote
	}
	return f.Text()
}

// Text says it without the warning of stale figures, for whoever shows that in another way.
func (f *Freshness) Text() string {
	text := "Nothing is stored yet."
	if f.LastStored != nil {
		text = "Newest data stored " + humanize.Ago(f.AsOf.Sub(*f.LastStored)) + "."
	}
	if f.LastSummary != nil {
		text += " Counts of whole topics may lack the last " + humanize.Span(f.AsOf.Sub(*f.LastSummary)) + "."
	}
	if f.Problem != "" {
		text = "Data age unknown: " + f.Problem + "."
	}
	return text + f.backlog()
}

func (f *Freshness) backlog() string {
	switch {
	case f.WaitingFiles == nil:
		return ""
	case *f.WaitingFiles == 0:
		return " No files wait."
	}
	return fmt.Sprintf(" %s %s, oldest %s.", humanize.Number(*f.WaitingFiles),
		humanize.Plural(*f.WaitingFiles, "file waits", "files wait"),
		humanize.Span(time.Duration(*f.WaitingSeconds*float64(time.Second))))
}
