package agent

import (
	"cmp"
	"fmt"
	"time"

	"statewire/smx"
)

// State is one state as raised: what changed and how urgently it is told.
type State struct {
	smx.Message // its Serial is given when it enters a report
	// Priority goes into the report's header: below 5 is urgent, above 5 can wait. smx.NoPriority leaves it out.
	Priority int8
	// Instant states carry no serial and are forgotten once sent.
	Instant bool
}

// Report is a report under way. It never changes.
type Report struct {
	First, Last uint64  // serials of its messages; 0 when all are instant
	States      []State // numbered
	Body        []byte  // the XML as sent
}

// Settlement is how a report ended.
type Settlement struct {
	Outcome Outcome // Accepted or Refused
	Receipt string
	Code    string // of a refusal
	Detail  string
	Time    time.Time
}

// topic is what a state is about: of each topic only the latest state counts.
type topic struct {
	kind uint32
	id   string
}

func (s *State) topic() topic { return topic{s.TopicType, s.TopicID} }

func (t topic) compare(o topic) int {
	return cmp.Or(cmp.Compare(t.kind, o.kind), cmp.Compare(t.id, o.id))
}

// check refuses what no relay would take, while the caller can still be told.
func (s *State) check() error {
	switch {
	case s.Time.IsZero():
		return fmt.Errorf("state %d of topic %d has no time; set it to when the state changed", s.StateID, s.TopicType)
	case s.TopicID == "" || len(s.TopicID) > smx.MaxAttributeBytes:
		return fmt.Errorf("topic id of topic %d has %d bytes; allowed are 1 to %d", s.TopicType, len(s.TopicID), smx.MaxAttributeBytes)
	case len(s.User) > smx.MaxAttributeBytes || len(s.UserSID) > smx.MaxAttributeBytes:
		return fmt.Errorf("user of topic %d is longer than %d bytes", s.TopicType, smx.MaxAttributeBytes)
	case len(s.Params) > smx.MaxParams:
		return fmt.Errorf("topic %d has %d parameters; allowed are %d", s.TopicType, len(s.Params), smx.MaxParams)
	case len(s.Details) > smx.MaxDetailsBytes:
		return fmt.Errorf("details of topic %d have %d bytes; allowed are %d", s.TopicType, len(s.Details), smx.MaxDetailsBytes)
	}
	for i, p := range s.Params {
		if len(p) > smx.MaxTextBytes {
			return fmt.Errorf("parameter %d of topic %d has %d bytes; allowed are %d", i+1, s.TopicType, len(p), smx.MaxTextBytes)
		}
	}
	return nil
}
