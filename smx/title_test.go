package smx_test

import (
	"strings"
	"testing"

	"statewire/fixtures"
	"statewire/smx"
)

// A title rides on a message and is no part of it: what is none is dropped and counted, and the message loads.
func TestTitles(t *testing.T) {
	t.Parallel()
	plain := decodeOne(t, fixtures.Report(fixtures.Message)).Hash[0]
	long := strings.Repeat("é", smx.MaxTitle)
	for _, c := range []struct {
		name, attribute, title string
		bad                    int
	}{
		{"none", ``, "", 0},
		{"an empty one is none", `Title=""`, "", 0},
		{"kept as it is", `Title=" Office 2024 "`, " Office 2024 ", 0},
		{"references are resolved", `Title="R&amp;D &lt;b&gt;"`, "R&D <b>", 0},
		{"ends of lines are spaces", "Title=\"a\n\tb\"", "a  b", 0},
		{"300 characters", `Title="` + long + `"`, long, 0},
		{"and no more", `Title="` + long + `x"`, "", 1},
		{"something to see", `Title="   "`, "", 1},
		{"no control character", `Title="a&#9;b"`, "", 1},
		{"nor delete", "Title=\"a\x7fb\"", "", 1},
		{"nor one of the second block", `Title="a&#x9B;b"`, "", 1},
		{"no end of a line", `Title="a&#x2028;b"`, "", 1},
		{"nothing that turns the direction", `Title="a&#x202E;b"`, "", 1},
		{"another spelling is another attribute", `title="x"`, "", 0},
	} {
		b := decodeOne(t, fixtures.Report(message(`IDType="3"`, `IDType="3" `+c.attribute)))
		if b.Len() != 1 || b.Message(0).Title != c.title || b.Reports[0].BadTitles != c.bad || len(b.Bad) != 0 {
			t.Errorf("%s: %q, %d bad; want %q, %d", c.name, b.Message(0).Title, b.Reports[0].BadTitles, c.title, c.bad)
		}
		if b.Len() == 1 && b.Hash[0] != plain {
			t.Errorf("%s: the message became another", c.name)
		}
		if err := smx.CheckTitle(c.title); c.title != "" && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	b := decodeOne(t, fixtures.Report(message("1431", "1"), message("1431", "x", `IDType`, `Title="lost" IDType`),
		message("1431", "3", "IDType", `Title="kept" IDType`)))
	if len(b.Titles) != 1 || b.Titles[0] != (smx.Title{Row: 1, Text: "kept"}) || b.Message(0).Title != "" {
		t.Errorf("titles %v; want that of the second row", b.Titles)
	}
}
