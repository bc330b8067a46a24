package reports

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a machine without a zone database knows all zones

	"statewire/internal/parse"
)

// Moment is when an answer is about: the end of a day, or an instant. Everything that had arrived by then counts.
type Moment struct {
	At   time.Time // the last instant that counts
	Zone string    // whose days are meant

	day        string // the day that it ends, where the site's counts of that day are kept
	unnumbered string // "1": clients of this site send messages without a serial, which the history does not hold
}

// String is the moment for a person.
func (m *Moment) String() string {
	if midnight, day := m.ends(); midnight {
		return fmt.Sprintf("the end of %s (%s)", day, m.Zone)
	}
	return m.At.Format(time.RFC3339Nano)
}

// ends says whether it is the end of a day, and of which.
func (m *Moment) ends() (bool, string) {
	zone, err := ParseZone(m.Zone)
	if err != nil {
		return false, ""
	}
	next := m.At.Add(time.Microsecond).In(zone)
	day := m.At.In(zone)
	return next.Equal(time.Date(next.Year(), next.Month(), next.Day(), 0, 0, 0, 0, zone)), day.Format(time.DateOnly)
}

// ParseZone reads the name of an IANA zone.
func ParseZone(name string) (*time.Location, error) {
	if name == "" || strings.EqualFold(name, "local") {
		return nil, errors.New("the name of an IANA time zone, such as UTC or Europe/Warsaw")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, errors.New("the name of an IANA time zone, such as UTC or Europe/Warsaw")
	}
	return zone, nil
}

// DayEnd is the last microsecond of a day in a zone.
func DayEnd(day time.Time, zone *time.Location) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, zone).Add(-time.Microsecond).UTC()
}

// zone is that of the parameter tz, or the site's.
func (q question) zone() (string, *time.Location, error) {
	name := cmp.Or(strings.TrimSpace(q.values["tz"]), q.runner.cfg.Timezone)
	zone, err := ParseZone(name)
	if err != nil {
		return "", nil, &ParamError{q.report.Name, "tz", "has to be " + err.Error()}
	}
	return zone.String(), zone, nil
}

// moment reads as_of: a date is its end in the zone. Nothing that is not over is taken, nor what lies before the history,
// unless the counts of that day are kept and the report needs no more.
func (q question) moment(ctx context.Context, text string) (*Moment, error) {
	name, zone, err := q.zone()
	if err != nil || text == "" {
		return nil, err
	}
	refuse := func(format string, args ...any) error {
		return &ParamError{q.report.Name, "as_of", fmt.Sprintf(format, args...)}
	}
	now := q.runner.now()
	m := &Moment{Zone: name}
	if day, err := time.Parse(time.DateOnly, strings.TrimSpace(text)); err == nil {
		if m.At = DayEnd(day, zone); !m.At.Before(now) && !now.Before(DayEnd(day.AddDate(0, 0, -1), zone)) {
			return nil, refuse("%s is not over yet (%s): leave it empty for now, or give a time", day.Format(time.DateOnly), name)
		}
	} else if m.At, err = parse.Time(text); err != nil {
		return nil, refuse("has to be a date such as 2025-01-31, which is its end, or a time such as 2025-01-31T08:00:00Z")
	}
	m.At = m.At.Truncate(time.Microsecond)
	if m.At.After(now) {
		return nil, refuse("%s lies in the future", tidy(m.At))
	}
	if over, day := m.ends(); over && name == q.runner.cfg.Timezone && q.values["collection"] == "" && q.report.keptDays {
		kept, err := q.ask(ctx, "day", map[string]string{"day": day})
		if err != nil {
			return nil, err
		}
		if len(kept) > 0 {
			m.day, m.unnumbered = day, unnumbered(kept[0])
			return m, nil
		}
	}
	return m, q.withinHistory(ctx, m, refuse)
}

// withinHistory refuses what lies before the stored history, or while that is being made.
func (q question) withinHistory(ctx context.Context, m *Moment, refuse func(string, ...any) error) error {
	found, err := q.ask(ctx, "history", nil)
	if err != nil {
		return err
	}
	if len(found) == 0 || found[0].Count("prepared") == 0 {
		return refuse("cannot be answered yet: history is being prepared from the stored messages; ask again in a few minutes")
	}
	if from := found[0].Time("begins"); m.At.Before(from) {
		return refuse("lies before the stored history, which begins %s: give a later one", tidy(from))
	}
	m.unnumbered = unnumbered(found[0])
	return nil
}

func unnumbered(r Record) string {
	if r.Count("unnumbered") > 0 {
		return "1"
	}
	return ""
}

func tidy(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// addTo sets the hidden parameters of the moment; without one it is now.
func (m *Moment) addTo(hidden map[string]string, zone string) {
	values := map[string]string{"zone": zone, "moment_us": "0", "moment_day": "1970-01-01", "unnumbered": ""}
	if m != nil {
		values["moment_us"] = fmt.Sprint(m.At.UnixMicro())
		values["moment_day"] = cmp.Or(m.day, "1970-01-01")
		values["unnumbered"] = m.unnumbered
	}
	for name, value := range values {
		if _, used := hidden[name]; used {
			hidden[name] = value
		}
	}
}

// countedFrom says where the counts of an answer come from: "counts" that are kept of now, "days" that are kept of the end
// of a day, or states of "now" or "then".
func (m *Moment) countedFrom(collection string) string {
	switch {
	case m != nil && m.day != "":
		return "days"
	case m != nil:
		return "then"
	case collection != "":
		return "now"
	}
	return "counts"
}
