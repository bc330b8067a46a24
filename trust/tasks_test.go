package trust

import (
	"errors"
	"testing"
	"time"
)

// task is a task as the server signs it now.
func (s *server) task() (envelope []byte, by string) {
	s.t.Helper()
	id, key, err := s.TaskKey()
	if err != nil {
		s.t.Fatal(err)
	}
	envelope, err = SignEnvelope(taskType, []byte("<task/>"), id, key)
	if err != nil {
		s.t.Fatal(err)
	}
	return envelope, id
}

// believes says whether an agent with a document does what the server asks at this time.
func (s *server) believes(d *Document, envelope []byte) bool {
	s.t.Helper()
	_, _, err := d.OpenTask(envelope, taskType, s.at)
	if err != nil && !errors.Is(err, ErrUnknownKey) {
		s.t.Fatal(err)
	}
	return err == nil
}

// Where the root and pack keys are taken away, agents go on as before: nothing that they believe changed.
func TestAgentsGoOnWhenTheRootsAreTakenAway(t *testing.T) {
	s := newServer(t)
	agent := s.doc()
	before, _ := s.task()
	s.away()
	after, _ := s.task()
	if now, err := Next(s.doc().Envelope(), agent); err != nil || now != agent {
		t.Errorf("another document: %v", err)
	}
	if !s.believes(agent, before) || !s.believes(agent, after) {
		t.Error("a task is not believed any more")
	}
	s.at = day.Add(90*oneDay - time.Second)
	if last, _ := s.task(); !s.believes(agent, last) {
		t.Error("the task key ended early")
	}
	s.at = day.Add(90 * oneDay)
	if s.believes(agent, after) {
		t.Error("the task key did not end")
	}
}

// A task key that follows is believed by agents once they have the document that names it; the one before goes on until
// it ends. An agent that was away for less than a week before that misses nothing.
func TestATaskKeyFollowsAnother(t *testing.T) {
	s := newServer(t)
	away := s.doc()
	dir := s.away()
	early, first := s.task()
	s.at = day.Add(70 * oneDay)
	next, err := s.Next(Change{})
	if err != nil {
		t.Fatal(err)
	}
	if second, err := signed(t, next.Envelope(), dir, false); err != nil {
		t.Fatal(err)
	} else if _, err := s.Load(second.Envelope()); err != nil {
		t.Fatal(err)
	}
	agent, err := Next(s.doc().Envelope(), away) // with its next policy
	if err != nil || agent == away {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name        string
		at          time.Duration
		younger     bool // it signs now
		away, agent bool // they believe what is signed now
	}{
		{"at once", 70 * oneDay, false, true, true},
		{"a week before the older ends", 83*oneDay - time.Second, false, true, true},
		{"in the older one's last week", 83 * oneDay, true, false, true},
		{"after its end", 91 * oneDay, true, false, true},
	} {
		s.at = day.Add(tc.at)
		envelope, by := s.task()
		if (by != first) != tc.younger {
			t.Errorf("%s: signed by %.8s, the older is %.8s", tc.name, by, first)
		}
		if s.believes(away, envelope) != tc.away || s.believes(agent, envelope) != tc.agent {
			t.Errorf("%s: away %v, agent %v", tc.name, s.believes(away, envelope), s.believes(agent, envelope))
		}
		if want := tc.at < 90*oneDay; s.believes(agent, early) != want || s.believes(away, early) != want {
			t.Errorf("%s: what the older key signed is believed: %v", tc.name, !want)
		}
	}
}

// A key that was dropped is believed no more by whoever has the next document, before its own end.
func TestADroppedTaskKeyIsBelievedNoMore(t *testing.T) {
	s := newServer(t)
	agent := s.doc()
	envelope, id := s.task()
	dir := s.away()
	next, err := s.Next(Change{Drop: []string{id[:8]}})
	if err != nil {
		t.Fatal(err)
	}
	second, err := signed(t, next.Envelope(), dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(second.Envelope()); err != nil {
		t.Fatal(err)
	}
	now, err := Next(s.doc().Envelope(), agent)
	if err != nil || s.believes(now, envelope) || !s.believes(agent, envelope) {
		t.Errorf("%v", err)
	}
	if fresh, by := s.task(); by == id || !s.believes(now, fresh) {
		t.Error("what the next key signs is not believed")
	}
}
