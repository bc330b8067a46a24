package manager

import "time"

// Lag is for how long the tables have lacked something that is known; 0 when they hold everything.
func (m *Manager) Lag() time.Duration {
	return time.Duration(m.mirrorLag() * float64(time.Second))
}
