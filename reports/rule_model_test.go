package reports_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"statewire/reports"
	"statewire/reports/reportstest"
	"statewire/reports/summary"
)

// modelClient is all that the rule asks of a client. Times are hours ago, 0 is never.
type modelClient struct {
	states              map[uint32]modelState // of the subject, by topic type
	scan                int
	scanned, wrong, gap bool
	unsent, silent      bool
	member, inWeb       bool
}

type modelState struct {
	serial uint64
	class  string
}

// modelSubject is what the rule asks of a subject.
type modelSubject struct {
	kind            string
	leading, detail []uint32
	targeted        bool
	seen            int
}

// place is the rule of docs/compliance.md, line by line.
func (s modelSubject) place(c modelClient) string {
	said := s.said(c)
	switch {
	case s.targeted && !c.member:
		return "outside"
	case said != "":
		return said
	case !s.targeted && s.kind == "update" && c.scanned && c.scan > 0 && c.scan <= s.seen && !c.gap:
		return "not_applicable_implied"
	case !s.targeted && !(s.kind == "update" && c.scanned):
		return "outside"
	case c.gap:
		return "not_known gap"
	case c.unsent:
		return "not_known unsent"
	case c.silent:
		return "not_known silent"
	case c.wrong && c.scan == 0:
		return "not_known clock"
	case s.kind == "update" && (c.scan == 0 || c.scan > s.seen):
		return "not_known not_scanned"
	}
	return "not_known never_told"
}

// said is the class of what a client says: of its leading state, or more exactly of a detail.
func (s modelSubject) said(c modelClient) string {
	var progress, latest modelState
	for _, topic := range s.detail {
		state := c.states[topic]
		if state.serial > latest.serial {
			latest = state
		}
		switch state.class {
		case "pending", "restart", "failed":
			if state.serial > progress.serial {
				progress = state
			}
		}
	}
	for _, topic := range s.leading {
		if state := c.states[topic]; state.class == "bad" && progress.class != "" {
			return progress.class
		} else if state.class != "" {
			return state.class
		}
	}
	return latest.class
}

// stateClasses has states of each class that a topic type has.
var stateClasses = map[uint32][]string{
	500: {"said_unknown", "not_applicable", "bad", "compliant", "said_unknown"},
	400: {"said_unknown", "not_applicable", "bad", "compliant"},
	402: {"said_unknown", "pending", "pending", "pending", "pending", "restart", "failed"},
	300: {"said_unknown", "compliant", "bad", "failed"}, 301: {"said_unknown", "pending", "restart", "pending", "compliant"},
	302: {"said_unknown", "pending", "compliant", "failed"},
	401: {"said_unknown", "compliant", "bad", "failed", "failed", "not_applicable"},
}

// Small random sites: subject and subject-machines put each client where the rule does, for the site and a collection,
// with a target and without.
func TestTheRuleIsWhatItsModelSays(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 14))
	for _, subject := range []modelSubject{
		{kind: "update", leading: []uint32{500, 400}, detail: []uint32{402}, seen: 5},
		{kind: "deployment", leading: []uint32{300}, detail: []uint32{301, 302}, seen: 5},
		{kind: "baseline", leading: []uint32{401}, detail: []uint32{402}, seen: 5},
	} {
		s := newRuleSite(t)
		clients := make([]modelClient, 8)
		s.collect("members", memberOf(clients, random, func(c *modelClient) { c.member = true })...)
		s.collect("web", memberOf(clients, random, func(c *modelClient) { c.inWeb = true })...)
		s.tell(99, 99, subject.leading[0], "x", 1, 5*time.Hour, 5*time.Hour) // it makes the subject, and is no client any more
		s.Exec(fmt.Sprintf("INSERT INTO client_retirements (client_id, state) VALUES ('%s', 'retired')", reportstest.ID(99)))
		for i := range clients {
			clients[i].happen(s, i+1, subject, random)
		}
		for _, targeted := range []bool{false, true} {
			if subject.targeted = targeted; targeted {
				s.target("x", "members")
			}
			compare(t, s, subject, clients, "")
			if targeted {
				compare(t, s, subject, clients, "web")
			}
			kept(t, s, subject.kind+"/x")
		}
	}
}

// kept holds the site's counts that the summaries keep against those counted at once, then leaves them out again.
func kept(t *testing.T, s *ruleSite, subject string) {
	t.Helper()
	counted := s.stand(subject, "")
	if err := summary.New(time.Second, summary.Deps{Store: s.Store}).Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer reports.KeepFrom(0)()
	if got := s.stand(subject, ""); got != counted {
		t.Errorf("%s is kept as\n%s\ncounted as\n%s", subject, got, counted)
	}
	s.Exec("TRUNCATE TABLE subject_counts")
}

func memberOf(clients []modelClient, random *rand.Rand, join func(*modelClient)) (ids []int) {
	for i := range clients {
		if random.IntN(2) == 0 {
			join(&clients[i])
			ids = append(ids, i+1)
		}
	}
	return ids
}

// happen makes the client known, and lets it tell and suffer this and that.
func (c *modelClient) happen(s *ruleSite, n int, subject modelSubject, random *rand.Rand) {
	c.states = map[uint32]modelState{}
	one := func(of int) bool { return random.IntN(of) == 0 }
	seen := time.Hour
	if c.silent = one(4); c.silent {
		seen = 20 * reportstest.Day
	}
	s.report(n, n, seen)
	speaks := one(2)
	for i, topic := range append(append([]uint32{}, subject.leading...), subject.detail...) {
		if speaks && !one(3) {
			state := random.IntN(len(stateClasses[topic]))
			told := 4*time.Hour + time.Duration(i)*time.Minute // by a clock that is set back: the serial says what came last
			s.tell(n, n, topic, "x", uint32(state), told, 4*time.Hour)
			c.states[topic] = modelState{s.serial, stateClasses[topic][state]}
		}
	}
	if c.scanned = !one(3); c.scanned {
		hours := []int{3, 5, 9, 0}[random.IntN(4)]
		if c.scan, c.wrong = hours, hours == 0; c.wrong {
			s.tell(n, n, 501, "apt", 3, -9*time.Hour, time.Hour)
		} else {
			s.tell(n, n, 501, "apt", 3, time.Duration(hours)*time.Hour, time.Hour)
		}
	}
	if c.gap = one(5); c.gap {
		s.missing(n, true)
	}
	if c.unsent = one(5); c.unsent {
		s.Exec(fmt.Sprintf("INSERT INTO client_caches (client_id, unsent, claimed_time) VALUES ('%s', 2, now())",
			reportstest.ID(n)))
	}
}

func compare(t *testing.T, s *ruleSite, subject modelSubject, clients []modelClient, collection string) {
	t.Helper()
	want := map[string]string{}
	for i, c := range clients {
		if collection == "" || c.inWeb {
			want[reportstest.ID(i+1).String()] = subject.place(c)
		}
	}
	s.stand(subject.kind+"/x", collection) // holds the counts against the machines
	for _, row := range s.machines {
		got := row["class"]
		if row["cause"] != "" {
			got += " " + row["cause"]
		}
		if got != want[row["client_id"]] {
			t.Errorf("%+v in %q: client %s is %q, want %q", subject, collection, row["client_id"], got, want[row["client_id"]])
		}
		delete(want, row["client_id"])
	}
	if len(want) > 0 {
		t.Errorf("%+v in %q: nothing says where %v are", subject, collection, want)
	}
}

// Clocks are set: of two details the one of the greater serial came last, however early it says that it was.
func TestTheRuleIsThatTheGreaterSerialSaysWhatCameLast(t *testing.T) {
	s := newRuleSite(t)
	s.report(1, 1, time.Hour)
	s.tell(1, 1, 301, "x", 2, 4*time.Hour, 4*time.Hour)
	s.tell(1, 1, 302, "x", 3, 5*time.Hour, 4*time.Hour)
	s.stand("deployment/x", "")
	if len(s.machines) != 1 || s.machines[0]["class"] != "failed" {
		t.Errorf("the machine stands as %v, want failed", s.machines)
	}
}
