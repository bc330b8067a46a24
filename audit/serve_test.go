package audit

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"statewire/internal/control"
)

// serve serves a log on a socket, as a user that only the test says when it is not zero.
func serve(t *testing.T, l *Log, uid int) string {
	t.Helper()
	mux := http.NewServeMux()
	Serve(mux, l)
	path := filepath.Join(t.TempDir(), "s")
	ln, err := control.Listen(path)
	check(t, err)
	server := &http.Server{ConnContext: control.ConnContext, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, req *http.Request) {
			if uid != 0 {
				req = req.WithContext(control.WithPeer(req.Context(), control.Peer{UID: uid}))
			}
			mux.ServeHTTP(w, req)
		})}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	return path
}

// dial is a client whose connections end with the test.
func dial(t *testing.T, path string) *Client {
	t.Helper()
	c := Dial(path, nil)
	t.Cleanup(c.caller.Close)
	return c
}

// A log in another process is a log: the line is on the disk when Begin returns, the outcome when finish does.
func TestALogInAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	c := dial(t, serve(t, l, 0))
	finish, err := c.Begin(t.Context(), Action{Actor: "token:7Q2M", Role: "operator", From: "10.0.0.5", Action: "a",
		Targets: 3, Params: []byte("p"), Reason: "r"})
	check(t, err)
	got := lines(t, dir)
	if len(got) != 1 || got[0].Actor != "token:7Q2M" || got[0].Role != "operator" || got[0].Targets != 3 ||
		got[0].ParamsSHA256 != sumOf([]byte("p")) {
		t.Errorf("%+v", got)
	}
	finish(Failed, "no")
	finish(Done, "")
	if got = lines(t, dir); len(got) != 2 || got[1].Of != 1 || got[1].Outcome != Failed || got[1].Detail != "no" {
		t.Errorf("%+v", got)
	}
}

// A process that ends before it told the outcome leaves an outcome all the same.
func TestAProcessThatEndsInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	c := dial(t, serve(t, l, 0))
	call, cancel := context.WithCancel(t.Context())
	began := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = control.Call[bool](call, c.caller, "audit/begin", Action{Action: "a"},
			control.Listener{Row: func([]byte) error { close(began); return nil }})
	}()
	<-began
	cancel()
	<-ended
	for len(lines(t, dir)) < 2 {
	}
	if got := lines(t, dir); got[1].Outcome != Unknown || got[1].Of != 1 {
		t.Errorf("%+v", got)
	}
	c.finish(1, Done, "") // too late: nothing changes
	if got := lines(t, dir); len(got) != 2 {
		t.Errorf("%+v", got)
	}
}

// A log that cannot be written refuses callers of another process the same, and so does one that nobody answers for.
func TestARefusalInAnotherProcess(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	path := serve(t, l, 0)
	c := dial(t, path)
	l.openFile = func(string, bool) (file, error) { return nil, syscall.ENOSPC }
	_, err := c.Begin(t.Context(), Action{Action: "a"})
	if !errors.Is(err, ErrUnavailable) || control.Code(err) != Code ||
		strings.Count(err.Error(), "nothing was done") != 1 || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("a full disk: %v", err)
	}
	_, err = c.Begin(t.Context(), Action{Action: "a", Reason: strings.Repeat("r", maxLineBytes)})
	if !errors.As(err, new(*control.InvalidError)) {
		t.Errorf("a long reason: %v", err)
	}
	_, err = control.Call[bool](t.Context(), c.caller, "audit/begin", beginCall{ParamsSHA256: "secret"}, control.Listener{})
	if !errors.As(err, new(*control.InvalidError)) {
		t.Errorf("a hash that is none: %v", err)
	}
	away := dial(t, filepath.Join(t.TempDir(), "none"))
	if _, err = away.Begin(t.Context(), Action{Action: "a"}); !errors.Is(err, ErrUnavailable) ||
		control.Code(err) != Code {
		t.Errorf("nobody listens: %v", err)
	}
}

// Another user of the machine can append, in no name but its own.
func TestAnotherUserActsInItsOwnName(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	for _, uid := range []int{os.Getuid() + 4711, os.Getuid()} {
		finish, err := dial(t, serve(t, l, uid)).Begin(t.Context(), Action{Actor: "token:A", Role: "admin", Action: "a"})
		check(t, err)
		finish(Done, "")
	}
	got := lines(t, dir)
	if got[0].Actor != "local:"+strconv.Itoa(os.Getuid()+4711) || got[0].Role != "" {
		t.Errorf("a stranger acts as %s %s", got[0].Actor, got[0].Role)
	}
	if got[2].Actor != "token:A" || got[2].Role != "admin" {
		t.Errorf("the site acts as %s %s", got[2].Actor, got[2].Role)
	}
}

// An act is recorded with who does it before it is done, and how it went after; what cannot be recorded is not done.
func TestAnActIsRecordedBeforeItIsDone(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	ctx := control.WithWho(t.Context(), control.Who{Actor: "token:A", Role: "operator", From: "10.0.0.5"})
	act := control.Act{Name: "policy.set", Object: "collection:pilot", Targets: 2, Params: map[string]int{"a": 1},
		Reason: "r"}
	no := errors.New("no")
	err := control.Recorded(ctx, Recorder(l), act, func() error {
		got := lines(t, dir)
		if len(got) != 1 || got[0].Action != "policy.set" || got[0].Object != "collection:pilot" || got[0].Targets != 2 ||
			got[0].Actor != "token:A" || got[0].Role != "operator" || got[0].From != "10.0.0.5" || got[0].Reason != "r" ||
			got[0].ParamsSHA256 != sumOf([]byte(`{"a":1}`)) {
			t.Errorf("before it is done: %+v", got)
		}
		return no
	})
	if got := lines(t, dir); !errors.Is(err, no) || len(got) != 2 || got[1].Outcome != Failed || got[1].Detail != "no" {
		t.Errorf("%v, %+v", err, got)
	}
	check(t, l.Close())
	err = control.Recorded(ctx, Recorder(l), act, func() error { t.Error("it is done"); return nil })
	if !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	done := false
	if err := control.Recorded(ctx, nil, act, func() error { done = true; return nil }); err != nil || !done {
		t.Errorf("without a recorder: %v", err)
	}
	if who := control.WhoOf(t.Context()); who.Actor != "local:"+strconv.Itoa(os.Getuid()) || who.Role != "admin" {
		t.Errorf("who runs this is %+v", who)
	}
}
