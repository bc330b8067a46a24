package tabular

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var fitNow = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func TestALineHasRoomForWhatMattersMost(t *testing.T) {
	columns := []Column{{Name: "title"}, {Name: "machines", Type: "UInt64"}, {Name: "last_report_of_the_client", Rank: 1},
		{Name: "topic_id", Rank: 2}, {Name: "long", Rank: 3}}
	row := []any{"2026-11 Cumulative Update for Windows 11 Version 24H2 for x64-based Systems", 1234567890123,
		fitNow.Add(-75 * time.Hour), "5a0c1c8e-0b0f-4a7e-9a42-1d5f6f0a1001", strings.Repeat("word ", 12)}
	for _, c := range []struct {
		name  string
		width int
		left  []string
		lines []string // that the answer contains
	}{
		{"no bound shows all", 0, nil, []string{row[0].(string), "5a0c1c8e-0b0f-4a7e-9a42-1d5f6f0a1001"}},
		{"a title has two lines, an id its head and tail", 100, nil, []string{"5a0c1c…0a1001", "1234567890123", "3 d ago"}},
		{"the lowest rank leaves first", 74, []string{"long"}, []string{"3 d ago"}},
		{"then the next", 56, []string{"topic_id", "long"}, []string{"3 d ago"}},
		{"what must stay is narrowed", 30, []string{"last_report_of_the_client", "topic_id", "long"}, []string{"1234567890123"}},
	} {
		var out strings.Builder
		w, err := New(&out, Table, columns, Options{Width: c.width, Now: fitNow})
		if err != nil || w.Row(row) != nil || w.End() != nil {
			t.Fatal(err)
		}
		if !slices.Equal(w.Left(), c.left) {
			t.Errorf("%s: %q left", c.name, w.Left())
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if c.width > 0 && len([]rune(line)) > c.width {
				t.Errorf("%s: %d characters: %s", c.name, len([]rune(line)), line)
			}
		}
		for _, part := range c.lines {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%s: %q is not in\n%s", c.name, part, &out)
			}
		}
	}
}

func TestACellIsBrokenBetweenWordsAndCutInItsMiddle(t *testing.T) {
	for _, c := range []struct {
		name, cell string
		most       int
		want       string
	}{
		{"what fits stays", "abc def", 7, "abc def"},
		{"two lines", "Cumulative Update for November", 18, "Cumulative Update\nfor November"},
		{"a third line ends in dots after a word", "one two three four five six", 10, "one two\nthree…"},
		{"an id shows both ends", "5a0c1c8e-0b0f-4a7e-9a42-1d5f6f0a1001", 13, "5a0c1c…0a1001"},
		{"wide letters count twice", "日本語日本語日本語", 8, "日本…語"},
		{"no bound", "abc", 0, "abc"},
	} {
		if got := wrapCell(c.cell, c.most); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := wrapName("last_message_received", 13); got != "last_message_\nreceived" {
		t.Errorf("%q", got)
	}
	if got := Wrap("one two three", 8); got != "one two\nthree" {
		t.Errorf("%q", got)
	}
}

func TestATimeSaysHowLongAgoItWas(t *testing.T) {
	for ago, want := range map[time.Duration]string{0: "just now", -time.Hour: "in 1 h", 59 * time.Second: "59 s ago",
		90 * time.Minute: "1 h ago", 47 * time.Hour: "47 h ago", 49 * time.Hour: "2 d ago", 400 * 24 * time.Hour: "400 d ago"} {
		if got := Ago(fitNow, fitNow.Add(-ago)); got != want {
			t.Errorf("%s: %q, want %q", ago, got, want)
		}
	}
	if Ago(fitNow, time.Time{}) != "never" || Ago(fitNow, time.Unix(0, 0)) != "never" {
		t.Error("never is a time")
	}
}

func TestColourIsForWordsOfHealth(t *testing.T) {
	rows := [][]any{{"failed", "failed"}, {"unheard of", "x"}}
	out := write(t, Table, Named("class", "title"), rows, Options{Colour: true})
	if strings.Count(out, red+"failed"+plain) != 1 || strings.Count(out, "\x1b") != 2 {
		t.Errorf("%q", out)
	}
	for _, o := range []Options{{NoHeader: true}, {}} {
		if has := strings.Contains(write(t, CSV, Named("class"), rows[:0], o), "class"); has == o.NoHeader {
			t.Errorf("%v", o)
		}
		if has := strings.Contains(write(t, Table, Named("class"), [][]any{{1}}, o), "class"); has == o.NoHeader {
			t.Errorf("%v", o)
		}
	}
}
