// Package transport is the way to a relay: it posts reports and fetches policies. It never follows a redirect, takes a
// report for delivered only when the relay has acknowledged it, and tells the relay's words from those of whatever
// stands before it.
package transport

import (
	"context"
	"time"

	"statewire/smx"
)

// Relay is the way to a relay.
type Relay interface {
	// Post carries a report there.
	Post(ctx context.Context, body []byte) Answer
	// Policy asks for the client's policy, unless it is still the one with this ETag.
	Policy(ctx context.Context, poll smx.Poll, etag string) PolicyAnswer
}

// Outcome is how an attempt to send ended.
type Outcome uint8

// The outcomes of an attempt.
const (
	Idle     Outcome = iota // nothing to send
	Accepted                // the relay has the report
	Refused                 // the relay will never take this report: it is cut in two or set aside
	Again                   // no answer, or not now: the same bytes go again after Wait
)

// Answer is what became of one attempt to post a report.
type Answer struct {
	Outcome Outcome       // Accepted, Refused or Again
	Whole   bool          // a refusal that blames none of the report's states
	Receipt string        // the relay's, when Accepted
	File    string        // that the relay put the report into, when Accepted
	After   time.Duration // the relay asked to be left alone for so long; 0 = it did not ask
	Status  int           // HTTP's; 0 = no answer
	Code    string        // of the refusal
	Detail  string
	Err     error // why there was no answer
}

// PolicyAnswer is what became of one request for a policy.
type PolicyAnswer struct {
	Outcome  Outcome       // Accepted: a document came; Idle: the one known is still right; Refused; Again
	Document []byte        // when Accepted
	ETag     string        // of the document
	After    time.Duration // the relay asked to be left alone for so long; 0 = it did not ask
	Status   int           // HTTP's; 0 = no answer
	Code     string        // of the refusal
	Detail   string
	Err      error // why no policy came
}
