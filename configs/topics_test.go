package configs_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"testing"

	"statewire/configs"
	"statewire/internal/topics"
)

// Each state that has a class stands in the catalogue, and so does each state of its topic type: none was forgotten.
func TestStatesWithAClassAreThoseOfTheCatalogue(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(configs.StateCatalog)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	classes, err := configs.Default().StateClasses()
	if err != nil {
		t.Fatal(err)
	}
	types, classed := map[string]bool{}, map[string]bool{}
	for _, c := range classes {
		types[fmt.Sprint(c.TopicType)], classed[fmt.Sprintf("%d/%d", c.TopicType, c.StateID)] = true, true
	}
	known := map[string]bool{}
	for _, row := range rows {
		state := row[0] + "/" + row[2]
		known[state] = true
		if types[row[0]] && row[2] != "" && !classed[state] {
			t.Errorf("state %s (%s) has no class", state, row[3])
		}
	}
	for state := range classed {
		if !known[state] {
			t.Errorf("state %s has a class and is not in the catalogue", state)
		}
	}
}

// The numbers that the code speaks of mean in the catalogue what their names say.
func TestTopicsOfTheCodeStandInTheCatalogue(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(configs.StateCatalog)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, row := range rows {
		names[row[0]] = row[1]
		names[row[0]+"/"+row[2]] = row[3]
	}
	for topic, want := range map[int]string{
		topics.DeploymentCompliance:  "STATE_TOPICTYPE_SUM_ASSIGNMENT_COMPLIANCE",
		topics.DeploymentEnforcement: "STATE_TOPICTYPE_SUM_ASSIGNMENT_ENFORCEMENT",
		topics.DeploymentEvaluation:  "STATE_TOPICTYPE_SUM_ASSIGNMENT_EVALUATION",
		topics.RuleDetection:         "STATE_TOPICTYPE_SUM_CI_DETECTION",
		topics.RuleCompliance:        "STATE_TOPICTYPE_SUM_CI_COMPLIANCE",
		topics.UpdateEnforcement:     "STATE_TOPICTYPE_SUM_CI_ENFORCEMENT",
		topics.UpdateDetection:       "STATE_TOPICTYPE_SUM_UPDATE_DETECTION",
		topics.UpdateScan:            "STATE_TOPICTYPE_SUM_UPDATE_SOURCE_SCAN",
		topics.Resync:                "STATE_TOPICTYPE_RESYNC_STATE_MSG",
		topics.ClientInstall:         "STATE_TOPICTYPE_CLIENT_DEPLOYMENT",
		topics.CoManagement:          "STATE_TOPICTYPE_CLIENT_COMANAGEMENT",
		topics.RelayContact:          "STATE_TOPICTYPE_CLIENT_FRAMEWORK_COMM",
		topics.LocalCertificate:      "STATE_TOPICTYPE_CLIENT_FRAMEWORK_LOCAL",
		topics.Protection:            "STATE_TOPICTYPE_EP_CLIENT_DEPLOYMENT",
		topics.ProtectionPolicy:      "STATE_TOPICTYPE_EP_CLIENT_POLICYAPPLICATION",
		topics.ScriptResult:          "SCRIPT_RESULT_OBSERVED",
		topics.Task:                  "STATEWIRE_TASK",
		topics.TestEvent:             "STATEWIRE_TEST_EVENT",
	} {
		if name := names[fmt.Sprint(topic)]; name != want {
			t.Errorf("topic type %d is called %q in the catalogue, want %q", topic, name, want)
		}
	}
	for _, s := range []struct {
		topic, state int
		want         string
	}{
		{topics.UpdateEnforcement, topics.EnforcementRestart, "Pending system restart"},
		{topics.UpdateEnforcement, topics.EnforcementDone, "Successfully installed update"},
		{topics.UpdateDetection, topics.UpdateUnknown, "Detection state unknown"},
		{topics.UpdateDetection, topics.UpdateNotRequired, "Update is not required"},
		{topics.UpdateDetection, topics.UpdateRequired, "Update is required"},
		{topics.UpdateDetection, topics.UpdateInstalled, "Update is installed"},
		{topics.UpdateScan, topics.ScanRunning, "Scan is running"},
		{topics.UpdateScan, topics.ScanCompleted, "Scan completed"},
		{topics.UpdateScan, topics.ScanRetry, "Scan is pending retry"},
		{topics.UpdateScan, topics.ScanFailed, "Scan failed"},
		{topics.UpdateScan, topics.ScanWithErrors, "Scan completed with errors"},
		{topics.Resync, topics.ResyncComplete, "Resynchronization complete"},
		{topics.Task, topics.TaskRunning, "Task is running"},
		{topics.Task, topics.TaskSucceeded, "Task succeeded"},
		{topics.Task, topics.TaskFailed, "Task failed"},
		{topics.Task, topics.TaskRefused, "Task rejected by the client"},
		{topics.TestEvent, topics.TestEventRaised, "Test event raised"},
	} {
		if name := names[fmt.Sprintf("%d/%d", s.topic, s.state)]; name != s.want {
			t.Errorf("state %d of topic type %d is called %q, want %q", s.state, s.topic, name, s.want)
		}
	}
}
