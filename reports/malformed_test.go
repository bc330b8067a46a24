package reports_test

import (
	"strings"
	"testing"

	"statewire/reports"
	"statewire/reports/reportstest"
)

// A report's client is read as every other: by its id in any spelling, or its computer's name.
func TestAReportsClientIsReadAsEverywhere(t *testing.T) {
	s := reportstest.Fleet(t)
	s.Reports(report{Client: 40, Name: "Anger", Received: hour, File: "z"})
	s.Messages(message{Client: 40, Serial: 1, Received: hour, Topic: 500, ID: "a", State: 1, File: "z"})
	r := s.Runner()
	all, want := id(40).String(), -1
	for _, text := range []string{all, "GUID:" + strings.ToUpper(all), "{" + all + "}", " {GUID:" + all + "} ", "Anger",
		"aNGER ", " anger\t"} {
		rows, err := r.Run(t.Context(), "messages", map[string]string{"client": text}, reports.Page{})
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if n := len(reportstest.ReadRows(t, rows)); want < 0 {
			want = n
		} else if n != want {
			t.Errorf("%q has %d messages, want %d", text, n, want)
		}
	}
	if want < 1 {
		t.Errorf("the client has %d messages", want)
	}
}
