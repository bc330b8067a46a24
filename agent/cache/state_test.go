package cache

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"statewire/smx"
)

// What is raised is what arrives, byte for byte, and two topics are never one: neither in the store nor in a report.
func TestATextArrivesAsItWasRaisedOrIsRefused(t *testing.T) {
	carried := []string{"\t", "\n", "\r", " ", "<", "&", "\"", "]]>", "\x7f", "\u0085", "\u2028", "ö", "\uFFFD",
		"\U0001F600", "\U0010FFFF", "a"}
	others := []string{"\x00", "\x01", "\x1f", "\uFFFE", "\uFFFF", "\xed\xa0\x80", "\xff", "\xc3"}
	random := rand.New(rand.NewPCG(1, 2))
	text := func() (s string) {
		for range 1 + random.IntN(4) {
			if random.IntN(25) > 0 {
				s += carried[random.IntN(len(carried))]
			} else {
				s += others[random.IntN(len(others))]
			}
		}
		return s
	}
	keys, arrived, refused := map[string]string{}, map[string]string{}, 0
	for range 2000 {
		s := detected(text(), 1)
		s.User, s.UserSID, s.Details, s.Params = text(), text(), text(), []string{text(), ""}
		if s.Check() != nil {
			texts := s.TopicID + s.User + s.UserSID + s.Details + s.Params[0]
			if refused++; smx.Spell(texts) == texts {
				t.Fatalf("%+q is refused for nothing", fmt.Sprint(s.Message))
			}
			continue
		}
		got, err := throughAReport(s.Message)
		if err != nil {
			t.Fatalf("%q does not arrive: %v", fmt.Sprint(s.Message), err)
		}
		if got.TopicID != s.TopicID || got.User != s.User || got.UserSID != s.UserSID || got.Details != s.Details ||
			got.Params[0] != s.Params[0] {
			t.Fatalf("raised %q, arrived %q", fmt.Sprint(s.Message), fmt.Sprint(got))
		}
		for where, table := range map[string]map[string]string{string(stateKey(&s)): keys, got.TopicID: arrived} {
			if other, ok := table[where]; ok && other != s.TopicID {
				t.Fatalf("topics %q and %q are one", other, s.TopicID)
			}
			table[where] = s.TopicID
		}
	}
	if refused < 300 || len(arrived) < 300 {
		t.Errorf("%d refused and %d topics arrived: the test tried too little", refused, len(arrived))
	}
}

// throughAReport is the message as a site reads it.
func throughAReport(m smx.Message) (smx.Message, error) {
	var batch smx.Batch
	header := smx.Header{Client: testClient, Priority: smx.NoPriority}
	if err := smx.NewDecoder().Decode(smx.AppendReport(nil, &smx.Report{Header: header, Messages: []smx.Message{m}}),
		&batch); err != nil {
		return smx.Message{}, err
	}
	if batch.Len() != 1 {
		return smx.Message{}, fmt.Errorf("%d messages arrived", batch.Len())
	}
	return batch.Message(0), nil
}

// At the limit a state is taken and arrives; one byte more is refused with the limit.
func TestLimitsOfAState(t *testing.T) {
	for _, tt := range []struct {
		name string
		most int
		set  func(s *State, n int)
	}{
		{"topic id", smx.MaxAttributeBytes, func(s *State, n int) { s.TopicID = strings.Repeat("&", n) }},
		{"user", smx.MaxAttributeBytes, func(s *State, n int) { s.User = strings.Repeat("\"", n) }},
		{"user SID", smx.MaxAttributeBytes, func(s *State, n int) { s.UserSID = strings.Repeat("<", n) }},
		{"details", smx.MaxDetailsBytes, func(s *State, n int) { s.Details = strings.Repeat("\r", n) }},
		{"parameter 1", smx.MaxTextBytes, func(s *State, n int) { s.Params = []string{strings.Repeat("&", n)} }},
		{"title", smx.MaxTitle, func(s *State, n int) { s.Title = strings.Repeat("é", n) }},
		{"parameters", smx.MaxParams, func(s *State, n int) { s.Params = make([]string, n) }},
	} {
		s := detected("a", 1)
		tt.set(&s, tt.most)
		if err := s.Check(); err != nil {
			t.Errorf("%s at the limit: %v", tt.name, err)
		}
		if _, err := throughAReport(s.Message); err != nil {
			t.Errorf("%s at the limit does not arrive: %v", tt.name, err)
		}
		tt.set(&s, tt.most+1)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), fmt.Sprint(tt.most)) {
			t.Errorf("%s above the limit: %v; want a refusal that names %d", tt.name, err, tt.most)
		}
	}
}
