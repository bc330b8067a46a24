package local

import (
	"context"
	"time"

	"statewire/agent"
	"statewire/agent/cache"
)

const (
	flushTimeout = 90 * time.Second      // above the time of one attempt
	flushLook    = 50 * time.Millisecond // the first look; later ones take their time
	flushMost    = time.Second           // between two looks
	flushSilence = 5 * time.Second       // nothing is sent and nothing goes wrong: the rest is held back by the policy
)

// receipts are those of the reports that the relay took lately.
func (s *Server) receipts() (map[string]bool, error) {
	sent, err := s.agent.Sent()
	old := map[string]bool{}
	for i := range sent {
		if sent[i].Outcome == cache.Accepted {
			old[sent[i].Receipt] = true
		}
	}
	return old, err
}

// flush makes the agent send what waits and returns when the relay has it, when an attempt came to nothing, or when
// what is left is held back. What is not sent stays, and goes with a later report. old are the receipts of what was
// sent before.
func (s *Server) flush(ctx context.Context, old map[string]bool) (Flushed, error) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	before, err := s.agent.Status()
	if err != nil {
		return Flushed{}, err
	}
	s.agent.SendNow()
	wait, now, moved := flushLook, before, time.Now()
	for {
		switch {
		case now.Unsent == 0:
			return s.flushed(now, "", old)
		case now.Attempts > before.Attempts && now.Problem != "":
			return s.flushed(now, now.Problem, old)
		case time.Since(moved) > flushSilence && len(now.PausedTopics)+len(now.SlowedTopics) > 0:
			return s.flushed(now, "the site's policy holds back what is left; `statewire agent status` shows which topics", old)
		}
		select {
		case <-ctx.Done():
			return s.flushed(now, "the relay has not answered yet; it is sent in the background", old)
		case <-time.After(wait):
		}
		wait = min(2*wait, flushMost)
		last := now
		if now, err = s.agent.Status(); err != nil {
			return Flushed{}, err
		}
		if now.Attempts != last.Attempts {
			moved = time.Now()
		}
	}
}

// flushed is where things stand. A receipt of before says nothing of what was to be sent now.
func (s *Server) flushed(now agent.Status, why string, old map[string]bool) (Flushed, error) {
	f := Flushed{Done: now.Unsent == 0, Unsent: now.Unsent, LastSerial: now.LastSerial, Problem: why}
	sent, err := s.agent.Sent()
	if err != nil {
		return f, err
	}
	for i := range sent {
		if m := &sent[i]; m.Outcome == cache.Accepted && !old[m.Receipt] {
			f.Receipt = m.Receipt
		}
	}
	return f, nil
}
