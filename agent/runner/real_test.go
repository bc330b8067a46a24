package runner

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"statewire/notifier/wire"
	"statewire/packs"
)

// untilEnd is how a task ended, on real time.
func untilEnd(t *testing.T, m *machine) wire.ResponseMessage {
	t.Helper()
	for end := time.After(time.Minute); ; {
		select {
		case <-m.r.Answers():
		case <-end:
			t.Fatal("nobody is told how the task ended")
		}
		for _, a := range m.r.Take() {
			if r, err := wire.DecodeResponse(a.Payload); err != nil || a.Kind == wire.Response {
				return r
			}
		}
	}
}

// A real program gets its values and the id of its task, and nothing of the agent's environment.
func TestARealProgram(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it asks a shell of Unix")
	}
	t.Setenv("AGENT_SECRET", "hunter2")
	m := newMachine(t)
	m.run = nil
	m.own.Commands = map[string][]string{"quick-scan": {"/bin/sh", "-c", `env; pwd; exit 5`}}
	m.own.Allow = packs.Destructive
	m.start()
	r := m.order("QuickScan")
	m.r.Request(9, m.signed(r))
	got := untilEnd(t, m)
	if got.Step != wire.StepFailed || got.Code != exitCode || got.ExitCode != 5 ||
		!strings.Contains(got.Output.Text, taskVariable+"="+r.Task.String()+"\n") ||
		!strings.Contains(got.Output.Text, m.folder) || strings.Contains(got.Output.Text, "hunter2") {
		t.Errorf("%+v", got)
	}
	m.r.Configure(Rules{Tasks: Run, Allow: packs.Destructive,
		Commands: map[string][]string{"quick-scan": {"/nonexistent/scan"}}})
	m.r.Request(10, m.signed(m.order("QuickScan")))
	if got := untilEnd(t, m); got.Step != wire.StepFailed || got.Code != notStarted {
		t.Errorf("a program that is not there: %+v", got)
	}
}

// Whatever comes, only what the site signed is believed.
func FuzzATaskIsBelievedAsItWasSigned(f *testing.F) {
	m := newMachine(f)
	m.run = nil
	var err error
	if m.r, err = New(m.deps()); err != nil {
		f.Fatal(err)
	}
	good := m.signed(m.order("TestEvent"))
	f.Add(good)
	f.Add([]byte(`{"payloadType":"","payload":"","signatures":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if string(data) == string(good) {
			return
		}
		_ = claimed(data)
		m.r.take(t.Context(), 9, data)
		if n := len(m.r.tasks); n > 0 {
			t.Fatalf("%d tasks of %q", n, data)
		}
		m.r.untold = nil
	})
}
