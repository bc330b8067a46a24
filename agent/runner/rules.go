package runner

import (
	"slices"

	"statewire/packs"
)

// What becomes of tasks on a machine.
const (
	Run    = "run"
	Report = "report" // they are checked and refused
	Off    = "off"
)

// Rules are what the owner of a machine allows.
type Rules struct {
	Tasks    string // Run, Report or Off
	Deny     []string
	Allow    packs.Class         // no task of a class above it runs
	Commands map[string][]string // by name of the built-in action: a program and its arguments
}

// denies says why a task may not run here; empty when it may.
func (l Rules) denies(pack string, t packs.Task) string {
	switch {
	case l.Tasks == Off:
		return "agent.tasks is off"
	case slices.Contains(l.Deny, pack):
		return "agent.packs_deny names " + pack
	case t.Class.Above(l.Allow):
		return "agent.allow_class is " + string(l.Allow) + ", and the task is " + string(t.Class)
	}
	return ""
}
