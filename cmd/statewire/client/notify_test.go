package client

import "testing"

// A service of Windows runs once the agent says that it is ready, which it says to whoever listens and without systemd,
// too.
func TestASupervisorHearsWithoutAnAddress(t *testing.T) {
	var heard []string
	manager := supervisor{heard: func(state string) { heard = append(heard, state) }}
	if err := manager.Tell("READY=1\nSTATUS=x"); err != nil || len(heard) != 1 || heard[0] != "READY=1\nSTATUS=x" {
		t.Errorf("heard %q, %v", heard, err)
	}
}
