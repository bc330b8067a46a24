package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

type question struct{ Want string }

// serve answers questions on a socket, and returns its path and how to stop.
func serve(t *testing.T) (string, *http.Server) {
	t.Helper()
	mux := http.NewServeMux()
	Handle(mux, "/test/ask", func(_ context.Context, in question, say *Teller) ([]int, error) {
		say.Progress(1, 2)
		say.Row("a row")
		say.Progress(2, 2)
		switch in.Want {
		case "invalid":
			return nil, fmt.Errorf("ask: %w", Invalid("write it so"))
		case "missing":
			return nil, NotFound("nothing of that name")
		case "fault":
			return nil, errors.New("the disk is away")
		case "none":
			return nil, nil
		}
		return []int{1, 2}, nil
	})
	mux.HandleFunc("POST /test/cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Close() })
	return path, server
}

// What a call is answered arrives as it was said: rows and progress in order, the result, and of an error what callers
// branch on.
func TestAnAnswerArrivesAsItWasSaid(t *testing.T) {
	path, _ := serve(t)
	caller := NewCaller(path, "test")
	for _, c := range []struct {
		want, result, fault string
		invalid, notFound   bool
	}{
		{"a list", "[1 2]", "", false, false},
		{"none", "[]", "", false, false},
		{"invalid", "[]", "ask: write it so", true, false},
		{"missing", "[]", "nothing of that name", false, true},
		{"fault", "[]", "the disk is away", false, false},
	} {
		var heard []string
		hear := Listener{
			Progress: func(done, total int) { heard = append(heard, fmt.Sprint(done, " of ", total)) },
			Row: func(row []byte) error {
				var text string
				defer func() { heard = append(heard, text) }()
				return json.Unmarshal(row, &text)
			},
		}
		got, err := Call[[]int](t.Context(), caller, "ask", question{c.want}, hear)
		if fmt.Sprint(got) != c.result || strings.Join(heard, ", ") != "1 of 2, a row, 2 of 2" {
			t.Errorf("%s: %v after %q", c.want, got, heard)
		}
		said := ""
		if err != nil {
			said = err.Error()
		}
		if said != c.fault || errors.As(err, new(*InvalidError)) != c.invalid ||
			errors.Is(err, ErrNotFound) != c.notFound {
			t.Errorf("%s: %v, want %q", c.want, err, c.fault)
		}
	}
	bad := Listener{Row: func([]byte) error { return errors.New("no row") }}
	if _, err := Call[[]int](t.Context(), caller, "ask", question{}, bad); err == nil ||
		!strings.Contains(err.Error(), "no row") {
		t.Errorf("a row that cannot be read: %v", err)
	}
}

func TestACallThatIsNotAnsweredSaysWhy(t *testing.T) {
	path, server := serve(t)
	caller := NewCaller(path, "test")
	ask := func(path string) string {
		_, err := Call[[]int](t.Context(), caller, path, question{}, Listener{})
		return fmt.Sprint(err)
	}
	if got := ask("other"); got != "ask the running site for other: it answered 404; is it another version of "+
		"statewire?" {
		t.Error(got)
	}
	if got := ask("cut"); got != "the site stopped before it was done; ask again" {
		t.Error(got)
	}
	server.Close()
	if got := ask("ask"); !strings.HasPrefix(got, "ask the process that runs the test role: ") ||
		strings.Contains(got, "http://") {
		t.Error(got)
	}
}

// A call over a socket knows which user made it; one that came another way is the process's own.
func TestACallKnowsItsUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	Handle(mux, "/test/who", func(ctx context.Context, _ question, _ *Teller) (string, error) {
		peer, ok := PeerOf(ctx)
		return fmt.Sprint(peer.UID, ok, Actor(ctx)), nil
	})
	server := &http.Server{Handler: mux, ConnContext: ConnContext}
	go func() { _ = server.Serve(ln) }()
	defer server.Close()
	got, err := Call[string](t.Context(), NewCaller(path, "test"), "who", question{}, Listener{})
	if want := fmt.Sprint(os.Getuid(), runtime.GOOS == "linux" || runtime.GOOS == "darwin", "local:",
		os.Getuid()); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") || err != nil {
		t.Errorf("%q, want %q, %v", got, want, err)
	}
	if _, ok := PeerOf(t.Context()); ok {
		t.Error("a context without a connection has a user")
	}
	if got := Actor(WithPeer(t.Context(), Peer{UID: 1234})); got != "local:1234" {
		t.Error(got)
	}
}
