package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"

	"statewire/smx"
)

// Each text of a state, by its name in a refusal.
var stateTexts = map[string]func(*State) *string{
	"topic id":    func(s *State) *string { return &s.TopicID },
	"user":        func(s *State) *string { return &s.User },
	"user SID":    func(s *State) *string { return &s.UserSID },
	"details":     func(s *State) *string { return &s.Details },
	"parameter 2": func(s *State) *string { return &s.Params[1] },
}

func TestWhatXMLCannotCarryIsRefusedByNameAndPlace(t *testing.T) {
	for text, want := range map[string]string{
		"job\x01":      "character 4 is U+0001",
		"\x00":         "character 1 is U+0000",
		"öb\uFFFE":     "character 3 is U+FFFE",
		"\uFFFF":       "character 1 is U+FFFF",
		"j\xff":        "character 2 is byte 0xFF",
		"\xed\xa0\x80": "character 1 is U+D800",
	} {
		for field, of := range stateTexts {
			a, memory, _ := testAgent(t, 0)
			s := detected("a", 1)
			s.Params = []string{"p", "q"}
			*of(&s) = text
			err := a.Raise(detected("sound", 1), s)
			if err == nil || !strings.HasPrefix(err.Error(), field+" of topic 500: "+want) || waiting(t, memory) != 0 {
				t.Errorf("%q as %s: %v, %d waiting; want %q and nothing kept", text, field, err, waiting(t, memory), want)
			}
		}
	}
}

// What is raised is what arrives, byte for byte, and two topics are never one: neither in the store nor in a report.
func TestATextArrivesAsItWasRaisedOrIsRefused(t *testing.T) {
	carried := []string{"\t", "\n", "\r", " ", "<", "&", "\"", "]]>", "\x7f", "\u0085", "\u2028", "ö", "\uFFFD", "\U0001F600", "\U0010FFFF", "a"}
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
		if s.check() != nil {
			if refused++; smx.Spell(s.TopicID+s.User+s.UserSID+s.Details+s.Params[0]) == s.TopicID+s.User+s.UserSID+s.Details+s.Params[0] {
				t.Fatalf("%+q is refused for nothing", fmt.Sprint(s.Message))
			}
			continue
		}
		got, err := throughAReport(s.Message)
		if err != nil {
			t.Fatalf("%q does not arrive: %v", fmt.Sprint(s.Message), err)
		}
		if got.TopicID != s.TopicID || got.User != s.User || got.UserSID != s.UserSID || got.Details != s.Details || got.Params[0] != s.Params[0] {
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
	header := smx.Header{Client: testIdentity.Client, Priority: smx.NoPriority}
	if err := smx.NewDecoder().Decode(smx.AppendReport(nil, &smx.Report{Header: header, Messages: []smx.Message{m}}), &batch); err != nil {
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
		{"parameters", smx.MaxParams, func(s *State, n int) { s.Params = make([]string, n) }},
	} {
		s := detected("a", 1)
		tt.set(&s, tt.most)
		if err := s.check(); err != nil {
			t.Errorf("%s at the limit: %v", tt.name, err)
		}
		if _, err := throughAReport(s.Message); err != nil {
			t.Errorf("%s at the limit does not arrive: %v", tt.name, err)
		}
		tt.set(&s, tt.most+1)
		if err := s.check(); err == nil || !strings.Contains(err.Error(), fmt.Sprint(tt.most)) {
			t.Errorf("%s above the limit: %v; want a refusal that names %d", tt.name, err, tt.most)
		}
	}
}

// JSON decoders put U+FFFD where text is none: two topics would become one before anybody looked.
func TestTheSocketRefusesTextThatJSONWouldChange(t *testing.T) {
	o := operate(t)
	plain := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialSocket(ctx, o.dir)
	}}}
	for topicID, want := range map[string]string{
		`job\ud800`:               `byte 46 is U+D800, half of a character`,
		`job\udc00\ud800`:         `byte 46 is U+DC00`,
		`job\ud800\u0041`:         `byte 46 is U+D800`,
		`\\\ud83dx`:               `byte 45 is U+D83D`,
		"job\xff":                 `byte 46 is byte 0xFF, which is no UTF-8`,
		"\xed\xa0\x80":            `byte 43 is U+D800`,
		`job\u0001`:               `topic id of topic 9100: character 4 is U+0001`,
		"\uFFFE":                  `character 1 is U+FFFE`,
		`job\\ud800 \ud83d\ude00`: ``,
		`\uFFFD`:                  ``,
	} {
		body := `{"states":[{"topic_type":9100,"topic_id":"` + topicID + `","state_id":1}]}`
		resp, err := plain.Post("http://agent/v1/states", "application/json", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if accepted := want == ""; (resp.StatusCode == http.StatusOK) != accepted || !strings.Contains(string(said), want) {
			t.Errorf("%q: %d %s, want %q", topicID, resp.StatusCode, said, want)
		}
	}
	_, err := o.client.Raise(t.Context(), RaiseRequest{States: []RaisedState{{TopicType: 9100, TopicID: "job\xfe", StateID: 1}}})
	var refused *SocketError
	if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest || !strings.Contains(refused.Text, "character 4 is byte 0xFE") {
		t.Errorf("the client's own request: %v", err)
	}
	if n := waiting(t, o.store); n != 2 {
		t.Errorf("%d topics are kept, want the two sound ones", n)
	}
}
