package policies

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"statewire/collections"
	"statewire/internal/control"
	"statewire/smx"
	"statewire/smx/policy"
	"statewire/store/storetest"
)

// service is what a Service and its Client have in common.
type service interface {
	Set(context.Context, string, Settings) (Policy, error)
	Policy(context.Context, smx.Poll) ([]byte, string, error)
}

// eachWay are a service of its own for the test, and its client over a socket.
func eachWay(t *testing.T) []service {
	t.Helper()
	db, log := storetest.New(t), slog.New(slog.DiscardHandler)
	s := New(Deps{Store: db, Collections: collections.New(db, log, time.Now), Resyncs: asked{}, Log: log})
	mux := http.NewServeMux()
	s.Handle(mux)
	path := filepath.Join(t.TempDir(), "r.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return []service{s, Dial(path)}
}

func TestWrongCallsSayWhatToDo(t *testing.T) {
	tests := []struct {
		name string
		call func(context.Context, service) error
		text string
	}{
		{"a policy out of range", func(ctx context.Context, s service) error {
			_, err := s.Set(ctx, "x", Settings{SendInterval: time.Millisecond, Relay: "ftp://x", Notifier: "x",
				Topics: []policy.Topic{{Type: 700, Paused: true}}})
			return err
		}, "topic type 700 cannot be paused"},
		{"relays and notifiers that nobody can dial", func(ctx context.Context, s service) error {
			for _, notifier := range []string{"push", ":10123", "push:http", "push:0", "push:65536", "a b:1", "[::1",
				"user@push:1"} {
				for _, p := range []Settings{{Notifier: notifier}, {Relay: "https://" + notifier + "/x"},
					{Relay: "https://" + notifier}} {
					if _, err := s.Set(ctx, "x", p); !errors.As(err, new(*control.InvalidError)) &&
						p.Relay != "https://push" {
						return fmt.Errorf("%v: %w", p, err)
					}
				}
			}
			_, err := s.Set(ctx, "x", Settings{Relay: "https://[::1]:8443/", Notifier: "push-1.example:65536"})
			return err
		}, `notifier "push-1.example:65536" has the port "65536"; allowed are 1 to 65535`},
		{"a poll beyond every serial", func(ctx context.Context, s service) error {
			_, _, err := s.Policy(ctx, smx.Poll{Client: client(1), LastSerial: 1<<62 + 1})
			return err
		}, "above 2^62"},
	}
	both := eachWay(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, s := range both {
				err := test.call(t.Context(), s)
				if err == nil || !strings.Contains(err.Error(), test.text) ||
					!errors.As(err, new(*control.InvalidError)) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%T: %v", s, err)
				}
			}
		})
	}
	for _, s := range both {
		if _, _, err := s.Policy(t.Context(), smx.Poll{Client: client(1)}); !errors.Is(err, ErrNotReady) {
			t.Errorf("%T answered before anything was read: %v", s, err)
		}
	}
}

// A collection whose query fails keeps the members it had, and they their policy.
func TestACollectionWhoseQueryFailsKeepsItsPolicy(t *testing.T) {
	db, log := storetest.New(t), slog.New(slog.DiscardHandler)
	sets := collections.New(db, log, time.Now)
	s := New(Deps{Store: db, Collections: sets, Resyncs: asked{}, Log: log})
	exec := func(sql string) {
		t.Helper()
		if err := db.Conn().Exec(db.InsertContext(t.Context()), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE chosen (client_id UUID) ENGINE = Memory")
	exec("INSERT INTO chosen VALUES ('" + client(1).UUID() + "')")
	if _, err := sets.Create(t.Context(), collections.Spec{Name: "x", Query: "SELECT client_id FROM chosen"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Set(t.Context(), "x", Settings{SendInterval: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"SELECT 1", "DROP TABLE chosen"} {
		exec(sql)
		if err := s.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := s.answer(smx.Poll{Client: client(1)}); err != nil || got.SendInterval != time.Hour {
			t.Errorf("after %s: %+v, %v", sql, got, err)
		}
	}
}

// Where the collections of a client disagree the smallest priority wins, whatever the collections are called.
func TestTheSmallestPriorityWins(t *testing.T) {
	db, log := storetest.New(t), slog.New(slog.DiscardHandler)
	sets := collections.New(db, log, time.Now)
	s := New(Deps{Store: db, Collections: sets, Resyncs: asked{}, Log: log})
	for name, p := range map[string]Settings{
		"a": {Priority: 9, SendInterval: time.Hour}, "b": {Priority: 5, SendInterval: time.Minute},
		"c": {Priority: 5, SendInterval: time.Second},
	} {
		spec := collections.Spec{Name: name, Clients: []smx.ClientID{client(1)}}
		if _, err := sets.Create(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Set(t.Context(), name, p); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := s.answer(smx.Poll{Client: client(1)}); err != nil || p.SendInterval != time.Minute {
		t.Errorf("sends every %v, %v", p.SendInterval, err)
	}
}
