package agent

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"time"

	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/internal/parse"
	"statewire/smx"
	"statewire/smx/policy"
)

// PolicyOutcome is how a poll ended.
type PolicyOutcome uint8

// The outcomes of Poll.
const (
	PolicyUnchanged PolicyOutcome = iota // the policy is the one known
	PolicyAdopted                        // another one, now in force
	PolicyDeclined                       // what came is no policy for this client: the one known stays in force
	PolicyAgain                          // no answer, or not now
)

// PollOutcome is what came of one poll.
type PollOutcome struct {
	Outcome PolicyOutcome
	Resync  bool          // the client has begun to send its whole cache
	Wait    time.Duration // before the next poll
	Status  int           // HTTP's; 0 = no answer
	Err     error         // why it was declined, or did not come
}

// Poll asks once for the client's policy and acts on it. The request claims the last serial and what the client holds,
// from the store, so that the site also notices the loss of a last message. The error is the store's.
func (a *Agent) Poll(ctx context.Context) (PollOutcome, error) {
	kept, err := a.store.Policy()
	if err != nil {
		return PollOutcome{}, fmt.Errorf("read the policy kept in the store: %w", err)
	}
	if a.askAnew {
		kept.ETag = ""
	}
	sum, err := a.store.Summary()
	if err != nil {
		return PollOutcome{}, fmt.Errorf("sum up the store: %w", err)
	}
	answer := a.relay.Policy(ctx, smx.Poll{Client: a.id.Client, LastSerial: sum.LastSerial, States: sum.States,
		Digest: sum.Digest, Unsent: sum.Unsent}, kept.ETag)
	a.met(ctx, answer.Status, answer.Err, answer.Code, answer.Detail)
	poll := PollOutcome{Status: answer.Status, Err: answer.Err}
	switch answer.Outcome {
	case transport.Idle:
		poll.Outcome = PolicyUnchanged
	case transport.Accepted:
		if err := a.adopt(kept, answer, &poll); err != nil {
			return poll, err
		}
	case transport.Refused:
		poll.Outcome = PolicyDeclined
	case transport.Again:
		poll.Outcome = PolicyAgain
	}
	a.pace(&poll, answer.After)
	if poll.Outcome == PolicyAdopted || poll.Outcome == PolicyUnchanged {
		a.handTasks()
	}
	return poll, nil
}

// pace sets the time to the next poll, and says what went wrong.
func (a *Agent) pace(poll *PollOutcome, after time.Duration) {
	poll.Wait = a.nextPoll()
	switch poll.Outcome {
	case PolicyAgain:
		wait := Pause(a.pollFailures, after)
		if after == 0 {
			wait = min(wait, poll.Wait)
		}
		poll.Wait = wait
		a.log.Log(context.Background(), a.trouble(a.pollFailures), "policy not fetched", "client", a.id.Client,
			"status", poll.Status, "wait", poll.Wait, "err", poll.Err)
		a.pollFailures++
		a.pollHoldUntil = a.clock.Steady() + min(after, mostPatience)
		return
	case PolicyDeclined:
		a.mu.Lock()
		a.contact.problem = cmp.Or(a.contact.problem, fmt.Sprintf("the policy was declined: %v", poll.Err))
		a.mu.Unlock()
		a.log.Warn("policy declined", "client", a.id.Client, "status", poll.Status, "err", poll.Err)
	default:
		a.mu.Lock()
		a.contact.policy = a.clock.Wall()
		a.mu.Unlock()
	}
	a.pollFailures = 0
	a.mu.Lock()
	a.asked = true
	a.mu.Unlock()
}

// adopt puts what the relay handed out into force, if it is a policy and this client's.
func (a *Agent) adopt(kept cache.PolicyState, answer transport.PolicyAnswer, poll *PollOutcome) error {
	p, err := policy.Decode(answer.Document)
	if err == nil {
		err = a.ours(p)
	}
	if err != nil {
		poll.Outcome, poll.Err = PolicyDeclined, err
		return nil
	}
	if kept.ETag == answer.ETag && bytes.Equal(kept.Document, answer.Document) && !kept.Fresh(p.Resync) {
		poll.Outcome = PolicyUnchanged
		return nil
	}
	// Before the policy is kept: once it is, the relay does not hand it out again.
	if p.Trust != nil && a.believe != nil {
		if err := a.believe(p.Trust.CA, p.Trust.Document); err != nil {
			return fmt.Errorf("keep whom to believe: %w", err)
		}
	}
	state := cache.PolicyState{ETag: answer.ETag, Document: answer.Document, Accepted: a.clock.Wall()}
	if poll.Resync, err = a.store.Adopt(state, p.Resync); err != nil {
		return fmt.Errorf("keep the policy: %w", err)
	}
	a.tellDeclined(kept, p.Resync)
	poll.Outcome, a.askAnew = PolicyAdopted, false
	a.obey(p)
	a.log.Info("policy adopted", "client", a.id.Client, "etag", answer.ETag, "relay", p.Relay,
		"send_interval", p.SendInterval, "topics", len(p.Topics), "tasks", len(p.Tasks))
	if poll.Resync {
		a.log.Info("resync begins: sending the whole cache", "client", a.id.Client, "number", p.Resync.Number,
			"next_serial", p.Resync.NextSerial, "reason", p.Resync.Reason)
		a.SendNow()
	}
	return nil
}

// ours refuses a policy that is another client's, or sends the client where it could not be sure whom it talks to.
func (a *Agent) ours(p policy.Document) error {
	if p.Client != a.id.Client {
		return fmt.Errorf("the relay handed out the policy of client %s", p.Client)
	}
	if p.Relay == "" {
		return nil
	}
	if _, err := parse.URL(p.Relay, "https"); err != nil {
		return fmt.Errorf("the assigned relay: %w", err)
	}
	return nil
}
