package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/internal/backoff"
	"statewire/internal/topics"
	"statewire/smx"
)

// Attempt is one try to send one report.
type Attempt struct {
	Outcome transport.Outcome
	Report  *cache.Report    // nil when Idle
	Answer  transport.Answer // the relay's
	Wait    time.Duration    // before the next attempt, when Again
}

// answerPriority puts the answer to a resync into the low lane. Many clients answer at about the same time, after an
// outage of the site say, and every one of them sends its whole cache: what just changed must not queue behind what
// mostly is known.
const answerPriority = 8

// forbiddenAttempts is after how many attempts in a row a report is set aside whole of which not the relay, but
// something before it, refuses the content: a quarter of an hour. Its states stay in the cache, and the resync that
// their gap leads to brings them again.
const forbiddenAttempts = 10

// Send makes one attempt: the report under way, or else the next one. It never waits between attempts. The error is the
// store's.
func (a *Agent) Send(ctx context.Context) (Attempt, error) {
	report, err := a.Next()
	if err != nil || report == nil {
		return Attempt{}, err
	}
	answer := a.relay.Post(ctx, report.Body)
	a.met(ctx, answer.Status, answer.Err, answer.Code, answer.Detail)
	if answer.Forbids() {
		a.forbidden++
	} else {
		a.forbidden = 0
	}
	if a.forbidden >= forbiddenAttempts {
		answer.Outcome, answer.Whole = transport.Refused, true
	}
	attempt := Attempt{Outcome: answer.Outcome, Report: report, Answer: answer}
	if answer.Outcome == transport.Again {
		attempt.Wait = Pause(a.failures, answer.After)
		a.log.Log(ctx, a.trouble(a.failures), "report not delivered", "client", a.id.Client, "first", report.First,
			"last", report.Last,
			"status", answer.Status, "code", answer.Code, "wait", attempt.Wait, "why", a.Problem())
		a.failures++
		a.holdUntil = a.clock.Steady() + min(answer.After, mostPatience)
		return attempt, nil
	}
	a.failures, a.forbidden = 0, 0
	return attempt, a.settle(report, answer)
}

// trouble is the level at which an attempt is logged that came to nothing: the first of a row tells a person, where one
// looks.
func (a *Agent) trouble(failures int) slog.Level {
	if failures == 0 && a.sentLevel > slog.LevelDebug {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// refrains tells whether the relay has asked to be left alone until later: then even a person has to wait.
func (a *Agent) refrains() bool {
	left := a.holdUntil - a.clock.Steady()
	if left <= 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.contact.attempts++
	a.contact.problem = fmt.Sprintf("the relay asked to be left alone for another %v", left.Round(time.Second))
	return true
}

// settle ends a report. A refused one of several states is cut in two, again and again, until the state that no relay
// takes is alone: only that one is set aside, and the others arrive under the serials they have. A refusal that blames
// no state sets the whole report aside; its states stay in the cache, and their serials are a gap that the next resync
// closes.
func (a *Agent) settle(report *cache.Report, answer transport.Answer) error {
	if answer.Outcome == transport.Refused && len(report.States) > 1 && !answer.Whole {
		a.log.Info("report refused: sending its halves", "client", a.id.Client, "first", report.First,
			"last", report.Last, "code", answer.Code)
		if err := a.store.Halve(a.Encode); err != nil {
			return fmt.Errorf("halve report %d to %d: %w", report.First, report.Last, err)
		}
		return nil
	}
	end := cache.Settlement{
		Outcome: cache.Accepted, Whole: answer.Whole, Receipt: answer.Receipt, File: answer.File, Code: answer.Code,
		Detail: answer.Detail, Time: a.clock.Wall(),
	}
	if answer.Outcome == transport.Refused {
		end.Outcome = cache.Refused
	}
	if err := a.store.Settle(end); err != nil {
		return fmt.Errorf("settle report %d to %d: %w", report.First, report.Last, err)
	}
	if answer.Outcome == transport.Accepted {
		a.sentTopics(report)
	}
	a.logSettled(report, answer)
	return nil
}

func (a *Agent) logSettled(report *cache.Report, answer transport.Answer) {
	if answer.Outcome == transport.Refused && answer.Whole {
		a.log.Warn("report set aside: the relay never takes it", "client", a.id.Client, "first", report.First,
			"last", report.Last,
			"states", len(report.States), "status", answer.Status, "code", answer.Code, "detail", answer.Detail)
		return
	}
	if answer.Outcome == transport.Refused {
		s := &report.States[0]
		a.log.Warn("state set aside: the relay never takes it", "client", a.id.Client, "topic", s.TopicType, "id", s.TopicID,
			"state", s.StateID, "serial", s.Serial, "code", answer.Code, "detail", answer.Detail)
		return
	}
	a.log.Log(context.Background(), a.sentLevel, "report sent", "client", a.id.Client, "first", report.First,
		"last", report.Last,
		"states", len(report.States), "receipt", answer.Receipt)
	if !a.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	for i := range report.States {
		s := &report.States[i]
		a.log.Debug("state sent", "client", a.id.Client, "topic", s.TopicType, "id", s.TopicID,
			"state", s.StateID, "serial", s.Serial, "receipt", answer.Receipt)
	}
}

// Next is the report to send: the one under way, or a new one of what waits.
func (a *Agent) Next() (*cache.Report, error) {
	report, err := a.store.Pending()
	if err != nil || report != nil {
		return report, err
	}
	now := a.clock.Wall()
	report, err = a.store.Pack(cache.Packing{Build: a.Encode, Allow: a.allowed(), Completion: a.completion(now),
		Time: now})
	switch {
	case errors.Is(err, cache.ErrUsedUp):
		a.spent()
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("make a report of waiting states: %w", err)
	}
	return report, nil
}

// completion is "resync complete" of this client.
func (a *Agent) completion(now time.Time) cache.State {
	s := cache.State{Priority: answerPriority, Raised: now}
	s.TopicType, s.StateID, s.TopicID, s.Time = topics.Resync, topics.ResyncComplete, a.id.Client.String(), now
	return s.Canonical()
}

// Encode is the XML of a report of this client.
func (a *Agent) Encode(report *cache.Report) []byte {
	if report.Answer {
		return a.document(report.States, answerPriority)
	}
	return a.document(report.States, report.States[0].Priority)
}

// document is states as a report.
func (a *Agent) document(states []cache.State, priority int8) []byte {
	report := smx.Report{
		Header: smx.Header{
			Client: a.id.Client, ClientInstalled: 1, ClientType: 1, Priority: priority, LCID: a.id.LCID,
			ClientVersion: a.id.ClientVersion, NetBIOSName: a.id.NetBIOSName, CodePage: a.id.CodePage, Date: a.clock.Wall(),
		},
		Messages: make([]smx.Message, len(states)),
	}
	for i := range states {
		report.Messages[i] = states[i].Message
	}
	return smx.AppendReport(nil, &report)
}

const mostPatience = time.Hour // what a relay may ask for

// Pause is the time before the next attempt: doubling and jittered, and never less than the relay asked for.
func Pause(failures int, after time.Duration) time.Duration {
	return backoff.Pause(failures, min(after, mostPatience))
}
