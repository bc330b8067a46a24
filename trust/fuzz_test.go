package trust

import (
	"bytes"
	"strings"
	"testing"
)

// A token comes from anybody who calls. What is taken has one spelling.
func FuzzToken(f *testing.F) {
	whole := NewToken(Pin{CA: [32]byte{1}, Roots: [32]byte{2}}).String()
	for _, text := range []string{"", "swe1", whole, whole + ".", strings.ToUpper(whole), " " + whole + "\n",
		"swe1.AAAAAAAA..", whole[:60] + "\n" + whole[60:], strings.Replace(whole, "swe1", "swe2", 1)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil {
			if len(text) > 20 && strings.Contains(err.Error(), text) {
				t.Fatalf("the error says the token: %v", err)
			}
			return
		}
		if token.String() != strings.TrimSpace(text) {
			t.Fatalf("%q was read as %q", text, token.String())
		}
	})
}

// Envelopes come from servers that may be anybody's. What is opened was signed by the key, as it stands.
func FuzzEnvelope(f *testing.F) {
	k := newSiteKeys(f)
	good := enveloped(f, taskType, "<task/>", k.task)
	f.Add(good)
	f.Add(both(f, "<task/>", taskType, k.task, k.pack))
	f.Add([]byte(`{"payloadType":"","payload":"","signatures":[{"keyid":"","sig":""}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		payload, _, err := k.OpenTask(text, taskType, day)
		if (err == nil) != bytes.Equal(text, good) || err == nil && string(payload) != "<task/>" {
			t.Fatalf("%q as a task: %q, %v", text, payload, err)
		}
		if payload, err := k.OpenPack(text, taskType, asIs, day); err == nil && string(payload) != "<task/>" {
			t.Fatalf("%q as a pack: %q", text, payload)
		}
	})
}
