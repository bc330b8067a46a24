package channel

import (
	"context"
	"testing"
	"time"
)

// endedLink ended with its context: nothing more comes, and nothing went wrong.
type endedLink struct {
	link
	frames chan frame
}

func (l endedLink) received() <-chan frame { return l.frames }
func (endedLink) fault() error             { return nil }
func (endedLink) facts() facts             { return facts{transport: "HTTP"} }

// A channel that is stopped sees the end of its connection and that of its context at once; whichever it takes first, it
// was stopped, and nothing failed.
func TestAConnectionThatEndsWithTheChannelIsNoFault(t *testing.T) {
	c := &Channel{d: Deps{Tasks: noTasks{}}, poked: make(chan struct{})}
	a := &attendance{c: c, link: endedLink{frames: make(chan frame)}}
	close(a.link.(endedLink).frames)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if over := a.step(ctx, make(chan time.Time)); over == nil || over.err != nil {
			t.Fatalf("the channel was stopped, and ended with %v", over)
		}
	}
}
