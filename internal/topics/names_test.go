package topics

import "testing"

func TestATopicTypeHasANamePeopleRead(t *testing.T) {
	for constant, want := range map[string]string{
		"STATE_TOPICTYPE_SUM_UPDATE_DETECTION":      "Update detection", // of updates only once
		"STATE_TOPICTYPE_SUM_ASSIGNMENT_COMPLIANCE": "Update deployment compliance",
		"state_topictype_sum_update_source_scan":    "Update source scan",
		"STATE_TOPICTYPE_WP_FW":                     "Wake-up proxy firewall",
		"A_TOPIC_THAT_NOBODY_KNOWS":                 "A topic that nobody knows",
		"STATE_TOPICTYPE_":                          "", "": "",
	} {
		if got := Name(constant); got != want {
			t.Errorf("%s: %q, want %q", constant, got, want)
		}
	}
}
