package main

// health is how a check ended; its number is the exit code of `status`.
type health int

const (
	healthOK health = iota
	healthWarning
	healthCritical
	healthUnknown
)

func (h health) String() string { return [...]string{"ok", "warning", "critical", "unknown"}[h] }

// worse ranks critical above unknown above warning.
func worse(a, b health) health {
	rank := [...]int{healthOK: 0, healthWarning: 1, healthUnknown: 2, healthCritical: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}
