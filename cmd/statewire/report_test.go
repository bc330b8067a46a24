package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// said runs the program without a site, and returns what it says.
func said(t *testing.T, args ...string) string {
	t.Helper()
	t.Chdir(t.TempDir())
	g := &globals{args: args}
	root := g.root()
	root.SetArgs(args)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	if err := root.ExecuteContext(t.Context()); err != nil {
		out.WriteString(err.Error())
	}
	return out.String()
}

func TestAReportsParametersAreFlags(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"help lists them with what they mean", []string{"report", "clients-in-state", "--help"},
			[]string{"--topic_type UInt32", "(required)", "--topic_id String", "--sort", "Examples:", "--format csv"}},
		{"they are known before the site is looked for", []string{"report", "clients", "--name", "PC", "--data", none},
			[]string{"no data directory"}},
		{"a dash does for an underscore", []string{"report", "compliance", "--topic-id", "x", "--data", none},
			[]string{"no data directory"}},
		{"NAME=VALUE stays", []string{"report", "clients", "--param", "name=PC", "--data", none}, []string{"no data directory"}},
		{"not both ways at once", []string{"report", "clients", "--param", "name=PC", "--name", "PC", "--data", none},
			[]string{"name is given twice"}},
		{"a misspelt one", []string{"report", "clients", "--nam", "PC"}, []string{"did you mean name?"}},
		{"a misspelt report", []string{"report", "clientss"}, []string{"did you mean clients?"}},
		{"a misspelt report with a flag of the right one", []string{"report", "clientss", "--name", "PC"},
			[]string{"did you mean clients?"}},
		{"no rows are too few", []string{"report", "clients", "--limit", "0"}, []string{"whole number from 1"}},
		{"a shell completes names", []string{"__complete", "report", "clients-"}, []string{"clients-in-state"}},
		{"and parameters", []string{"__complete", "report", "compliance", "--topic"}, []string{"--topic_type", "--topic_id"}},
		{"and values", []string{"__complete", "report", "resyncs", "--step", "ans"}, []string{"answering"}},
		{"and is silent without a site", []string{"__complete", "--data", none, "compliance", ""}, []string{":4\n"}},
		{"one subject at a time", []string{"compliance", "a", "b"}, []string{"put quotes around"}},
	} {
		got := said(t, c.args...)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not in\n%s", c.name, want, got)
			}
		}
	}
}
