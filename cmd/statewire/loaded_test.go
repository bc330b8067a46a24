package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/inbox"
)

// badInbox is an inbox whose loader has set files aside, each with a reason.
func badInbox(t *testing.T, reason inbox.Reason, names ...string) *inbox.Dir {
	t.Helper()
	config := inbox.DefaultConfig()
	config.Settle = 0
	root := filepath.Join(t.TempDir(), "statesys.box")
	dir, err := config.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(root, "incoming", name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	box, err := dir.Loader(len(names), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	chunk, err := box.Claim()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range chunk.Files {
		if err := chunk.SetAside(f, reason); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestWhatWasSetAsideIsSaidInALineEach(t *testing.T) {
	began := time.Now()
	reason := inbox.Reason{Time: began, Code: "x", Reason: "it is \x1b[31mred\u202e", Line: 2, Column: 822}
	dir := badInbox(t, reason, "a.SMX", "b.SMX", "c.SMX")
	names := map[string]string{"a.SMX": "dir/A\n.xml", "b.SMX": "./b"}
	for _, test := range []struct {
		name  string
		given given
		want  []string
	}{
		{"ours, as the user named them", given{began: began, names: names}, []string{
			`./b: line 2, column 822: it is \x1b[31mred\u202e`, `dir/A\n.xml: line 2, column 822: it is \x1b[31mred\u202e`}},
		{"all that was loaded", given{began: began, names: names, all: true}, []string{
			`./b: line 2, column 822: it is \x1b[31mred\u202e`, `c.SMX: line 2, column 822: it is \x1b[31mred\u202e`,
			`dir/A\n.xml: line 2, column 822: it is \x1b[31mred\u202e`}},
		{"nothing from before", given{began: began.Add(time.Nanosecond), names: names, all: true}, nil},
		{"nothing of others", given{began: began, names: map[string]string{"d.SMX": "d"}}, nil},
	} {
		r, err := test.given.refused(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r.lines, test.want) || r.files != len(test.want) || r.records != 0 {
			t.Errorf("%s: %d files, %d records, %q", test.name, r.files, r.records, r.lines)
		}
	}
}

func TestManyLinesAreCutAndTheCommandFails(t *testing.T) {
	var lines []string
	for n := range mostRefused + 5 {
		lines = append(lines, fmt.Sprint("file ", n))
	}
	for _, test := range []struct {
		lines   int
		counted bool
		written int
		last    string
		fails   bool
	}{
		{0, false, 0, "", false}, {0, true, 0, "", true}, {1, false, 1, "file 0", true}, {mostRefused, true, mostRefused,
			"file 19", true},
		{mostRefused + 1, true, mostRefused + 1, "and 1 more", true},
		{mostRefused + 5, true, mostRefused + 1, "and 5 more", true},
	} {
		var out bytes.Buffer
		err := refused{lines: lines[:test.lines]}.write(&out, test.counted)
		got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if got[len(got)-1] != test.last || strings.Count(out.String(), "\n") != test.written {
			t.Errorf("%d lines: wrote %q", test.lines, got)
		}
		if exit := new(cli.ExitStatus); errors.As(err, &exit) != test.fails || test.fails && exit.Code != cli.ExitFailed {
			t.Errorf("%d lines, counted %v: %v", test.lines, test.counted, err)
		}
	}
}

func TestAReasonSaysItsPlaceOnce(t *testing.T) {
	for _, test := range []struct {
		line, column int
		why, want    string
	}{
		{2, 822, "no end", "line 2, column 822: no end"}, {0, 0, "permission denied", "permission denied"},
		{1, 5, "line 1, column 5: no end", "line 1, column 5: no end"}, {1, 5, "Message 2 (line 1, column 5): no",
			"Message 2 (line 1, column 5): no"},
	} {
		if got := placed(test.line, test.column, test.why); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
