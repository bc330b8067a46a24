package reports_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

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
			Topic: e.topic, ID: e.id, State: e.state})
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

// answers are what a small site says of some subjects and lists, over all and over a collection, now or as of a moment.
func (s *ruleSite) answers(asOf string) (out []string) {
	for _, about := range [][2]string{{"update/u1"}, {"update/u2", "few"}, {"deployment/d1"}, {"baseline/b1"}, {"9100/x"}} {
		params := map[string]string{"subject": about[0], "collection": about[1], "as_of": asOf}
		said := s.said("subject", params)
		if behind := s.behind(params); asOf != "" && behind != said {
			s.T.Errorf("%s as of %s: counts %s, machines behind them %s", about, asOf, said, behind)
		}
		out = append(out, fmt.Sprint(about, said))
	}
	for _, list := range [][2]string{{"updates"}, {"updates", "few"}, {"deployments"}} {
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
	events := append([]event{{1, 1, 500, "u1", 2, 721 * hour, 721 * hour}, {2, 1, 500, "u2", 2, 721 * hour, 721 * hour},
		{3, 1, 300, "d1", 2, 721 * hour, 721 * hour}, {4, 1, 401, "b1", 2, 721 * hour, 721 * hour},
		{5, 1, 9100, "x", 2, 721 * hour, 721 * hour}}, randomEvents(rnd, 160, 720*hour)...)
	answered := map[string][]string{}
	for chunk := range slices.Chunk(events, 55) {
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
	check("later")
	again := slices.Clone(events)
	rnd.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
	for i := range again {
		again[i].arrived = time.Duration(len(again)-i) * time.Second // copies arrive now
	}
	s.play(again[:80]...)
	s.play(again[80:]...)
	for _, table := range []string{"topic_history", "state_messages", "current_states_data", "instant_states_data"} {
		s.Exec("OPTIMIZE TABLE " + table + " FINAL")
	}
	check("everything loaded again, and merged")
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
