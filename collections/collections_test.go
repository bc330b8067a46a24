package collections

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/internal/control"
	"statewire/smx"
	"statewire/store/storetest"
)

// service is what a Service and its Client have in common.
type service interface {
	Create(context.Context, Spec) (Collection, error)
	Show(context.Context, string) (Collection, []smx.ClientID, error)
	Delete(context.Context, string) error
	Retire(context.Context, []smx.ClientID, RetireOptions) (RetireResult, error)
	Unretire(context.Context, []smx.ClientID, RetireOptions) (RetireResult, error)
}

// eachWay are a service of its own for the test, and its client over a socket.
func eachWay(t *testing.T) []service {
	t.Helper()
	s := New(storetest.New(t), slog.New(slog.DiscardHandler), time.Now)
	return []service{s, overSocket(t, s)}
}

// overSocket serves a service on a socket and returns its client.
func overSocket(t *testing.T, s *Service) service {
	t.Helper()
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
	return Dial(path)
}

func TestWrongCallsSayWhatToDo(t *testing.T) {
	long := strings.Repeat("x", 70)
	tests := []struct {
		name string
		call func(context.Context, service) error
		text string
	}{
		{"a name too long", func(ctx context.Context, s service) error {
			_, err := s.Create(ctx, Spec{Name: long, Query: "SELECT 1"})
			return err
		}, "at most 63"},
		{"a name with a path", func(ctx context.Context, s service) error { return s.Delete(ctx, "../x") },
			"not allowed"},
		{"an empty collection", func(ctx context.Context, s service) error {
			_, err := s.Create(ctx, Spec{Name: "x"})
			return err
		}, "needs clients or a query"},
		{"a query that writes", func(ctx context.Context, s service) error {
			_, err := s.Create(ctx, Spec{Name: "x", Query: "DROP TABLE clients_data"})
			return err
		}, "does not work"},
		{"a query of files", func(ctx context.Context, s service) error {
			_, err := s.Create(ctx, Spec{Name: "x",
				Query: "SELECT toUUID(c1) AS client_id FROM file('/etc/passwd', 'CSV', 'c1 String')"})
			return err
		}, "does not work"},
		{"a query of other things", func(ctx context.Context, s service) error {
			_, err := s.Create(ctx, Spec{Name: "x", Query: "SELECT 1 AS client_id"})
			return err
		}, "must be UUID"},
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
		if _, _, err := s.Show(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%T: %v", s, err)
		}
	}
}

// keeper keeps what goes by a collection's name, and says what it was told.
type keeper struct{ told []string }

func (k *keeper) Forget(_ context.Context, c Collection) error {
	k.told = append(k.told, "forget "+c.Name)
	return nil
}

func (k *keeper) Reload(context.Context) error {
	k.told = append(k.told, "reload")
	return nil
}

// Whoever keeps something by a collection's name learns of its end before it, and of every change after it.
func TestAFollowerLearnsOfEveryChange(t *testing.T) {
	s, k := New(storetest.New(t), slog.New(slog.DiscardHandler), time.Now), &keeper{}
	s.Follow(k)
	made, err := s.Create(t.Context(), Spec{Name: "a", Clients: []smx.ClientID{{1}}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Create(t.Context(), Spec{Name: "a", Clients: []smx.ClientID{{2}}, Replace: true})
	if err != nil || again.Revision <= made.Revision {
		t.Errorf("revision %d after %d, %v", again.Revision, made.Revision, err)
	}
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"reload", "reload", "forget a", "reload"}; !slices.Equal(k.told, want) {
		t.Errorf("told %v, want %v", k.told, want)
	}
}
