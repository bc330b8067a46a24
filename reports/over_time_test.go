package reports_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/reports"
	"statewire/reports/reportstest"
	"statewire/reports/summary"
	"statewire/store/storetest"
)

// said are the lines of a subject that clients said: those hold for every moment.
func (s *ruleSite) said(report string, params map[string]string) string {
	s.T.Helper()
	counts := map[string]int{}
	for _, row := range s.All(s.runner, report, params) {
		if n := number(s.T, row["machines"]); n > 0 && row["class"] != "outside" && row["class"] != "said_nothing" &&
			row["class"] != "not_known" && row["class"] != "not_applicable_implied" {
			counts[row["class"]] = n
		}
	}
	return fmt.Sprint(counts)
}

// event is one message of a site that is played: at is its arrival, before now.
type event struct {
	client  int
	serial  uint64
	topic   uint32
	id      string
	state   uint32
	told    time.Duration // by the client's clock, before now
	arrived time.Duration
}

func (s *ruleSite) play(events ...event) {
	var list []reportstest.Message
	var reports []reportstest.Report
	for _, e := range events {
		list = append(list, reportstest.Message{Client: e.client, Serial: e.serial, Ago: e.told, Received: e.arrived,
			Topic: e.topic, ID: e.id, State: e.state, Now: true})
		reports = append(reports, reportstest.Report{Client: e.client, Received: e.arrived})
	}
	s.Messages(list...)
	s.Reports(reports...)
}

// randomEvents are some of a small site, in the order of arrival: serials come late or not at all, one is used twice, clocks
// differ, some messages have no serial.
func randomEvents(rnd *rand.Rand, n int, span time.Duration) []event {
	states := map[uint32][]uint32{500: {0, 1, 2, 3}, 402: {1, 5, 6, 9, 10}, 400: {2, 3}, 300: {0, 1, 2, 3}, 301: {1, 2, 4, 5, 6},
		302: {1, 2, 3}, 401: {1, 2, 3, 5}, 501: {1, 3, 5}, 9100: {1, 2}}
	ids := map[uint32][]string{500: {"u1", "u2", "u3"}, 402: {"u1", "u2", "b1"}, 400: {"u2"}, 300: {"d1"}, 301: {"d1"},
		302: {"d1"}, 401: {"b1"}, 501: {"wsus"}, 9100: {"x"}}
	topics := slices.Sorted(maps.Keys(states))
	serials := map[int]uint64{}
	var out []event
	for i := range n {
		topic := topics[rnd.IntN(len(topics))]
		e := event{client: 1 + rnd.IntN(6), topic: topic, id: ids[topic][rnd.IntN(len(ids[topic]))],
			state: states[topic][rnd.IntN(len(states[topic]))]}
		serials[e.client] += 1 + uint64(rnd.IntN(2))
		e.serial = serials[e.client]
		switch rnd.IntN(12) {
		case 0:
			e.serial = max(1, e.serial-min(e.serial-1, uint64(rnd.IntN(6)))) // late, or one used twice
		case 1:
			e.serial = 0
		}
		e.arrived = span - time.Duration(i)*span/time.Duration(n)
		e.told = e.arrived + time.Duration(rnd.IntN(600)-60)*time.Second
		out = append(out, e)
	}
	return out
}

// thorough says that everything is asked; make test asks a part of it.
var thorough = os.Getenv("STATEWIRE_TEST_LONG") != ""

// answers are what a small site says of some subjects and lists, over all and over a collection, now or as of a moment.
func (s *ruleSite) answers(asOf string) (out []string) {
	abouts := [][2]string{{"update/u2", "few"}, {"deployment/d1"}, {"baseline/b1"}, {"update/u1"}, {"9100/x"}}
	lists := [][2]string{{"updates"}, {"deployments"}, {"updates", "few"}}
	if !thorough {
		abouts, lists = abouts[:3], lists[:1]
	}
	for _, about := range abouts {
		params := map[string]string{"subject": about[0], "collection": about[1], "as_of": asOf}
		said := s.said("subject", params)
		if behind := s.behind(params); asOf != "" && behind != said {
			s.T.Errorf("%s as of %s: counts %s, machines behind them %s", about, asOf, said, behind)
		}
		out = append(out, fmt.Sprint(about, said))
	}
	for state := range 4 { // the counts of a topic, and the clients behind them
		params := map[string]string{"topic_type": "500", "topic_id": "u2", "state_id": fmt.Sprint(state), "as_of": asOf}
		out = append(out, fmt.Sprint("u2 in state ", state, ": ", len(s.All(s.runner, "clients-in-state", params))))
	}
	for _, list := range lists {
		out = append(out, fmt.Sprint(list, s.lists(list[0], list[1], asOf)))
	}
	return append(out, s.lasts("machine", "", asOf), s.lasts("update", "", asOf), s.lasts("", "update/u2", asOf))
}

// lasts is the last row of a trend.
func (s *ruleSite) lasts(kind, subject, asOf string) string {
	params := map[string]string{"subject": subject, "as_of": asOf, "days": "2"}
	if kind != "" {
		params["kind"] = kind
	}
	rows := s.All(s.runner, "compliance-trend", params)
	if len(rows) == 0 {
		return kind + subject + " none"
	}
	last := rows[len(rows)-1]
	return kind + subject + " " + last["compliant"] + " " + last["not_compliant"] + " " + last["percent"]
}

// What was answered at a moment is what is answered of that moment, whatever came later, came again, was merged or was
// counted anew (P4 of compliance over time).
func TestAsOfSaysWhatTheSiteSaid(t *testing.T) {
	rnd := rand.New(rand.NewPCG(storetest.Seed(t), 1))
	s := newRuleSite(t)
	s.collect("few", 1, 2, 5)
	// Each subject is told of, so that its name means something from the first moment on.
	events := append([]event{{1, 1, 500, "u1", 2, 41 * hour, 41 * hour}, {2, 1, 500, "u2", 2, 41 * hour, 41 * hour},
		{3, 1, 300, "d1", 2, 41 * hour, 41 * hour}, {4, 1, 401, "b1", 2, 41 * hour, 41 * hour},
		{5, 1, 9100, "x", 2, 41 * hour, 41 * hour}}, randomEvents(rnd, 160, 40*hour)...)
	answered := map[string][]string{}
	if !thorough {
		events = events[:len(events)/2]
	}
	for chunk := range slices.Chunk(events, len(events)/2) {
		s.play(chunk...)
		if err := summary.New(time.Second, summary.Deps{Store: s.Store}).Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		answered[s.Now.Add(-chunk[len(chunk)-1].arrived).Format(time.RFC3339Nano)] = s.answers("")
	}
	check := func(when string) {
		t.Helper()
		for at, want := range answered {
			for i, got := range s.answers(at) {
				if got != want[i] {
					t.Errorf("%s, as of %s: %s; the site said %s", when, at, got, want[i])
				}
			}
		}
	}
	if thorough {
		check("later")
	}
	again := slices.Clone(events)
	rnd.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
	for i := range again {
		again[i].arrived = time.Duration(len(again)-i) * time.Second // copies arrive now
	}
	s.play(again[:len(again)/2]...)
	s.play(again[len(again)/2:]...)
	for _, table := range []string{"topic_history", "state_messages", "current_states_data", "instant_states_data"} {
		s.Exec("OPTIMIZE TABLE " + table + " FINAL")
	}
	check("everything loaded again, and merged")
}

// Days that are over are counted as the history says, each in the zone of the site, also when reports of them come late; made
// anew they are the same.
func TestDaysAreCountedAsTheHistorySays(t *testing.T) {
	rnd := rand.New(rand.NewPCG(storetest.Seed(t), 2))
	s := newRuleSite(t)
	zone, err := reports.ParseZone("Europe/Warsaw")
	if err != nil {
		t.Fatal(err)
	}
	s.runner = s.Seed.Runner(func(cfg *reports.Config, _ *reports.Deps) { cfg.Timezone = zone.String() })
	events := randomEvents(rnd, 120, 6*24*time.Hour)
	var late []event
	events = slices.DeleteFunc(events, func(e event) bool {
		if e.arrived < 5*24*time.Hour && e.arrived > 2*24*time.Hour && rnd.IntN(4) == 0 {
			late = append(late, e)
			return true
		}
		return false
	})
	step := func() *summary.Summarizer {
		made := summary.New(time.Second, summary.Deps{Store: s.Store, Zone: zone})
		if err := made.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		return made
	}
	s.play(events...)
	step()
	subjects, kinds, most := []string{"update/u2", "deployment/d1", "baseline/b1"}, []string{"machine", "update", "deployment"}, 2
	if !thorough {
		subjects, kinds, most = subjects[:2], kinds[:1], 5
	}
	check := func(when string) {
		t.Helper()
		for back := 1; back < 6; back += 1 + rnd.IntN(most) {
			day := s.Now.In(zone).AddDate(0, 0, -back)
			end := reports.DayEnd(day, zone)
			for _, subject := range subjects {
				params := map[string]string{"subject": subject, "as_of": day.Format(time.DateOnly)}
				kept := s.said("subject", params)
				params["as_of"] = end.Add(-time.Microsecond).Format(time.RFC3339Nano)
				if then := s.said("subject", params); kept != then && kept != "map[]" {
					t.Errorf("%s: %s on %s: kept %s, counted %s", when, subject, end, kept, then)
				}
			}
			asOf := end.Add(-time.Microsecond).Format(time.RFC3339Nano)
			for _, kind := range kinds {
				trend := ""
				for _, row := range s.All(s.runner, "compliance-trend", map[string]string{"kind": kind}) {
					if row["day"] == day.Format(time.DateOnly) {
						trend = kind + " " + row["compliant"] + " " + row["not_compliant"] + " " + row["percent"]
					}
				}
				if then := s.lasts(kind, "", asOf); trend != then {
					t.Errorf("%s: trend of %s on %s: kept %q, counted %q", when, kind, end, trend, then)
				}
			}
		}
		s.burnsDown(when, "update/u2", zone.String())
	}
	if thorough {
		check("first")
	}
	s.play(late...)
	made := step()
	check("late reports")
	sums := "SELECT groupBitXor(sipHash64(kind, day, topic_id, topic_type, good, bad, na_said, na_implied, not_known, scope_clients)) " +
		"FROM subject_days FINAL"
	before := s.scalar(sums)
	if _, err := made.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := s.scalar(sums); after != before {
		t.Errorf("days made anew are others")
	}
	if thorough {
		check("made anew")
	}
}

func (s *ruleSite) scalar(query string) (n uint64) {
	s.T.Helper()
	if err := s.Store.Conn().QueryRow(s.T.Context(), query).Scan(&n); err != nil {
		s.T.Fatal(err)
	}
	return n
}

// burnsDown holds the days of a burn-down against each other, and its last row against the subject.
func (s *ruleSite) burnsDown(when, subject, tz string) {
	s.T.Helper()
	rows := s.All(s.runner, "burn-down", map[string]string{"subject": subject, "tz": tz})
	remaining, ever := 0, 0
	for _, row := range rows {
		n := number(s.T, row["remaining"])
		if grown := number(s.T, row["newly_required"]) - number(s.T, row["fixed"]); n-remaining != grown {
			s.T.Errorf("%s: %s: %v follows %d", when, subject, row, remaining)
		}
		if remaining, ever = n, ever+number(s.T, row["newly_required"]); number(s.T, row["needed_ever"]) != ever {
			s.T.Errorf("%s: %s: %v, needed %d so far", when, subject, row, ever)
		}
	}
	lacks := 0
	for _, row := range s.All(s.runner, "subject", map[string]string{"subject": subject}) {
		if slices.Contains([]string{"bad", "pending", "restart", "failed"}, row["class"]) {
			lacks += number(s.T, row["machines"])
		}
	}
	if remaining != lacks || len(rows) < 4 {
		s.T.Errorf("%s: %s: %d rows end with %d, the subject says %d", when, subject, len(rows), remaining, lacks)
	}
}

// Every report of compliance runs over all, over a collection, as of a day's end, as of a moment, in another zone.
func TestReportsOfComplianceRunAsOfAnything(t *testing.T) {
	s := newRuleSite(t)
	s.collect("few", 1, 2, 5)
	s.target("d1", "few")
	s.play(randomEvents(rand.New(rand.NewPCG(3, 3)), 120, 120*hour)...)
	s.Exec("INSERT INTO topic_titles (topic_id, source, title, grp, released, version) VALUES ('u1', 'file', 'One', 'g', '" +
		s.Now.AddDate(0, 0, -3).Format(time.DateOnly) + "', 1)")
	if err := summary.New(time.Second, summary.Deps{Store: s.Store}).Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	turn := rand.IntN(5) // make test runs a fifth
	of := map[string]map[string]string{
		"subject": {"subject": "update/u1"}, "subject-machines": {"subject": "deployment/d1"}, "not-known": {"subject": "update/u2"},
		"burn-down": {"subject": "update/u1"}, "client-timeline": {"client": reportstest.ID(1).String()},
		"compliance": {"topic_type": "500", "topic_id": "u1"}, "clients-in-state": {"topic_type": "500", "state_id": "2"},
		"client-states": {"client": reportstest.ID(1).String()},
	}
	for _, report := range s.runner.Catalog().List() {
		takes := func(name string) bool {
			return slices.ContainsFunc(report.Params, func(p reports.Param) bool { return p.Name == name })
		}
		if !takes("as_of") {
			continue
		}
		turn++
		day := s.Now.AddDate(0, 0, -2).Format(time.DateOnly)
		for i, more := range []map[string]string{
			{"as_of": day}, {"as_of": day, "tz": "Asia/Kathmandu"}, {"as_of": s.Now.Add(-50 * hour).Format(time.RFC3339)},
			{"collection": "few"}, {"collection": "few", "as_of": day}, {"tz": "America/New_York"}, {"group": "g", "as_of": day},
			{"since": "released"}, {"kind": "update", "collection": "few"},
		} {
			if !thorough && i%5 != turn%5 {
				continue
			}
			params := maps.Clone(of[report.Name])
			if params == nil {
				params = map[string]string{}
			}
			maps.Copy(params, more)
			if maps.DeleteFunc(params, func(name, _ string) bool { return !takes(name) }); len(params) < len(more) {
				continue
			}
			s.All(s.runner, report.Name, params)
		}
	}
}

// Three machines need it on day 0, two have it on days 3 and 10, one is open for 20 days.
func TestTimeToRemediate(t *testing.T) {
	s := newRuleSite(t)
	s.collect("all", 1, 2, 3)
	s.report(1, 3, 500*hour)
	at := func(days int) time.Duration { return time.Duration(20-days) * 24 * hour }
	s.tell(1, 3, 500, "u1", 2, at(0), at(0))
	s.tell(1, 1, 402, "u1", 6, at(1), at(1)) // it failed, which is no end
	s.tell(1, 1, 500, "u1", 3, at(3), at(3))
	s.tell(2, 2, 500, "u1", 3, at(10), at(10))
	s.tell(1, 1, 500, "u1", 3, at(12), at(12)) // said again, it takes no longer
	s.tell(1, 2, 500, "u2", 2, at(1), at(1))
	s.tell(1, 1, 500, "u2", 1, at(2), at(2)) // does not need it, as it turned out
	made := summary.New(time.Second, summary.Deps{Store: s.Store})
	if err := made.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer reports.KeepFrom(0)()
	for _, params := range []map[string]string{
		{"subject": "update/u1"}, {"subject": "update/u1", "collection": "all"}, {"subject": "update/u1", "tz": "Asia/Tokyo"},
	} {
		rows := s.All(s.runner, "time-to-remediate", params)
		if len(rows) != 1 {
			t.Fatalf("%v: %d rows", params, len(rows))
		}
		r := rows[0]
		got := strings.Join([]string{r["required_ever"], r["fixed"], r["open"], r["p50_days"], r["p90_days"], r["within_7d"],
			r["within_14d"], r["within_30d"]}, " ")
		if want := "3 2 1 3 10 33.3 66.6 100"; got != want {
			t.Errorf("%v: %s, want %s", params, got, want)
		}
	}
	rows := s.All(s.runner, "time-to-remediate", nil)
	if len(rows) != 2 || rows[0]["topic_id"] != "u1" || rows[1]["required_ever"] != "1" {
		t.Errorf("the list is %v", rows)
	}
	var kept, counted []string
	for _, params := range []map[string]string{{"subject": "update/u2"}, {"subject": "update/u2", "collection": "all"}} {
		for _, row := range s.All(s.runner, "burn-down", params) {
			line := strings.Join([]string{row["day"], row["remaining"], row["fixed"], row["newly_required"], row["needed_ever"]}, " ")
			if params["collection"] == "" {
				kept = append(kept, line)
			} else {
				counted = append(counted, line)
			}
		}
	}
	if !slices.Equal(kept, counted) || len(kept) < 19 {
		t.Errorf("kept %v\ncounted %v", kept, counted)
	}
	s.tell(3, 3, 500, "u1", 3, at(15), at(15)) // and so nobody is open
	if err := summary.New(time.Second, summary.Deps{Store: s.Store}).Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, collection := range []string{"", "all"} {
		r := s.All(s.runner, "time-to-remediate", map[string]string{"subject": "update/u1", "collection": collection})[0]
		if got := r["required_ever"] + " " + r["fixed"] + " " + r["open"]; got != "3 3 0" {
			t.Errorf("in %q, once all have it: %s, want 3 3 0", collection, got)
		}
	}
}

// A change at half past eleven at night in one zone is one of the next day in another.
func TestDaysAreThoseOfTheZone(t *testing.T) {
	s := newRuleSite(t)
	s.report(1, 2, 130*hour) // whatever time of day it is, the day before the change is in the history
	day := s.Now.UTC().AddDate(0, 0, -3).Truncate(24 * time.Hour)
	at := s.Now.Sub(day.Add(23*time.Hour + 30*time.Minute))
	s.tell(1, 1, 500, "u1", 2, 120*hour, 120*hour)
	s.tell(1, 1, 500, "u1", 3, at, at)
	for zone, want := range map[string]time.Time{"UTC": day, "America/New_York": day, "Europe/Warsaw": day.AddDate(0, 0, 1)} {
		for _, row := range s.All(s.runner, "burn-down", map[string]string{"subject": "update/u1", "tz": zone}) {
			if fixed := row["day"] == want.Format(time.DateOnly); fixed != (row["fixed"] == "1") {
				t.Errorf("%s: fixed on %s: %s", zone, row["day"], row["fixed"])
			}
		}
		before, after := want.AddDate(0, 0, -1).Format(time.DateOnly), want.Format(time.DateOnly)
		for as, said := range map[string]string{before: "map[bad:1]", after: "map[compliant:1]"} {
			got := s.said("subject", map[string]string{"subject": "update/u1", "as_of": as, "tz": zone})
			if got != said {
				t.Errorf("%s: as of %s it is %s, want %s", zone, as, got, said)
			}
		}
	}
}

// behind counts the machines behind the lines that clients said.
func (s *ruleSite) behind(params map[string]string) string {
	counts := map[string]int{}
	for _, row := range s.All(s.runner, "subject-machines", params) {
		if row["class"] != "said_nothing" {
			counts[row["class"]]++
		}
	}
	return fmt.Sprint(counts)
}

// lists are the figures of a list that clients said.
func (s *ruleSite) lists(report, collection, asOf string) string {
	s.T.Helper()
	params := map[string]string{"collection": collection, "as_of": asOf}
	var out []string
	for _, row := range s.All(s.runner, report, params) {
		out = append(out, strings.Join([]string{row["topic_id"], row["compliant"] + row["success"], row["bad"],
			row["pending"] + row["in_progress"], row["restart"], row["failed"] + row["error"], row["percent"]}, " "))
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}
