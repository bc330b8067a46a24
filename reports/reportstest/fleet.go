package reportstest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"statewire/reports"
)

func SomeBacklog(context.Context) ([]reports.Box, error) {
	return []reports.Box{
		{Name: "high"}, {Name: "normal", Files: 1312, Bytes: 4_900_000, Oldest: 95 * time.Second},
		{Name: "low", Files: 40, Bytes: 130_000, Oldest: 40 * time.Second},
		{Name: "process", Files: 256, Bytes: 800_000, Oldest: 3 * time.Second},
		{Name: "corrupt", Files: 4, Bytes: 12_000, Oldest: 5 * time.Hour},
	}, nil
}

// Asked is what a report is asked, so that the crowd gives it rows.
var Asked = map[string]map[string]string{
	"subject": {"subject": "1"}, "subject-machines": {"subject": "deployment/A"}, "not-known": {"subject": "1"},
	"client-states": {"client": "pc-1"}, "messages": {"client": "pc-1"},
	"presence-history": {"client": "pc-1"}, "client-timeline": {"client": "pc-1"}, "burn-down": {"subject": "deployment/A"},
	"clients-in-state": {"topic_type": "300", "state_id": "2"},
	"failing-clients":  {"topic_type": "402", "state_id": "11", "code": "0x80240022"},
	"unknown-clients":  {"topic_type": "900"},
	"stale-states":     {"reported_within_hours": "1000"}, "resyncs": {"step": "any"}, "missing-ranges": {"jumps": "both"},
	"client-completeness": {"only": "all"}, "set-aside": {"hours": "10000"}, "volume": {"hours": "2000"},
	"state-names": {"search": "302"}, "task-steps": {"task": "12"},
}

// Fleet is five clients and one deployment: two compliant, one not, one in a state without a name, one silent on it.
func Fleet(t *testing.T) *Seed {
	s := NewSeed(t)
	for n := 1; n <= 5; n++ {
		s.Reports(Report{Client: n, Name: fmt.Sprintf("PC%03d", n), Received: time.Duration(n) * 10 * Hour, Messages: 3})
	}
	s.Messages(
		Message{Client: 1, Serial: 1, Ago: 50 * Hour, Topic: 300, ID: "DEP1", State: 2},
		Message{Client: 1, Serial: 2, Ago: 40 * Hour, Topic: 300, ID: "DEP1", State: 1},
		Message{Client: 2, Serial: 7, Ago: 30 * Hour, Topic: 300, ID: "DEP1", State: 1},
		Message{Client: 3, Serial: 1, Ago: 20 * Hour, Topic: 300, ID: "DEP1", State: 2},
		Message{Client: 4, Serial: 1, Ago: 10 * Hour, Topic: 300, ID: "DEP1", State: 77},
		Message{Client: 4, Serial: 2, Ago: 9 * Hour, Topic: 300, ID: "DEP2", State: 1},
		Message{Client: 5, Serial: 1, Ago: 9 * Hour, Topic: 501, ID: "WSUS", State: 3},
	)
	return s
}
