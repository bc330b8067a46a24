package cache

import (
	"fmt"
	"time"

	"statewire/internal/topics"
	"statewire/smx"
)

// State is one state as raised: what changed and how urgently it is told.
type State struct {
	smx.Message // its Serial is given when it enters a report
	// Priority goes into the report's header: below 5 is urgent, above 5 can wait. smx.NoPriority leaves it out.
	Priority int8
	// Instant states carry no serial and are forgotten once sent.
	Instant bool
	// Raised is when the client took the state in, by its own clock. Raise fills it in.
	Raised time.Time

	order uint64 // of raising: tells the versions of a topic's state apart
}

// Report is a report under way. It never changes.
type Report struct {
	First, Last uint64    // serials of its messages; 0 when all are instant
	States      []State   // numbered
	Packed      time.Time // when they were numbered
	Answer      bool      // it belongs to the answer to a resync
	Body        []byte    // the XML as sent

	at uint32 // place of its first state in the report that was made; a half of a refused report begins further on
}

// Settlement is how a report ended.
type Settlement struct {
	Outcome Outcome // Accepted or Refused
	Whole   bool    // a refusal that blames none of the report's states: they stay in the cache
	Receipt string
	File    string // that the relay put it into
	Code    string // of a refusal
	Detail  string
	Time    time.Time
}

// Canonical is the state as every site will read it: the time in UTC to the microsecond. The digest of a client's cache
// and the site's are equal only because both are of this form. Texts stay as they are: check refuses those that XML
// would change.
func (s State) Canonical() State {
	if !s.Time.IsZero() {
		s.Time = time.UnixMicro(s.Time.UnixMicro()).UTC()
	}
	return s
}

// Check refuses what no relay would take, while the caller can still be told.
func (s *State) Check() error {
	switch {
	case s.Time.IsZero():
		return fmt.Errorf("state %d of topic %d has no time; set it to when the state changed", s.StateID, s.TopicType)
	case s.Time.Year() < 1 || s.Time.Year() > 9999:
		return fmt.Errorf("state %d of topic %d has a time in the year %d; allowed are 1 to 9999",
			s.StateID, s.TopicType, s.Time.Year())
	case s.TopicType == topics.Resync:
		return fmt.Errorf("topic type %d tells the site that a resync is complete: only the agent itself says it",
			topics.Resync)
	case s.TopicID == "" || len(s.TopicID) > smx.MaxAttributeBytes:
		return fmt.Errorf("topic id of topic %d has %d bytes; allowed are 1 to %d",
			s.TopicType, len(s.TopicID), smx.MaxAttributeBytes)
	case s.Title != "" && smx.CheckTitle(s.Title) != nil:
		return fmt.Errorf("title of topic %d: %w", s.TopicType, smx.CheckTitle(s.Title))
	case len(s.User) > smx.MaxAttributeBytes || len(s.UserSID) > smx.MaxAttributeBytes:
		return fmt.Errorf("user of topic %d has %d bytes and its SID %d; allowed are %d each",
			s.TopicType, len(s.User), len(s.UserSID), smx.MaxAttributeBytes)
	case len(s.Params) > smx.MaxParams:
		return fmt.Errorf("topic %d has %d parameters; allowed are %d", s.TopicType, len(s.Params), smx.MaxParams)
	case len(s.Details) > smx.MaxDetailsBytes:
		return fmt.Errorf("details of topic %d have %d bytes; allowed are %d",
			s.TopicType, len(s.Details), smx.MaxDetailsBytes)
	}
	if err := s.CheckTexts(); err != nil {
		return err
	}
	texts := len(s.Details)
	for i, p := range s.Params {
		if len(p) > smx.MaxTextBytes {
			return fmt.Errorf("parameter %d of topic %d has %d bytes; allowed are %d",
				i+1, s.TopicType, len(p), smx.MaxTextBytes)
		}
		texts += len(p)
	}
	if texts > smx.MaxDetailsBytes { // escaping can blow it up sixfold
		if n := len(smx.AppendReport(nil, &smx.Report{Messages: []smx.Message{s.Message}})); n > maxReportBytes {
			return fmt.Errorf("state of topic %d takes %d bytes in a report; allowed are %d", s.TopicType, n, maxReportBytes)
		}
	}
	return nil
}

// CheckTexts refuses characters that XML cannot carry. They are never replaced: two topics would become one.
func (s *State) CheckTexts() error {
	if err := s.checkText("topic id", s.TopicID); err != nil {
		return err
	}
	if err := s.checkText("user", s.User); err != nil {
		return err
	}
	if err := s.checkText("user SID", s.UserSID); err != nil {
		return err
	}
	if err := s.checkText("details", s.Details); err != nil {
		return err
	}
	for i, p := range s.Params {
		if err := s.checkText(fmt.Sprintf("parameter %d", i+1), p); err != nil {
			return err
		}
	}
	return nil
}

func (s *State) checkText(what, text string) error {
	if name, place := smx.Uncarried(text); place > 0 {
		return fmt.Errorf("%s of topic %d: character %d is %s, which XML cannot carry; leave it out or write it in "+
			"another way",
			what, s.TopicType, place, name)
	}
	return nil
}
