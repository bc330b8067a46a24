package agent

// Topic types of software updates.
const (
	TopicUpdateEnforcement = 402
	TopicUpdateDetection   = 500
	TopicUpdateScan        = 501
)
