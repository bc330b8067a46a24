package reports

import (
	"context"
	"fmt"
	"time"

	"statewire/reports/web"
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

// staleAfter is how long a report may wait in the inbox before figures count as stale: one polling interval.
const staleAfter = 15 * time.Minute

// Freshness asks how old the data is. It never fails: what it can't find out it says in Problem.
func (r *Runner) Freshness(ctx context.Context) *Freshness {
	f := &Freshness{AsOf: r.now().UTC()}
	if err := r.storedTimes(ctx, f); err != nil {
		f.Problem = "the age of the data could not be read"
		r.log.Warn("read data age", "err", err)
	}
	if r.backlog == nil {
		return f
	}
	boxes, err := r.backlog(ctx)
	if err != nil {
		f.Problem = "the inbox could not be read"
		r.log.Warn("read inbox statistics", "err", err)
		return f
	}
	f.addBacklog(boxes)
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
		f.addEvent(row[0], row[1])
	}
	if f.LastSummary != nil && (f.LastStored == nil || f.LastStored.Before(*f.LastSummary)) {
		f.LastSummary = nil // nothing came since
	}
	return rows.Err()
}

// addEvent takes one row of the report freshness.
func (f *Freshness) addEvent(what, when any) {
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

func (f *Freshness) addBacklog(boxes []Box) {
	files, oldest := 0, time.Duration(0)
	for _, b := range boxes {
		if waiting(b.Name) {
			files += b.Files
			oldest = max(oldest, b.Oldest)
		}
	}
	seconds := oldest.Seconds()
	f.WaitingFiles, f.WaitingSeconds = &files, &seconds
	f.Stale = files > 0 && oldest > staleAfter
}

// waiting tells boxes whose files are still to be loaded.
func waiting(box string) bool { return box != "corrupt" && box != "outgoing" }

// Sentence says it for people.
func (f *Freshness) Sentence() string {
	text := "Nothing is stored yet."
	if f.LastStored != nil {
		text = "Newest data stored " + ago(f.AsOf.Sub(*f.LastStored)) + "."
	}
	if f.LastSummary != nil {
		text += " Counts of whole topics may lack the last " + span(f.AsOf.Sub(*f.LastSummary)) + "."
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
	text := fmt.Sprintf(" %s %s, oldest %s.", web.Number(*f.WaitingFiles), plural(*f.WaitingFiles, "file waits", "files wait"),
		span(time.Duration(*f.WaitingSeconds*float64(time.Second))))
	if f.Stale {
		text += staleNote
	}
	return text
}

// staleNote ends the sentence when reports have waited too long.
const staleNote = " STALE: these figures lag behind."

func ago(d time.Duration) string {
	if d < 2*time.Second {
		return "just now"
	}
	return span(d) + " ago"
}

// span is a duration in the one or two units that matter. A negative one, from a time ahead of the clock, is none.
func span(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour && int(d.Minutes())%60 == 0:
		return fmt.Sprintf("%d h", int(d.Hours()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
