package reports_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/reports"
	"statewire/reports/reportstest"
	"statewire/reports/summary"
)

// Three machines; the second came a week after the first, the third was retired in between. All three scanned when they
// came, and two told of the update.
func newMomentSite(t *testing.T) *ruleSite {
	s := newRuleSite(t)
	s.report(1, 1, 480*hour)
	s.report(3, 3, 480*hour)
	s.report(2, 2, 312*hour)
	for client, ago := range map[int]time.Duration{1: 480 * hour, 3: 480 * hour, 2: 312 * hour} {
		s.tell(client, client, 501, "apt", 3, ago, ago)
	}
	s.tell(1, 1, 500, "u1", 2, 479*hour, 479*hour)
	s.tell(3, 3, 500, "u1", 2, 479*hour, 479*hour)
	s.tell(1, 1, 500, "u1", 3, 200*hour, 200*hour)
	s.Exec(fmt.Sprintf("INSERT INTO client_retirements (client_id, state, retired_time, version) VALUES ('%s', 'retired', '%s', 1)",
		reportstest.ID(3), s.Now.Add(-400*hour).Format(secondsForm)))
	return s
}

// Of a moment those count that had come by then and were not retired; who scanned by then was asked.
func TestTheScopeOfAMomentIsWhoWasThere(t *testing.T) {
	s := newMomentSite(t)
	for ago, want := range map[time.Duration]string{
		490 * hour: "refused",                 // before the history
		479 * hour: "scanned 2/2, 0//: bad 2", // the very moment
		450 * hour: "scanned 2/2, 0//: bad 2",
		390 * hour: "scanned 1/1, 0//: bad 1",
		300 * hour: "scanned 2/2, 0//: bad 1 said_nothing 1",
		100 * hour: "scanned 2/2, 100//: compliant 1 said_nothing 1",
	} {
		asOf := s.Now.Add(-ago).Format(time.RFC3339Nano)
		params := map[string]string{"subject": "update/u1", "as_of": asOf}
		var wrong *reports.ParamError
		rows, err := s.runner.Run(t.Context(), "subject", params, reports.Page{})
		if err == nil {
			rows.Close()
		} else if errors.As(err, &wrong) {
			if want != "refused" || !strings.Contains(err.Error(), "begins "+s.Now.Add(-480*hour).UTC().Format(time.RFC3339)) {
				t.Errorf("as of %v: %v", ago, err)
			}
			continue
		}
		if got := s.standAsOf("update/u1", asOf); got != want {
			t.Errorf("%v ago it is %s, want %s", ago, got, want)
		}
	}
}

// standAsOf is stand of a moment.
func (s *ruleSite) standAsOf(subject, asOf string) string {
	s.asOf = asOf
	defer func() { s.asOf = "" }()
	return s.stand(subject, "")
}

func TestMomentsThatCannotBeAsked(t *testing.T) {
	s := newMomentSite(t)
	today := s.Now.UTC().Format(time.DateOnly)
	for _, tt := range []struct{ asOf, tz, want string }{
		{"yesterday", "", "has to be a date such as"},
		{"2026-02-30", "", "has to be a date such as"},
		{today, "UTC", "is not over yet (UTC)"},
		{s.Now.AddDate(0, 0, 3).Format(time.DateOnly), "", "lies in the future"},
		{s.Now.Add(time.Hour).Format(time.RFC3339), "", "lies in the future"},
		{"", "Mars/Olympus", "time zone"},
		{"", "Local", "time zone"},
		{"1969-07-20", "", "lies before the stored history"},
	} {
		_, err := s.runner.Run(t.Context(), "updates", map[string]string{"as_of": tt.asOf, "tz": tt.tz}, reports.Page{})
		var wrong *reports.ParamError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("as_of=%s tz=%s: %v, want %q", tt.asOf, tt.tz, err, tt.want)
		}
	}
	s.Exec("INSERT INTO summary_progress (job, number, until) VALUES ('history', 1, toDateTime64(0, 3))")
	_, err := s.runner.Run(t.Context(), "updates", map[string]string{"as_of": s.Now.Add(-hour).Format(time.RFC3339)}, reports.Page{})
	if err == nil || !strings.Contains(err.Error(), "history is being prepared") {
		t.Errorf("before its history is made the site says %v", err)
	}
}

// A day that was counted is answered by cause, in the zone that it was counted in only.
func TestTheEndOfADayIsAnsweredByCause(t *testing.T) {
	s := newMomentSite(t)
	s.tell(1, 1, 500, "u2", 3, 470*hour, 470*hour)
	if err := summary.New(time.Second, summary.Deps{Store: s.Store}).Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	day := s.Now.UTC().Add(-290 * hour).Format(time.DateOnly)
	// The second machine looked when it came, after the update was first seen.
	for zone, want := range map[string]string{"UTC": "bad 1 not_applicable_implied 1", "Asia/Tokyo": "bad 1 said_nothing 1"} {
		counts := []string{}
		for _, row := range s.All(s.runner, "subject", map[string]string{"subject": "update/u1", "as_of": day, "tz": zone}) {
			if row["machines"] != "0" {
				counts = append(counts, strings.TrimSpace(row["class"]+" "+row["cause"])+" "+row["machines"])
			}
		}
		if got := strings.Join(counts, " "); got != want {
			t.Errorf("%s: %s, want %s", zone, got, want)
		}
	}
}

// A machine that has one update and lacks another is not compliant.
func TestAMachineIsWhatItLacks(t *testing.T) {
	s := newMomentSite(t)
	s.tell(1, 1, 500, "u2", 3, 470*hour, 470*hour)
	if err := summary.New(time.Second, summary.Deps{Store: s.Store}).Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	for ago, want := range map[time.Duration]string{290 * hour: "0 1 1", 100 * hour: "1 0 1"} {
		params := map[string]string{"as_of": s.Now.UTC().Add(-ago).Format(time.DateOnly), "days": "1"}
		r := s.All(s.runner, "compliance-trend", params)[0]
		if got := r["compliant"] + " " + r["not_compliant"] + " " + r["not_known"]; got != want {
			t.Errorf("%v ago the machines are %s, want %s: %v", ago, got, want, r)
		}
	}
}

// A machine reported last what it had reported by then, and who is connected is known of now only.
func TestTheLastReportIsOneOfThen(t *testing.T) {
	s := newMomentSite(t)
	s.report(1, 1, 200*hour)
	s.report(1, 1, 10*hour)
	s.tell(1, 1, 402, "u2", 9, 205*hour, 205*hour) // waits for a restart
	if err := summary.New(time.Second, summary.Deps{Store: s.Store}).Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	for ago, want := range map[time.Duration]time.Duration{450 * hour: 480 * hour, 190 * hour: 200 * hour, 0: 10 * hour} {
		params := map[string]string{"as_of": s.Now.Add(-ago).Format(time.RFC3339Nano)}
		if ago == 0 {
			params["as_of"] = ""
		}
		subject := map[string]string{"subject": "update/u1", "as_of": params["as_of"]}
		for name, rows := range map[string][]map[string]string{
			"machines": s.All(s.runner, "machines", params), "subject-machines": s.All(s.runner, "subject-machines", subject),
		} {
			at := slices.IndexFunc(rows, func(r map[string]string) bool { return r["computer"] == "PC-1" })
			if at < 0 || rows[at]["last_report"] != s.At(want) {
				t.Errorf("%s, %v ago: %v, want %s", name, ago, rows, s.At(want))
			}
		}
	}
	for asOf, want := range map[string]string{"": "0", s.Now.Add(-190 * hour).Format(time.RFC3339Nano): ""} {
		rows := s.All(s.runner, "restart-pending", map[string]string{"as_of": asOf})
		if len(rows) != 1 || rows[0]["online"] != want {
			t.Errorf("as of %q: %v, want online %q", asOf, rows, want)
		}
	}
}

// What has no serial counts only where nothing with one had arrived, and of that the last; so it is of now, too.
func TestMessagesWithoutASerialLieBelowTheOthers(t *testing.T) {
	s := newMomentSite(t)
	s.load(0, 2, 2, 500, "u1", 2, 311*hour, 311*hour)
	s.load(0, 2, 2, 500, "u1", 3, 320*hour, 300*hour) // came later, and is older by its clock
	s.load(1, 2, 2, 500, "u1", 2, 290*hour, 290*hour)
	s.load(0, 2, 2, 500, "u1", 3, 280*hour, 280*hour)
	for ago, want := range map[time.Duration]string{
		305 * hour: "scanned 2/2, 0//: bad 2",
		295 * hour: "scanned 2/2, 50//: bad 1 compliant 1",
		285 * hour: "scanned 2/2, 0//: bad 2",
		275 * hour: "scanned 2/2, 0//: bad 2",
		100 * hour: "scanned 2/2, 50//: bad 1 compliant 1", // the first one has it
	} {
		if got := s.standAsOf("update/u1", s.Now.Add(-ago).Format(time.RFC3339Nano)); got != want {
			t.Errorf("%v ago it is %s, want %s", ago, got, want)
		}
	}
}

// The timeline of a machine has each change once, the newest first; a message that came late under an older serial changed
// nothing, and as of a moment it ends there.
func TestTimelineOfOneClient(t *testing.T) {
	s := newRuleSite(t)
	s.report(1, 1, 100*hour)
	s.load(5, 1, 1, 500, "u1", 2, 90*hour, 90*hour)
	s.load(6, 1, 1, 402, "u1", 9, 80*hour, 80*hour)
	s.load(4, 1, 1, 500, "u1", 1, 95*hour, 70*hour) // late
	s.load(7, 1, 1, 500, "u1", 3, 60*hour, 60*hour)
	s.load(8, 1, 1, 500, "u1", 3, 50*hour, 50*hour) // said again
	line := func(params map[string]string) string {
		var out []string
		params["client"] = reportstest.ID(1).String()
		for _, row := range s.All(s.runner, "client-timeline", params) {
			out = append(out, row["title"]+" "+row["before"]+">"+row["class"]+" "+row["serial"])
		}
		return strings.Join(out, ", ")
	}
	if got, want := line(map[string]string{}), "u1 restart>compliant 7, u1 bad>restart 6, u1 >bad 5"; got != want {
		t.Errorf("it is %s, want %s", got, want)
	}
	if got, want := line(map[string]string{"as_of": s.Now.Add(-75 * hour).Format(time.RFC3339)}), "u1 bad>restart 6, u1 >bad 5"; got != want {
		t.Errorf("75 hours ago it was %s, want %s", got, want)
	}
}
