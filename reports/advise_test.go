package reports

import (
	"testing"
	"time"
)

// Whoever asked about a moment that was too much to count is told what is kept; in other answers that is no way out.
func TestAMomentThatIsTooMuchIsAnsweredWithWhatIsKept(t *testing.T) {
	then := &Moment{At: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	end := &Moment{At: then.At, day: "2026-03-03"}
	counted, other := &Report{keptDays: true}, &Report{}
	machines := &Report{Params: []Param{{Name: "collection"}}}
	const usual = "r: needs more memory: ask for less"
	for _, tt := range []struct {
		report  *Report
		moment  *Moment
		subject *Subject
		code    string
		want    string
	}{
		{counted, then, nil, "memory", "r: needs more memory: ask for one subject, or for the end of a day, as in " +
			"as_of=2026-03-03: its counts are kept"},
		{counted, then, &Subject{}, "timeout", "r: needs more memory: ask for the end of a day, as in " +
			"as_of=2026-03-03: its counts are kept"},
		{counted, then, nil, "busy", usual},
		{counted, end, nil, "memory", usual},
		{counted, nil, nil, "memory", usual},
		{other, then, nil, "memory", usual},
		{nil, nil, nil, "memory", usual},
		{machines, end, nil, "timeout", "r: needs more memory: ask for the members of a collection: every machine of the " +
			"site is counted for a moment"},
		{machines, nil, nil, "timeout", usual},
	} {
		q := prepared{report: tt.report, meaning: meaning{moment: tt.moment, subject: tt.subject}}
		err := q.advise(&QueryError{Label: "r", Code: tt.code, Text: "needs more memory: ask for less"})
		if err = q.advise(err); err.Error() != tt.want {
			t.Errorf("%v: %v, want %s", tt, err, tt.want)
		}
	}
}
