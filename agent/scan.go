package agent

import (
	"time"

	"statewire/internal/topics"
)

// ScanTopics are the topic types that a scan for package updates tells of.
func ScanTopics() []uint32 {
	return []uint32{topics.UpdateDetection, topics.UpdateScan, topics.UpdateEnforcement}
}

// ScanResult is what a scan found.
type ScanResult struct {
	Required int           `json:"required"` // updates
	Restart  int           `json:"restart"`  // updates that wait for a restart
	Raised   int           `json:"raised"`   // states that have changed since the last scan
	Listed   time.Time     `json:"listed"`   // when the package lists were brought up to date
	Took     time.Duration `json:"took_ns"`
}

// ScanState is how a scan for package updates stands.
type ScanState struct {
	Time     time.Time `json:"time"`
	State    string    `json:"state"` // running, completed, failed, …
	Required int       `json:"required"`
	Restart  int       `json:"restart"`          // updates that wait for a restart
	Reason   string    `json:"reason,omitempty"` // why it failed, or what its result lacks
}
