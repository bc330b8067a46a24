package manager

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/internal/control"
	"statewire/notifier/wire"
)

func (b *bench) wake(clients ...int) {
	b.t.Helper()
	var ids []uuid.UUID
	for _, n := range clients {
		ids = append(ids, id(n))
	}
	if err := b.Wake(b.t.Context(), ids); err != nil {
		b.t.Fatal(err)
	}
}

// wakes are the clients of a server's work, in order.
func wakes(w wire.Work) (out []string) {
	for _, id := range w.Wakes {
		out = append(out, id.String()[35:])
	}
	slices.Sort(out)
	return out
}

func TestAClientIsWokenByTheServerThatHoldsIt(t *testing.T) {
	b := newBench(t)
	b.load(full(1, on(1, 8, 1, 0), on(2, 3, 1, 0)), second(full(1, on(3, 4, 1, 0))))
	b.wake(1, 3, 4, 1)
	b.wake(1)
	first, other := b.work(1, 1, 0), b.work(2, 1, 0)
	if got := wakes(first); !slices.Equal(got, []string{"1"}) {
		t.Errorf("push1 wakes %v, want client 1 once", got)
	}
	if got := wakes(other); !slices.Equal(got, []string{"3"}) {
		t.Errorf("push2 wakes %v", got)
	}
	if again := b.work(1, 1, 0); again.Number != first.Number || !slices.Equal(wakes(again), []string{"1"}) {
		t.Errorf("unconfirmed work comes again: %+v", again)
	}
	b.wake(1, 2) // what client 1 is to learn now it may have missed
	if again := b.work(1, 1, 0); again.Number != first.Number || !slices.Equal(wakes(again), []string{"1"}) {
		t.Errorf("work that was handed out does not change: %+v", again)
	}
	then := b.work(1, 1, first.Number)
	if got := wakes(then); then.Number <= first.Number || !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("after the confirmation push1 wakes %v", got)
	}
	if done := b.work(1, 1, then.Number); !done.Empty() {
		t.Errorf("all is done: %+v", done)
	}
}

// An offline client is woken when it signs in, wherever that is, and whatever was restarted meanwhile.
func TestAnOfflineClientIsWokenWhenItSignsIn(t *testing.T) {
	b := newBench(t)
	b.load(full(1, on(1, 8, 1, 0)), second(full(1)))
	b.see(1, 1, off(1, 8, 2, 1, "closed"))
	b.wake(1, 2)
	if w := b.work(1, 1, 0); !w.Empty() {
		t.Errorf("nobody is there to be woken: %+v", w)
	}
	b.restart()
	b.see(2, 1, on(1, 9, 1, 2), on(2, 1, 1, 2))
	w := b.work(2, 1, 0)
	if !w.Full {
		t.Error("what the server was to be told may be lost, and no full report is asked for")
	}
	if got := wakes(w); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("push2 wakes %v", got)
	}
	b.work(2, 1, w.Number)
	b.see(2, 1, off(2, 1, 2, 3, "closed"), on(2, 2, 1, 4))
	if w := b.work(2, 1, w.Number); len(w.Wakes) > 0 {
		t.Errorf("it was woken, and is woken again: %+v", w)
	}
}

// A client that moves before its wake was handed out is woken where it went, and one that left before that was
// confirmed when it is back.
func TestAWakeFollowsItsClient(t *testing.T) {
	b := newBench(t)
	b.load(full(1, on(1, 8, 1, 0), on(2, 8, 1, 0)), second(full(1)))
	b.wake(1, 2)
	b.see(2, 1, on(1, 9, 1, 1))
	w := b.work(1, 1, 0)
	if got := wakes(w); !slices.Equal(got, []string{"2"}) {
		t.Errorf("push1 wakes %v", got)
	}
	if got := wakes(b.work(2, 1, 0)); !slices.Equal(got, []string{"1"}) {
		t.Errorf("push2 wakes %v", got)
	}
	b.see(1, 1, off(2, 8, 2, 1, "closed"))
	b.work(1, 1, w.Number)
	b.see(1, 1, on(2, 9, 1, 2))
	if got := wakes(b.work(1, 1, w.Number)); !slices.Equal(got, []string{"2"}) {
		t.Errorf("it left before the server had its wake, and is back: %v", got)
	}
}

// Wakes that a server has and did not hand out come to it again when it is started anew, and not before. It has at most
// so many of them.
func TestWakesThatAreNotHandedOutComeAgain(t *testing.T) {
	b := newBench(t)
	var rows []wire.Row
	var all []int
	for n := range maxWorkWakes + 10 {
		rows, all = append(rows, on(n+1, 8, 1, 0)), append(all, n+1)
	}
	b.load(full(1, rows...))
	b.wake(all...)
	ask := func(epoch, got, woken uint64) wire.Work {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // it does not wait
		w, _ := b.Work(ctx, wire.Ask{Server: "push1", ServerID: 1, Epoch: epoch, Version: 1, Got: got, Woken: woken})
		return w
	}
	w := ask(1, 0, 0)
	if len(w.Wakes) != maxWorkWakes {
		t.Fatalf("%d wakes are handed out", len(w.Wakes))
	}
	if more := ask(1, w.Number, 0); len(more.Wakes) > 0 {
		t.Errorf("%d more are handed out", len(more.Wakes))
	}
	again := ask(2, w.Number, 0)
	if len(again.Wakes) != maxWorkWakes {
		t.Fatalf("%d wakes come again to a server that was started anew", len(again.Wakes))
	}
	if rest := ask(2, again.Number, again.Number); len(rest.Wakes) != 10 {
		t.Errorf("%d are left", len(rest.Wakes))
	}
}

// A question is held until there is something, and for fifty seconds at most.
func TestAQuestionIsHeld(t *testing.T) {
	b := newBench(t)
	b.load(full(1, on(1, 8, 1, 0)))
	synctest.Test(t, func(t *testing.T) {
		ask := wire.Ask{Server: "push1", ServerID: 1, Epoch: 1, Got: 5}
		began := time.Now()
		b.Manager.queues = map[uint32]*queue{} // its channels belong to this test
		w, err := b.Work(t.Context(), ask)
		if took := time.Since(began); err != nil || !w.Empty() || w.Number != 5 || took != 50*time.Second {
			t.Errorf("nothing to do: %+v, %v, after %v", w, err, took)
		}
		answered := make(chan wire.Work)
		go func() {
			w, err := b.Work(t.Context(), ask)
			if err != nil {
				t.Error(err)
			}
			answered <- w
		}()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		began = time.Now()
		b.wake(1)
		if w := <-answered; len(w.Wakes) != 1 || w.Number != 6 || time.Since(began) > 0 {
			t.Errorf("a wake is handed out at once: %+v after %v", w, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		ask.Got = 6
		if _, err := b.Work(ctx, ask); err == nil {
			t.Error("a question outlives its caller")
		}
	})
}

func TestAStrangerIsToldNothing(t *testing.T) {
	b := newBench(t)
	for name, id := range map[string]uint32{"push9": 1, "push1": 9, "": 0, "push2": 1} {
		if _, err := b.Work(t.Context(), wire.Ask{Server: name, ServerID: id, Epoch: 1}); err == nil {
			t.Errorf("%q %d is given work", name, id)
		}
		if err := b.Seen(t.Context(), wire.Seen{Server: name, ServerID: id, Rows: []wire.Row{on(1, 1, 1, 0)}}); err == nil {
			t.Errorf("%q %d is believed", name, id)
		}
	}
	if len(b.clients)+len(b.servers) > 0 {
		t.Error("something of it is kept")
	}
}

func TestWhatAServerSaysIsKeptOnceInTenMinutes(t *testing.T) {
	b := newBench(t)
	message := wire.ComponentMessage{Component: wire.ServerComponent, ID: wire.ListenerFailed, Time: today, Text: "in use"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		_, _ = b.Work(ctx, wire.Ask{Server: "push1", ServerID: 1, Epoch: 1,
			Messages: []wire.ComponentMessage{message, message}})
	}
	if got := b.messageIDs(); !slices.Equal(got, []int{wire.ListenerFailed}) {
		t.Errorf("kept %v", got)
	}
}

// Across processes it is the same manager.
func TestTheManagerOfAnotherProcess(t *testing.T) {
	b := newBench(t)
	b.load(full(1, on(1, 8, 1, 0)))
	socket := filepath.Join(t.TempDir(), "m.sock")
	ln, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	b.Handle(mux)
	server := &http.Server{Handler: mux}
	served := make(chan error)
	go func() { served <- server.Serve(ln) }()
	c := Dial(socket)
	defer func() {
		c.Close()
		server.Close()
		<-served
	}()
	ctx := t.Context()
	row := on(2, 4, 1, 3)
	row.Channel, row.Certificate, row.Why = wire.HTTP, 1<<62, "refused"
	if err := c.Seen(ctx, wire.Seen{Server: "push1", ServerID: 1, Epoch: 1, Rows: []wire.Row{row}}); err != nil {
		t.Fatal(err)
	}
	b.want("seen", 2, "online 1 4.1 signin")
	if got := b.clients[id(2)]; got.Certificate != 1<<62 || got.Why != "refused" || got.Channel != wire.HTTP ||
		got.Since != row.Since.UnixMicro() {
		t.Errorf("kept %+v", got)
	}
	if err := c.Wake(ctx, []uuid.UUID{id(2)}); err != nil {
		t.Fatal(err)
	}
	w, err := c.Work(ctx, wire.Ask{Server: "push1", ServerID: 1, Epoch: 1})
	if err != nil || !slices.Equal(wakes(w), []string{"2"}) {
		t.Errorf("work %+v, %v", w, err)
	}
	if err := c.Revoked(ctx, []uuid.UUID{id(1)}); err != nil {
		t.Fatal(err)
	}
	b.want("revoked", 1, "offline 1 8.1 revoked")
	if s, err := c.Servers(ctx); err != nil || len(s) != 1 || s[0].Online != 1 || s[0].HTTP != 1 || s[0].TCP != 0 {
		t.Errorf("servers %+v, %v", s, err)
	}
	if err := c.Forget(ctx, []uuid.UUID{id(1)}); err != nil {
		t.Fatal(err)
	}
	b.want("forgotten", 1, "unknown")
	if _, err := c.Work(ctx, wire.Ask{Server: "push9", ServerID: 1}); err == nil {
		t.Error("a stranger is given work")
	}
}

// The manager as it runs: a file is loaded as soon as it is there, and the end is clean.
func TestAFileLoadsAsSoonAsItIsThere(t *testing.T) {
	b := newBench(t)
	b.box.started = false
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := b.messageIDs(); !slices.Contains(got, wire.ManagerStarted) {
			t.Errorf("messages %v, want that the manager started", got)
		}
	}()
	b.put(full(1, on(1, 8, 1, 0)))
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if _, ok := b.Presence(id(1)); ok {
			t.Logf("loaded after %v", time.Since(began))
			return
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("the file is not loaded")
		}
	}
}

// Only clients that are away count against the bound of those to be woken.
func TestClientsThatAreConnectedAreWokenHoweverManyWait(t *testing.T) {
	b := newBench(t)
	b.maxWakes = 3
	b.load(full(1, on(1, 8, 1, 0)))
	b.wake(2, 3, 4, 5)
	b.wake(1, 2)
	if got := wakes(b.work(1, 1, 0)); !slices.Equal(got, []string{"1"}) {
		t.Errorf("push1 wakes %v", got)
	}
	b.see(1, 1, on(4, 1, 1, 0), on(5, 1, 1, 0))
	if _, kept := b.wakes[id(4)]; !kept || len(b.wakes) != 4 {
		t.Errorf("kept %v, want three that were away and the one that was not", b.wakes)
	}
}

// A server's mistake must not keep everything else from the tables.
func TestWhatNoTableCanHoldIsNotKept(t *testing.T) {
	b := newBench(t)
	never, late := on(1, 8, 1, 0), on(2, 8, 1, 0)
	never.Since, never.Last = time.Time{}, time.Time{}
	late.Since = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	nobody := on(3, 8, 1, 0)
	nobody.Client = uuid.Nil
	b.see(1, 1, never, late, nobody)
	if p, _ := b.Presence(id(1)); p.Since.Year() != 1970 || p.Last.Year() != 1970 {
		t.Errorf("kept %+v", p)
	}
	if p, _ := b.Presence(id(2)); p.Since.Year() != 2200 {
		t.Errorf("kept %+v", p)
	}
	if len(b.clients) != 2 {
		t.Errorf("%d clients, one has no id", len(b.clients))
	}
}

// A change for a whole site is written at once: while it is, nobody is shown as having come or gone.
func TestWakingALargeSiteHoldsUpNobody(t *testing.T) {
	b := newBench(t)
	var all []uuid.UUID
	for n := range 150_000 {
		all = append(all, id(n))
	}
	began := time.Now()
	if err := b.Wake(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Second { // half a second, and twenty in any order
		t.Errorf("it takes %v", took)
	}
}
