package packages

import (
	"statewire/agent"
	"statewire/internal/topics"
)

// State is how the last scan stands, by what the agent holds; nil before the first.
func (p *Source) State(all agent.Messages) *agent.ScanState {
	var scan *agent.ScanState
	for _, s := range latest(all, topics.UpdateScan) {
		if s.TopicID == packageSource {
			scan = &agent.ScanState{Time: s.Time.UTC(), State: scanWord(s.StateID)}
			if (s.StateID == topics.ScanFailed || s.StateID == topics.ScanWithErrors) && len(s.Params) > 1 {
				scan.Reason = s.Params[1]
			}
		}
	}
	if scan == nil {
		return nil
	}
	for _, s := range latest(all, topics.UpdateDetection) {
		if _, _, ours := splitTopicID(s.TopicID); ours && s.StateID == topics.UpdateRequired {
			scan.Required++
		}
	}
	for _, s := range latest(all, topics.UpdateEnforcement) {
		if s.StateID == topics.EnforcementRestart {
			scan.Restart++
		}
	}
	return scan
}

// scanWord is a scan's state in a word.
func scanWord(state uint32) string {
	switch state {
	case topics.ScanRunning:
		return "running"
	case topics.ScanCompleted:
		return "completed"
	case topics.ScanRetry:
		return "pending retry"
	case topics.ScanFailed:
		return "failed"
	case topics.ScanWithErrors:
		return "completed with errors"
	}
	return "unknown"
}
