package main

import (
	"os/exec"
	"strings"
	"testing"
)

// What comes in on standard input is the program's: the engine must not take it for rows of an insert, and a command
// that reads a list finds it.
func TestStandardInputIsTheProgramsOwn(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	for _, test := range []struct {
		name  string
		args  []string
		input string
		want  string
	}{
		{"a command that makes the store", []string{"ingest", "--once", "--create"}, "hello\n", `"files": 0`},
		{"a command that reads none", []string{"sql", "SELECT 1 AS one"}, "hello\n", `{"one": 1}`},
		{"a command that reads a list", []string{"resync", "request", "--file", "-", "--dry-run"}, clientID(1).String() +
			"\n", "never heard of client " + clientID(1).UUID()},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := exec.Command(program(t), append([]string{"--data", data, "--format", "json"}, test.args...)...)
			cmd.Stdin = strings.NewReader(test.input)
			if out, err := cmd.CombinedOutput(); !strings.Contains(string(out), test.want) {
				t.Errorf("said %s (%v), want %s", out, err, test.want)
			}
		})
	}
}
