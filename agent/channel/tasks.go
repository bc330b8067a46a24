package channel

import (
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// Tasks carries out what comes over the channel. No call waits for a disk or for a task.
type Tasks interface {
	// Held are the tasks that the client keeps and the site has confirmed no result of, at most wire.MaxHeld.
	Held() []wire.Held
	// Request takes a task, Cancel takes one back: the number of the delivery, and the envelope.
	Request(push uint64, envelope []byte)
	Cancel(push uint64, envelope []byte)
	// Confirmed says whose results the site has.
	Confirmed(tasks []uuid.UUID)
	// SignedTime is one that somebody passed on; SiteTime is what a server says, and nobody vouches for it.
	SignedTime(at wire.SignedTime)
	SiteTime(at time.Time)
	// Connected tells that the client is signed in anew: all that is not confirmed is said again.
	Connected()
	// Answers has something when Take has. Take returns a few of them; when there are more, Answers has something again.
	Answers() <-chan struct{}
	Take() []Answer
}

// Answer is a frame that tells the site of a task: wire.Received or wire.Response.
type Answer = wire.Answer

// noTasks is a client that does none. The site learns it from the silence.
type noTasks struct{}

func (noTasks) Held() []wire.Held          { return nil }
func (noTasks) Request(uint64, []byte)     {}
func (noTasks) Cancel(uint64, []byte)      {}
func (noTasks) Confirmed([]uuid.UUID)      {}
func (noTasks) SignedTime(wire.SignedTime) {}
func (noTasks) SiteTime(time.Time)         {}
func (noTasks) Connected()                 {}
func (noTasks) Answers() <-chan struct{}   { return nil }
func (noTasks) Take() []Answer             { return nil }

// tell sends what there is to say of tasks. What a connection loses is said again over the next one.
func (a *attendance) tell() *end {
	if answers := a.c.d.Tasks.Take(); len(answers) > 0 {
		if err := a.send(answers); err != nil {
			return a.over(err)
		}
	}
	return nil
}

// task hands a frame about tasks on.
func (a *attendance) task(f frame) error {
	switch f.kind {
	case wire.Request, wire.Cancel:
		push, envelope, err := wire.SplitPush(f.payload)
		if err != nil {
			return err
		}
		if f.kind == wire.Cancel {
			a.c.d.Tasks.Cancel(push, envelope)
			return nil
		}
		a.c.log("task", "push", push)
		a.c.d.Tasks.Request(push, envelope)
	case wire.ResponseConfirm:
		tasks, err := wire.SplitTasks(f.payload)
		if err != nil {
			return err
		}
		a.c.d.Tasks.Confirmed(tasks)
	case wire.KeepAliveAck:
		if at, ok := wire.DecodeSignedTime(f.payload); ok {
			a.c.d.Tasks.SignedTime(at)
		}
	}
	return nil
}

// held are the tasks that a sign-in tells of.
func held(t Tasks) []wire.Held {
	all := t.Held()
	return all[:min(len(all), wire.MaxHeld)]
}

// toldTime passes on what a confirmation of a sign-in says of the time.
func (c *Channel) toldTime(m wire.SignInConfirmMessage) {
	if at, ok := wire.ParseSignedTime(m.SignedTime); ok {
		c.d.Tasks.SignedTime(at)
	}
	c.d.Tasks.SiteTime(m.Time)
}
