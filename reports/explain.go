package reports

import (
	"time"

	"github.com/google/uuid"
)

// Severity is how a fact reads at a glance.
type Severity string

// The four severities, from nothing to do to somebody has to act.
const (
	OK      Severity = "ok"
	Note    Severity = "note"
	Warning Severity = "warning"
	Bad     Severity = "problem"
)

// Explanation says in plain sentences what a site knows of one client, what it lacks and why, and what happens next.
type Explanation struct {
	Client  Client `json:"client"`
	Topic   *Topic `json:"topic,omitempty" doc:"The topic asked about"`
	Summary string `json:"summary" doc:"The one sentence that matters most"`
	Facts   []Fact `json:"facts"`
	Next    []Step `json:"next" doc:"What happens next by itself, and what a person can do"`
}

// Client is who an answer is about.
type Client struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name" doc:"Computer name; empty when no report told it"`
}

// Topic is a topic type and id.
type Topic struct {
	Type uint32 `json:"type"`
	ID   string `json:"id"`
}

// Fact is one thing that is so.
type Fact struct {
	Code     string     `json:"code" doc:"Stable name of the kind of fact"`
	Text     string     `json:"text"`
	Time     *time.Time `json:"time,omitempty" doc:"When it became so"`
	Severity Severity   `json:"severity" enum:"ok,note,warning,problem"`
}

// Step is one thing that is to come.
type Step struct {
	Text string     `json:"text"`
	At   *time.Time `json:"at,omitempty" doc:"When, as far as settings tell; absent when it is up to somebody"`
}
