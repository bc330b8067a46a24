package cli

// Health is how a check ended; its number is the exit code of `status`.
type Health int

const (
	HealthOK Health = iota
	HealthWarning
	HealthCritical
	HealthUnknown
)

// String is the word for it.
func (h Health) String() string { return [...]string{"ok", "warning", "critical", "unknown"}[h] }

// Worse ranks critical above unknown above warning.
func Worse(a, b Health) Health {
	rank := [...]int{HealthOK: 0, HealthWarning: 1, HealthUnknown: 2, HealthCritical: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}
