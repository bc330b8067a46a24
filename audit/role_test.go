package audit

import (
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"

	"statewire/internal/control"
)

// The user of a role appends in its own name and role whatever it says of itself, and nobody tells how another's action
// went.
func TestARoleAppendsInItsOwnName(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	mux, path := http.NewServeMux(), filepath.Join(t.TempDir(), "s")
	Serve(mux, l)
	ln, err := control.Listen(path)
	check(t, err)
	var who atomic.Pointer[control.Peer]
	who.Store(&control.Peer{UID: 54331, Role: "relay"})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mux.ServeHTTP(w, req.WithContext(control.WithPeer(req.Context(), *who.Load())))
	})}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	c := dial(t, path)
	finish, err := c.Begin(t.Context(), Action{Actor: "local:0", Role: "admin", Action: "a"})
	check(t, err)
	if got := lines(t, dir); len(got) != 1 || got[0].Actor != "local:54331" || got[0].Role != "relay" {
		t.Errorf("%+v", got)
	}
	who.Store(&control.Peer{UID: 54333, Role: "fsp"})
	c.finish(1, Failed, "says another") // refused
	if got := lines(t, dir); len(got) != 1 {
		t.Errorf("%+v", got)
	}
	who.Store(&control.Peer{UID: 54331, Role: "relay"})
	finish(Done, "")
	if got := lines(t, dir); len(got) != 2 || got[1].Outcome != Done {
		t.Errorf("%+v", got)
	}
}
