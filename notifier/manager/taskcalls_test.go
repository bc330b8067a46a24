package manager

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"statewire/identity"
	"statewire/internal/control"
	"statewire/notifier/wire"
)

// Across processes tasks are the same, refusals too. The site's own processes say for whom they ask; whoever else
// comes asks for nobody but itself.
func TestTasksOfAnotherProcess(t *testing.T) {
	b := tasksBench(t, 2)
	socket := filepath.Join(t.TempDir(), "m.sock")
	ln, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	b.Handle(mux)
	server := &http.Server{Handler: mux, ConnContext: control.ConnContext}
	served := make(chan error)
	go func() { served <- server.Serve(ln) }()
	c, ctx := Dial(socket), t.Context()
	defer func() {
		c.Close()
		server.Close()
		<-served
	}()
	if p, err := c.Plan(ctx, operator, order(1, 2)); err != nil || p.Targets != 2 {
		t.Errorf("%+v, %v", p, err)
	}
	s, err := c.Create(ctx, operator, order(1, 2))
	if err != nil || s.Actor != operator.Actor {
		t.Fatalf("%+v, %v", s, err)
	}
	_, err = c.Create(ctx, viewer, order(1))
	if r := new(identity.Refusal); !asRefusal(err, &r) || r.Code != "forbidden" || r.Status != http.StatusForbidden {
		t.Errorf("a refusal comes as %v", err)
	}
	n := 0
	count := func(StepStatus) error { n++; return nil }
	if got, err := c.Show(ctx, viewer, "1", ShowOptions{}, count); err != nil || got.Task != s.Task || n != 2 {
		t.Errorf("%+v with %d steps, %v", got, n, err)
	}
	if list, err := c.List(ctx, viewer, ListOptions{Open: true}); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if s, err := c.SetRate(ctx, operator, "1", 7); err != nil || s.Rate != 7 {
		t.Errorf("%+v, %v", s, err)
	}
	b.now = b.now.Add(sweepEvery)
	p := b.pushes(1, 1)[0]
	told := wire.Results{Server: "push1", ServerID: 1, Epoch: 1, Time: b.now, Results: []wire.Result{{Task: p.Task,
		Client: id(1), Step: wire.StepFailed, ExitCode: -1, Output: wire.Output{Size: 2, Text: "ab"}}}}
	if err := c.Results(ctx, told); err != nil {
		t.Fatal(err)
	}
	if out, err := c.Output(ctx, viewer, "1", id(1)); err != nil || out.Output.Text != "ab" || out.ExitCode != -1 {
		t.Errorf("%+v, %v", out, err)
	}
	if waits, err := c.WaitingFor(ctx, id(2)); err != nil || len(waits) != 1 || waits[0].Task.ID != 1 {
		t.Errorf("%+v, %v", waits, err)
	}
	if s, err := c.Cancel(ctx, operator, "1", "done"); err != nil || s.State != TaskCancelled {
		t.Errorf("%+v, %v", s, err)
	}
	if err := c.Stop(ctx, By{}, "noon"); err != nil {
		t.Error(err)
	}
	if s, err := c.Stopping(ctx); err != nil || !s.Stopped || s.Actor != control.Actor(t.Context()) {
		t.Errorf("%+v, %v: whoever says nothing of itself is the user at the other end", s, err)
	}
	if err := c.Resume(ctx, admin, ""); err != nil {
		t.Error(err)
	}
	lasting := order(2)
	lasting.Lasting = true
	wipe := order(2)
	wipe.Name = "Wipe"
	if _, err := c.Create(ctx, admin, lasting); err != nil {
		t.Fatal(err)
	}
	if e, err := c.Lasting(ctx, id(2)); err != nil || len(e) != 1 {
		t.Errorf("%d envelopes, %v", len(e), err)
	}
	if _, err := c.Create(ctx, admin, wipe); err != nil {
		t.Fatal(err)
	}
	if s, err := c.Approve(ctx, another, "3"); err != nil || s.State != TaskActive {
		t.Errorf("%+v, %v", s, err)
	}
}

// Of By only the site's own user is believed.
func TestWhoIsBelieved(t *testing.T) {
	for name, at := range map[string]struct {
		peer control.Peer
		want string
	}{
		"the site's own user":   {control.Peer{UID: os.Getuid()}, viewer.Actor},
		"another user":          {control.Peer{UID: os.Getuid() + 1}, "local:"},
		"the same, with a role": {control.Peer{UID: os.Getuid(), Role: "notifier"}, "local:"},
	} {
		got := caller(control.WithPeer(t.Context(), at.peer), viewer).Actor
		if got != at.want && (at.want != "local:" || got[:6] != "local:") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
