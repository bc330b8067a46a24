package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"statewire/internal/control"
)

// role is the one on whose socket the log is called.
const role = "identity"

// finishTimeout bounds the telling of an outcome to another process.
const finishTimeout = 30 * time.Second

// beginCall is an action on its way; of its parameters only the hash goes.
type beginCall struct {
	Action
	ParamsSHA256 string `json:"params_sha256"`
}

// finishCall says how an action went.
type finishCall struct {
	Seq     uint64 `json:"seq"`
	Outcome string `json:"outcome"`
	Detail  string `json:"detail"`
}

// told is the outcome of an action, and whether its line is on the disk.
type told struct {
	finishCall
	done chan error
}

// opened is an action whose outcome nobody has told yet.
type opened struct {
	outcome chan told
	user    int
}

// userOf is the user who calls, -1 where the system does not tell.
func userOf(ctx context.Context) int {
	if peer, ok := control.PeerOf(ctx); ok {
		return peer.UID
	}
	return -1
}

// server lets other processes append. An action is a call that lasts until its outcome is told: when the process that
// makes it ends, nobody will tell.
type server struct {
	log *Log

	mu   sync.Mutex
	open map[uint64]opened // Guarded by mu.
}

// Serve lets the site's other processes append to the log, on the socket of its role. A user who is neither the log's
// nor root acts as nobody else.
func Serve(mux control.Router, log *Log) {
	s := &server{log: log, open: map[uint64]opened{}}
	control.Handle(mux, "/"+role+"/audit/begin", s.begin)
	control.Handle(mux, "/"+role+"/audit/finish", s.finish)
}

func (s *server) begin(ctx context.Context, a beginCall, say *control.Teller) (bool, error) {
	if a.ParamsSHA256 != "" && !hexSum.MatchString(a.ParamsSHA256) {
		return false, control.Invalid("params_sha256 is no SHA-256")
	}
	if peer, ok := control.PeerOf(ctx); ok && peer.UID != 0 && peer.UID != os.Getuid() {
		a.Actor, a.Role = fmt.Sprint("local:", peer.UID), peer.Role
	}
	e := actionEntry(a.Action)
	e.action.ParamsSHA256 = a.ParamsSHA256
	finish, err := s.log.begin(ctx, e)
	if err != nil {
		return false, err
	}
	outcome := make(chan told, 1)
	s.mu.Lock()
	s.open[e.seq] = opened{outcome, userOf(ctx)}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.open, e.seq)
		s.mu.Unlock()
	}()
	say.RowNow(e.seq)
	select {
	case t := <-outcome:
		t.done <- finish(t.Outcome, t.Detail)
	case <-ctx.Done():
		return true, finish(Unknown, "the process that did it ended before it was known")
	}
	return true, nil
}

func (s *server) finish(ctx context.Context, in finishCall, _ *control.Teller) (bool, error) {
	s.mu.Lock()
	o, ok := s.open[in.Seq]
	ok = ok && o.user == userOf(ctx) // how it went says who does it, and nobody else
	if ok {
		delete(s.open, in.Seq)
	}
	s.mu.Unlock()
	if !ok {
		return false, control.Invalid("no action with seq %d waits for its outcome", in.Seq)
	}
	t := told{in, make(chan error, 1)}
	o.outcome <- t
	select {
	case err := <-t.done:
		return true, err
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// Client is a Log in another process.
type Client struct {
	caller *control.Caller
	log    *slog.Logger
}

// Dial returns a client of the log behind the socket of its role. Nothing is connected before the first action. log is
// told of outcomes that could not be told; nil discards.
func Dial(socketPath string, log *slog.Logger) *Client {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Client{control.NewCaller(socketPath, role), log}
}

// Begin is Log.Begin.
func (c *Client) Begin(ctx context.Context, a Action) (finish func(outcome, detail string), err error) {
	call, end := context.WithCancel(context.WithoutCancel(ctx)) // it lasts until the outcome is told
	began, ended := make(chan uint64, 1), make(chan error, 1)
	in := beginCall{a, actionEntry(a).action.ParamsSHA256}
	go func() {
		_, err := control.Call[bool](call, c.caller, "audit/begin", in, control.Listener{Row: func(row []byte) error {
			var seq uint64
			err := json.Unmarshal(row, &seq)
			began <- seq
			return err
		}})
		ended <- err
	}()
	select {
	case seq := <-began:
		var once sync.Once
		return func(outcome, detail string) {
			once.Do(func() {
				c.finish(seq, outcome, detail)
				end()
				<-ended
			})
		}, nil
	case err := <-ended:
		end()
		return nil, refused(err)
	case <-ctx.Done():
		end()
		<-ended
		return nil, fmt.Errorf("record %s: %w", a.Action, ctx.Err())
	}
}

func (c *Client) finish(seq uint64, outcome, detail string) {
	ctx, cancel := context.WithTimeout(context.Background(), finishTimeout)
	defer cancel()
	_, err := control.Call[bool](ctx, c.caller, "audit/finish", finishCall{seq, short(outcome), short(detail)},
		control.Listener{})
	if err != nil {
		c.log.Error("outcome not in the audit log, where it is called unknown", "seq", seq, "outcome", outcome, "err", err)
	}
}

// refused is why an action was not recorded. A process that does not answer records nothing.
func refused(err error) error {
	switch {
	case err == nil:
		return &unavailable{errors.New("the process with the audit log gave no answer")}
	case errors.As(err, new(*control.InvalidError)):
		return err
	}
	return &unavailable{err}
}

// beginner is a Log here, or in another process.
type beginner interface {
	Begin(ctx context.Context, a Action) (finish func(outcome, detail string), err error)
}

// recorder keeps acts in a log.
type recorder struct{ log beginner }

// Recorder keeps acts in a log, here or in another process, in the name of whoever the context says.
func Recorder(log beginner) control.Recorder { return recorder{log} }

func (r recorder) Record(ctx context.Context, a control.Act) (func(error), error) {
	who := control.WhoOf(ctx)
	action := Action{Actor: who.Actor, Role: who.Role, From: who.From, Action: a.Name, Object: a.Object,
		Targets: a.Targets, Reason: a.Reason}
	if a.Params != nil {
		text, err := json.Marshal(a.Params)
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", a.Name, err)
		}
		action.Params = text
	}
	finish, err := r.log.Begin(ctx, action)
	if err != nil {
		return nil, err
	}
	return func(err error) { finish(Outcome(err)) }, nil
}
