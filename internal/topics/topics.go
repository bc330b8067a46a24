// Package topics names the topic types and states that the code itself speaks of, by the numbers that go over the wire.
// The catalogue of all of them, with the names that people read, is data: configs holds it.
package topics

// Topic types.
const (
	DeploymentCompliance  = 300
	DeploymentEnforcement = 301
	DeploymentEvaluation  = 302
	RuleDetection         = 400
	RuleCompliance        = 401
	UpdateEnforcement     = 402
	UpdateDetection       = 500
	UpdateScan            = 501
	Resync                = 700 // the state system's own: the client has sent everything again
	ClientInstall         = 800
	CoManagement          = 810
	RelayContact          = 1000
	LocalCertificate      = 1001
	Protection            = 2001
	ProtectionPolicy      = 2002
	ScriptResult          = 9003
	Task                  = 20002 // a task that was pushed; the topic id is its name
	TestEvent             = 20003 // raised to try the way of an event
)

// States of UpdateDetection.
const (
	UpdateUnknown     = 0
	UpdateNotRequired = 1
	UpdateRequired    = 2
	UpdateInstalled   = 3
)

// States of UpdateScan.
const (
	ScanRunning    = 2
	ScanCompleted  = 3
	ScanRetry      = 4
	ScanFailed     = 5
	ScanWithErrors = 6
)

// States of UpdateEnforcement.
const (
	EnforcementRestart = 9  // waits for a restart of the machine
	EnforcementDone    = 10 // installed
)

// ResyncComplete is the state of Resync with which the answer to a resync ends.
const ResyncComplete = 2

// States of Task.
const (
	TaskRunning   = 1
	TaskSucceeded = 2
	TaskFailed    = 3
	TaskRefused   = 4
)

// TestEventRaised is the state of TestEvent.
const TestEventRaised = 1
