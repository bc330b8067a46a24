package console

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"statewire/reports"
)

func zoneNamed(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestADateIsItsEndInTheSitesZone(t *testing.T) {
	warsaw := zoneNamed(t, "Europe/Warsaw")
	for _, tt := range []struct {
		name, text string
		zone       *time.Location
		at, said   string
	}{
		{"a date", "2026-11-01", time.UTC, "2026-11-01T23:59:59.999999Z", "1 November 2026, end of day (UTC)"},
		{"a date elsewhere", "2026-11-01", warsaw, "2026-11-01T22:59:59.999999Z",
			"1 November 2026, end of day (Europe/Warsaw)"},
		{"a day of 25 hours", "2026-10-25", warsaw, "2026-10-25T22:59:59.999999Z",
			"25 October 2026, end of day (Europe/Warsaw)"},
		{"a time", "2026-11-01T23:30:00Z", warsaw, "2026-11-01T23:30:00Z", "2 November 2026, 00:30:00 (Europe/Warsaw)"},
		{"neither", "yesterday", time.UTC, "", ""},
		{"now", "", time.UTC, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := readMoment(tt.text, tt.zone)
			if m.now() != (tt.text == "") {
				t.Errorf("now is %v", m.now())
			}
			if tt.at == "" {
				if !m.at.IsZero() {
					t.Errorf("read as %s", m.at)
				}
				return
			}
			if got := m.at.UTC().Format(time.RFC3339Nano); got != tt.at || m.words() != tt.said {
				t.Errorf("%s, %q", got, m.words())
			}
		})
	}
}

func TestTheBandLeadsToTheSamePageNow(t *testing.T) {
	s := &Server{now: func() time.Time { return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) }}
	at := func(target string) (text, now string) {
		then := s.then(httptest.NewRequest(http.MethodGet, target, nil))
		if then == nil {
			return "", ""
		}
		return then.Text + " " + then.Members, then.Now
	}
	for target, want := range map[string][2]string{
		"/machines?as_of=2026-11-01": {"As of 1 November 2026, end of day (UTC). Members are today's.", "/machines"},
		"/subjects/deployment/%7BD%2F1%7D?as_of=2026-11-01&collection=a+b&cursor=x": {
			"As of 1 November 2026, end of day (UTC). Members are today's.", "/subjects/deployment/%7BD%2F1%7D?collection=a+b"},
		"/machines":                  {},
		"/machines?as_of=2026-11-30": {}, // not over: the reports refuse it
		"/machines?as_of=x":          {},
	} {
		if text, now := at(target); text != want[0] || now != want[1] {
			t.Errorf("%s: %q leads to %q", target, text, now)
		}
	}
}

func TestOnlyDaysThatAreOverCanBeChosen(t *testing.T) {
	s := &Server{now: func() time.Time { return time.Date(2026, 11, 30, 0, 30, 0, 0, time.UTC) }}
	if f := s.asOfField(""); !f.Date || f.Max != "2026-11-29" {
		t.Errorf("%+v", f)
	}
	if f := s.asOfField("2026-11-01T08:00:00Z"); f.Date || f.Value != "2026-11-01T08:00:00Z" {
		t.Errorf("a field for dates would lose a time: %+v", f)
	}
}

func TestLinksKeepTheMoment(t *testing.T) {
	for link, want := range map[string]string{"/clients/a": "/clients/a?as_of=2026-11-01",
		"/clients/a?serial=7": "/clients/a?serial=7&as_of=2026-11-01", "": ""} {
		if got := asOfLink(link, "2026-11-01"); got != want {
			t.Errorf("%s: %s", link, got)
		}
	}
	at := reports.Moment{At: time.Date(2026, 11, 2, 4, 59, 59, 0, time.UTC)}
	for tz, want := range map[string]string{"": "2026-11-01", "America/New_York": "2026-11-02T04:59:59Z"} {
		if got := momentAsked(map[string]string{asOfName: "2026-11-01", "tz": tz}, &at); got != want {
			t.Errorf("a date in %q is %s on a page", tz, got)
		}
	}
	row := reports.Record{"topic_id": "a/b", "title": "A", "compliant": uint64(1), "not_known": uint64(2)}
	line := subjectRow("update", row, map[string]string{"collection": "x", asOfName: "2026-11-01"})
	if line.Link != "/subjects/update/a%2Fb?as_of=2026-11-01&collection=x" ||
		line.Segments[1].Link != "/subjects/update/a%2Fb?as_of=2026-11-01&class=unknown&collection=x" {
		t.Errorf("%+v", line)
	}
}
