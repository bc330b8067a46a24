package control

import (
	"context"
	"fmt"
	"os"
)

// Who is on whose behalf something is done.
type Who struct {
	Actor string // local:UID, token:ID, client:GUID or site
	Role  string
	From  string // an address; empty for this machine
}

type whoKey struct{}

// WithWho says on whose behalf everything below is done, where it is not the user at the other end of a socket.
func WithWho(ctx context.Context, w Who) context.Context { return context.WithValue(ctx, whoKey{}, w) }

// WhoOf is on whose behalf something is done: as WithWho said, else the user at the other end of the socket, else this
// process's own. A user of this machine who gets as far has every right.
func WhoOf(ctx context.Context) Who {
	if w, ok := ctx.Value(whoKey{}).(Who); ok {
		return w
	}
	w := Who{Actor: fmt.Sprint("local:", os.Getuid()), Role: "admin"}
	if p, ok := PeerOf(ctx); ok {
		w.Actor = fmt.Sprint("local:", p.UID)
	}
	return w
}

// Act is what somebody is about to do.
type Act struct {
	Name    string // resync.request
	Object  string // what it is done to
	Targets int    // how many clients it means, 0 where nobody counted
	Params  any    // as JSON; only its hash is kept
	Reason  string
}

// Recorder keeps what is done, by whom, in a place where it can be found later.
type Recorder interface {
	// Record returns once the act is kept; before that, and after an error, nothing may be done. How it went is told to
	// done.
	Record(ctx context.Context, a Act) (done func(error), err error)
}

// Recorded does what a recorder has kept. A recorder that is nil keeps nothing.
func Recorded(ctx context.Context, r Recorder, a Act, do func() error) (err error) {
	if r == nil {
		return do()
	}
	done, err := r.Record(ctx, a)
	if err != nil {
		return err
	}
	defer func() { done(err) }()
	return do()
}
