package explain_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"statewire/reports"
	"statewire/reports/explain"
	"statewire/reports/reportstest"
)

// TestEachBrokenClientIsExplained asks once about each: an explanation takes long.
func TestEachBrokenClientIsExplained(t *testing.T) {
	s, explained := reportstest.BrokenClients(t), map[int]*explain.Explanation{}
	r := s.Explainer()
	for n := 1; n <= reportstest.LastBroken; n++ {
		e, err := r.Explain(t.Context(), id(n).String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		explained[n] = e
	}
	t.Run("in words of its own", func(t *testing.T) { explainedInWords(s, t, explained) })
	t.Run("and each sentence rests on a stored fact", func(t *testing.T) { sentencesRest(s, t, explained) })
}

// explainedInWords holds the first sixteen against the golden text.
func explainedInWords(s *reportstest.Site, t *testing.T, explained map[int]*explain.Explanation) {
	var all strings.Builder
	causes := map[int]string{
		1: "unknown_client", 2: "never_reported", 3: "not_loaded", 4: "set_aside", 5: "gap", 6: "silent", 7: "waiting",
		8: "conflict", 9: "differs",
		10: "unconfirmed", 11: "connected_silent", 12: "gap_claimed", 13: "complete", 14: "settled", 15: "resync_requested",
		16: "silent",
	}
	for n := 1; n <= len(causes); n++ {
		e, found := explained[n], false
		for _, fact := range e.Facts {
			found = found || fact.Code == causes[n]
		}
		if !found {
			t.Errorf("client %d: no fact %s in\n%s", n, causes[n], e)
		}
		fmt.Fprintf(&all, "%s\n", relative(s, e.String()))
	}
	golden(t, "explain.golden", all.String())
}

func TestATopicIsExplained(t *testing.T) {
	s := reportstest.BrokenClients(t)
	r := s.Explainer()
	var all strings.Builder
	for _, c := range []struct {
		client, topic, code string
	}{
		{"pc-0013", "500/here", "topic_state"}, {"PC-0013", "500/other", "topic_never_told"},
		{"PC-0010", "500/gone", "topic_unconfirmed"},
		{"PC-0005", "500/here", "topic_in_gap"}, {"PC-0004", "500/here", "topic_set_aside"},
		{"PC-0007", "501/WSUS/a", "topic_not_loaded"},
		{id(2).String(), "500/here", "topic_never_reported"}, {"PC-0011", "402/x", "topic_unsent"},
		{"PC-0017", "500/here", "topic_paused"}, {"PC-0017", "402/here", "topic_never_told"},
	} {
		topic, err := explain.ParseTopic(c.topic)
		if err != nil {
			t.Fatal(err)
		}
		e, err := r.Explain(t.Context(), c.client, topic)
		if err != nil {
			t.Fatal(err)
		}
		text := e.Summary + "\n"
		for _, fact := range e.Facts {
			if strings.HasPrefix(fact.Code, "topic_") {
				text += "  " + fact.Code + ": " + fact.Text + "\n"
			}
		}
		if !strings.Contains(text, c.code) {
			t.Errorf("%s %s: no fact %s in\n%s", c.client, c.topic, c.code, text)
		}
		all.WriteString(relative(s, text))
	}
	golden(t, "explain-topic.golden", all.String())
	for _, bad := range []string{"", "500", "x/1", "-1/x", "4294967296/x"} {
		if _, err := explain.ParseTopic(bad); err == nil {
			t.Errorf("%q is a topic", bad)
		}
	}
}

func TestAPollThatDoesNotTellOfItsStatesSaysNothingOfThem(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 9, 3*day)
	s.Polled(1, 9, 0, math.MaxUint32, hour)
	if facts := s.Explained(1); facts["unsent"] != "" || facts["no_states"] != "" || facts["quiet"] != "" ||
		facts["connected_silent"] == "" {
		t.Errorf("%v", facts)
	}
	rows := s.All(s.Runner(), "silent-clients", nil)
	expect(t, lines(rows, "netbios_name", "verdict", "unsent"), "PC-0001 | connected but silent | ")
	rows = s.All(s.Runner(), "unknown-clients", map[string]string{"topic_type": "500"})
	expect(t, lines(rows, "reason", "unsent"), "never reported on this topic | ")
}

func TestWhatAClientSaidOfItsStatesEndsWithItsNextReport(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 9, hour) // its states came after it said that they wait
	s.Polled(1, 9, 9, 9, 2*hour)
	s.Client(2, 9, 2*hour)
	s.Polled(2, 9, 9, 9, hour)
	if facts := s.Explained(1); facts["unsent"] != "" {
		t.Errorf("%v", facts)
	}
	if facts := s.Explained(2); !strings.Contains(facts["unsent"], "9 of its states wait") {
		t.Errorf("%v", facts)
	}
}

func TestAStateWhoseMessageIsNoLongerStoredHasItsName(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Client(1, 9, hour)
	s.Messages(message{Client: 1, Serial: 4, Ago: 2 * hour, Topic: 500, ID: "a", State: 2})
	s.Exec(fmt.Sprintf("ALTER TABLE state_messages DELETE WHERE client_id = '%s' SETTINGS mutations_sync = 2", id(1)))
	trace, err := s.Explainer().Trace(t.Context(), "PC-0001", 4)
	if err != nil {
		t.Fatal(err)
	}
	if text := trace.Hops[0].Text; trace.Verdict != "dropped" ||
		!strings.HasSuffix(text, "state 2 (Update is required) on update detection 500/a.") {
		t.Errorf("%s: %s", trace.Verdict, text)
	}
}

func TestWhenAResyncIsDueNamesWhatPutsItOff(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Checked(20 * time.Minute)
	for client, issued := range map[int]time.Duration{1: 0, 2: 10 * hour, 3: 71 * hour} {
		s.Client(client, 9, hour)
		s.Arrived(client, 12, 50)
		s.Missing(client, 10, 11, 2*hour)
		if issued > 0 {
			s.Issued(client, 1, "missing", 3, issued)
			s.Messages(message{Client: client, Serial: 5, Ago: issued - 30*time.Minute, Topic: 700, ID: "x", State: 2,
				Params: []string{"3"}})
		}
	}
	for client, want := range map[int]string{1: "has to be missing for 48 h first", 2: "asked at most once in 72 h",
		3: "has to be missing for 48 h first"} {
		e, err := s.Explainer().Explain(t.Context(), id(client).String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(e.Next[0].Text, want) {
			t.Errorf("client %d: %s", client, e.Next[0].Text)
		}
	}
}

func TestFilesThatNobodyLoadsAreSaidToWaitForALoader(t *testing.T) {
	s := reportstest.NewSite(t)
	s.Held[id(1)] = explain.Held{Files: []explain.HeldFile{{Box: "normal", Name: "a.SMX", Since: s.Now.Add(-time.Minute),
		Names: true}}, Stopped: true}
	e, err := s.Explainer().Explain(t.Context(), id(1).String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if reportstest.Codes(e)["loader_stopped"] == "" || !strings.Contains(e.Next[0].Text, "`statewire ingest --once`") ||
		e.Next[0].At != nil {
		t.Errorf("%s", e)
	}
}

func TestAClientIsFoundByIdOrNameAndNamesakesAreTold(t *testing.T) {
	s := reportstest.BrokenClients(t)
	s.Reports(report{Client: 40, Name: "twin", Received: hour, File: "a"},
		report{Client: 41, Name: "TWIN", Received: 2 * hour, File: "b"})
	r := s.Explainer()
	for _, text := range []string{"pc-0013", " PC-0013 ", id(13).String(), "GUID:" + strings.ToUpper(id(13).String()),
		"guid:" + id(13).String()} {
		if got, err := r.FindClient(t.Context(), text); err != nil || got != id(13) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	var several *explain.AmbiguousError
	if _, err := r.Explain(t.Context(), "Twin", nil); !errors.As(err, &several) || len(several.Clients) != 2 ||
		several.Clients[0].ID != id(40) {
		t.Errorf("%v", err)
	}
	e, err := r.Explain(t.Context(), "NOBODY", nil)
	if err != nil || e.Facts[0].Code != "unknown_name" {
		t.Errorf("%v %v", e, err)
	}
	if _, err := r.Trace(t.Context(), "NOBODY", 1); !errors.Is(err, explain.ErrNoClient) {
		t.Error(err)
	}
}

func TestANameNobodyHasGetsNoId(t *testing.T) {
	e, err := reportstest.NewSite(t).Explainer().Explain(t.Context(), "NOBODY", nil)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := e.Write(&out, reports.JSON); err != nil {
		t.Fatal(err)
	}
	if text := e.String() + out.String(); strings.Contains(text, "0000-") || !strings.HasPrefix(text, "NOBODY\n") {
		t.Errorf("%s", text)
	}
}
