package console

import (
	"net/http"
	"strings"
	"time"

	"statewire/console/web"
	"statewire/internal/parse"
	"statewire/reports"
)

// asOfName is the parameter that asks a page about another moment than now: a date, which is its end, or a time.
const asOfName = "as_of"

// moment is what a page's address asks about. The zero moment is now.
type moment struct {
	text  string    // as it was given
	at    time.Time // zero for now, and for what no report takes
	isDay bool      // at is the end of a day
}

// readMoment reads it as the reports do. What cannot be read is left to them: their refusal says what is allowed.
func readMoment(text string, zone *time.Location) moment {
	m := moment{text: strings.TrimSpace(text)}
	if day, err := time.ParseInLocation(time.DateOnly, m.text, zone); err == nil {
		m.isDay = true
		m.at = time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, zone).Add(-time.Microsecond)
	} else if at, err := parse.Time(m.text); err == nil {
		m.at = at.In(zone)
	}
	return m
}

// now says that the page is about the moment that it is made.
func (m moment) now() bool { return m.text == "" }

// words is the moment for people.
func (m moment) words() string {
	zone := " (" + m.at.Location().String() + ")"
	if m.isDay {
		return dayWords(m.at) + ", end of day" + zone
	}
	return m.at.Format("2 January 2006, 15:04:05") + zone
}

// dayWords is a day for people.
func dayWords(day time.Time) string { return day.Format("2 January 2006") }

// zone is the one whose days the site counts.
func (s *Server) zone() *time.Location {
	zone, err := reports.ParseZone(s.cfg.Timezone)
	if err != nil {
		return time.UTC // a configuration that is valid names one
	}
	return zone
}

// then is the band above a page that is not about now; nil where it is, and where no report takes the moment.
func (s *Server) then(r *http.Request) *web.Then {
	query := r.URL.Query()
	zone, err := reports.ParseZone(query.Get("tz")) // a report's own parameter
	if err != nil {
		zone = s.zone()
	}
	m := readMoment(query.Get(asOfName), zone)
	if m.at.IsZero() || m.at.After(s.now()) {
		return nil
	}
	query.Del(asOfName)
	query.Del("cursor") // it continues an answer about then
	link := r.URL.EscapedPath()
	if len(query) > 0 {
		link += "?" + query.Encode()
	}
	return &web.Then{Text: "As of " + m.words() + ".", Members: "Members are today's.", Now: link}
}

// asOfField asks for a date. Only days that are over can be chosen; what is no date stays as it was given.
func (s *Server) asOfField(given string) web.Field {
	f := web.Field{Name: asOfName, Label: "As of", Value: given}
	if _, err := time.Parse(time.DateOnly, given); err == nil || given == "" {
		f.Date, f.Max = true, s.now().In(s.zone()).AddDate(0, 0, -1).Format(time.DateOnly)
	}
	return f
}
