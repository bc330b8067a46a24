package channel

import (
	"context"
	"testing"
)

// endedLink ended with its context: nothing more comes, and nothing went wrong.
type endedLink struct {
	link
	frames chan frame
}

func (l endedLink) received() <-chan frame { return l.frames }
func (endedLink) fault() error             { return nil }
func (endedLink) facts() facts             { return facts{transport: "HTTP"} }

// A channel that is stopped may see the end of its connection with that of its context, or before it; whichever it
// takes first, it was stopped, and nothing failed.
func TestAConnectionThatEndsWithTheChannelIsNoFault(t *testing.T) {
	c := &Channel{d: Deps{Tasks: noTasks{}}, poked: make(chan struct{})}
	frames := make(chan frame)
	close(frames)
	a := &attendance{c: c, link: endedLink{frames: frames}}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for range 100 {
		for _, ctx := range []context.Context{stopped, t.Context()} {
			if over := a.step(ctx, nil); over == nil || over.err != nil {
				t.Fatalf("the channel was stopped, and ended with %v", over)
			}
		}
	}
}
