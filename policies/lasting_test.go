package policies

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/collections"
	"statewire/smx"
	"statewire/smx/policy"
)

// someTasks are the lasting tasks of one client.
type someTasks struct {
	client    smx.ClientID
	envelopes [][]byte
	err       error
	hangs     bool
	asked     int
}

func (s *someTasks) Lasting(ctx context.Context, client uuid.UUID) ([][]byte, error) {
	s.asked++
	if s.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if smx.ClientID(client) != s.client {
		return nil, s.err
	}
	return s.envelopes, s.err
}

func withTasks(from *someTasks) *Service {
	s := New(Deps{Collections: collections.New(nil, nil, nil), Resyncs: asked{}, Tasks: from,
		Log: slog.New(slog.DiscardHandler)})
	s.setRules([]rule{})
	return s
}

func tasksOf(t *testing.T, s *Service, ctx context.Context, n int) ([][]byte, string) {
	t.Helper()
	doc, etag, err := s.Policy(ctx, smx.Poll{Client: client(n)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Decode(doc)
	if err != nil {
		t.Fatal(err)
	}
	return p.Tasks, etag
}

func TestLastingTasksComeWithThePolicyOfTheirClient(t *testing.T) {
	from := &someTasks{client: client(1), envelopes: [][]byte{[]byte(`{"a":1}`), []byte(`{"b":2}`)}}
	s := withTasks(from)
	got, etag := tasksOf(t, s, t.Context(), 1)
	if len(got) != 2 || !bytes.Equal(got[1], from.envelopes[1]) {
		t.Errorf("tasks %q", got)
	}
	if got, _ := tasksOf(t, s, t.Context(), 2); got != nil {
		t.Errorf("another client has tasks %q", got)
	}
	if _, again := tasksOf(t, s, t.Context(), 1); again != etag {
		t.Error("the same tasks are another policy")
	}
	from.envelopes = from.envelopes[:1]
	if _, then := tasksOf(t, s, t.Context(), 1); then == etag {
		t.Error("with one task less it is the same policy")
	}
}

// A manager that is away, or does not answer, takes no policy from a client.
func TestAPolicyDoesNotWaitForTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &someTasks{client: client(1), envelopes: [][]byte{[]byte(`{"a":1}`)}, err: errors.New("it is away")}
		s := withTasks(from)
		if got, _ := tasksOf(t, s, t.Context(), 1); got != nil {
			t.Errorf("tasks %q", got)
		}
		from.err, from.hangs = nil, true
		if tasksOf(t, s, t.Context(), 1); from.asked != 1 {
			t.Error("it is asked at once again")
		}
		time.Sleep(taskPause)
		began := time.Now()
		tasksOf(t, s, t.Context(), 1)
		if took := time.Since(began); took != taskWait || from.asked != 2 {
			t.Errorf("a poll waits for %s, asked %d times", took, from.asked)
		}
		from.hangs = false
		time.Sleep(taskPause - 1)
		if got, _ := tasksOf(t, s, t.Context(), 1); got != nil || from.asked != 2 {
			t.Errorf("it is asked before its time: %q", got)
		}
		time.Sleep(time.Nanosecond)
		if got, _ := tasksOf(t, s, t.Context(), 1); len(got) != 1 {
			t.Error("it answers, and no task comes")
		}
		from.hangs = true
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		tasksOf(t, s, gone, 1)
		from.hangs = false
		if got, _ := tasksOf(t, s, t.Context(), 1); len(got) != 1 {
			t.Error("a client that hung up keeps the tasks from others")
		}
	})
}
