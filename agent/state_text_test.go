package agent

import (
	"strings"
	"testing"

	"statewire/agent/cache"
)

// Each text of a state, by its name in a refusal.
var stateTexts = map[string]func(*cache.State) *string{
	"topic id":    func(s *cache.State) *string { return &s.TopicID },
	"user":        func(s *cache.State) *string { return &s.User },
	"user SID":    func(s *cache.State) *string { return &s.UserSID },
	"details":     func(s *cache.State) *string { return &s.Details },
	"parameter 2": func(s *cache.State) *string { return &s.Params[1] },
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
