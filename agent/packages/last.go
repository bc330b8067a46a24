package packages

import "statewire/agent"

// State is how the last scan stands, by what the agent holds; nil before the first.
func (p *Source) State(all agent.Messages) *agent.ScanState {
	var scan *agent.ScanState
	for _, s := range latest(all, agent.TopicUpdateScan) {
		if s.TopicID == packageSource {
			scan = &agent.ScanState{Time: s.Time.UTC(), State: scanWord(s.StateID)}
			if (s.StateID == scanFailed || s.StateID == scanWithErrors) && len(s.Params) > 1 {
				scan.Reason = s.Params[1]
			}
		}
	}
	if scan == nil {
		return nil
	}
	for _, s := range latest(all, agent.TopicUpdateDetection) {
		if _, _, ours := splitTopicID(s.TopicID); ours && s.StateID == updateRequired {
			scan.Required++
		}
	}
	for _, s := range latest(all, agent.TopicUpdateEnforcement) {
		if s.StateID == enforcementRestart {
			scan.Restart++
		}
	}
	return scan
}

// scanWord is a scan's state in a word.
func scanWord(state uint32) string {
	switch state {
	case scanRunning:
		return "running"
	case scanCompleted:
		return "completed"
	case scanRetry:
		return "pending retry"
	case scanFailed:
		return "failed"
	case scanWithErrors:
		return "completed with errors"
	}
	return "unknown"
}
