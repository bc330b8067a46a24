package wire

// Step is how far a client is with a task. It only goes on: what comes late changes nothing that is further.
type Step string

// The steps, in their order.
const (
	StepQueued    Step = "queued"    // it waits at the manager
	StepPushed    Step = "pushed"    // its frame was written
	StepReceived  Step = "received"  // the client keeps it
	StepRunning   Step = "running"   // it began
	StepExpired   Step = "expired"   // its time was over before it began
	StepCancelled Step = "cancelled" // somebody took it back before it began
	StepUnknown   Step = "unknown"   // it began, and nobody knows how it ended
	StepRefused   Step = "refused"   // the client does not do it
	StepFailed    Step = "failed"    // it ran, and ended badly
	StepSucceeded Step = "succeeded"
)

// ranks order the steps. Those of the same rank end a task: the first that comes counts.
var ranks = map[Step]int{StepQueued: 1, StepPushed: 2, StepReceived: 3, StepRunning: 4, StepExpired: 5,
	StepCancelled: 5, StepUnknown: 5, StepRefused: 6, StepFailed: 6, StepSucceeded: 6}

// Rank is the place of a step among the others; 0 is none.
func (s Step) Rank() int { return ranks[s] }

// Known says whether this version knows the step.
func (s Step) Known() bool { return ranks[s] > 0 }

// Final says whether a client does no more for the task: its own last word, or that of a site that waits no longer.
func (s Step) Final() bool { return ranks[s] >= 5 }

// Told says whether the step is a client's own last word.
func (s Step) Told() bool { return ranks[s] == 6 }
