package manager

import (
	"fmt"
	"testing"

	"statewire/identity"
	"statewire/notifier/wire"
)

// Pages of steps follow each other: each client is on one of them, whatever the step of those between.
func TestStepsAfterAClient(t *testing.T) {
	b := newBench(t)
	of := b.asks(1, 2, 3, 4, 5)
	by := By{Person: identity.Person{Actor: "local:1", Role: identity.Admin}}
	if err := b.Results(t.Context(), told(0, said(of, 2, wire.StepSucceeded))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after, limit int
		want         string
	}{{0, 0, "1 3 4 5"}, {0, 2, "1 3"}, {3, 2, "4 5"}, {2, 1, "3"}, {1, 0, "3 4 5"}, {5, 0, ""}} {
		got := ""
		o := ShowOptions{Steps: []wire.Step{wire.StepQueued}, Limit: c.limit}
		if c.after > 0 {
			o.After = id(c.after)
		}
		_, err := b.Show(t.Context(), by, fmt.Sprint(of.Number), o, func(s StepStatus) error {
			for n := 1; n <= 5; n++ {
				if s.Client == id(n) {
					got += fmt.Sprint(" ", n)
				}
			}
			return nil
		})
		if err != nil || got != "" && got[1:] != c.want || got == "" && c.want != "" {
			t.Errorf("%d after %d: %q, want %q, %v", c.limit, c.after, got, c.want, err)
		}
	}
}

func TestWhoStoppedTheTasksIsTold(t *testing.T) {
	b := newBench(t)
	b.deps.Audit = heedless{}
	by := By{Person: identity.Person{Actor: "local:7", Role: identity.Admin}}
	if s, err := b.Stopping(t.Context()); s.Stopped || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if err := b.Stop(t.Context(), by, "fire"); err != nil {
		t.Fatal(err)
	}
	if s, _ := b.Stopping(t.Context()); !s.Stopped || s.Actor != "local:7" || s.Reason != "fire" || s.At.IsZero() {
		t.Errorf("%+v", s)
	}
}
