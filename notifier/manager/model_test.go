package manager

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"statewire/notifier/wire"
	"statewire/store/storetest"
)

// world is two servers, some clients, the way between them and the manager, and the truth. The rules of a server are
// written down here a second time, as short as can be.
type world struct {
	*bench
	r       *rapid.T
	servers []*fakeServer
	clients []*fakeClient
	written []wire.Report // all that ever came, to be copied back
	lost    []wire.Report

	restored bool          // a machine was, from an image
	delayed  []wire.Report // that are on the way
}

// fakeClient is where a client really is.
type fakeClient struct {
	id      uuid.UUID
	counter uint64 // as it is stored on the machine
	at      *fakeServer
}

type fakeServer struct {
	id             uint32
	epoch, version uint64
	base           uint64
	conns          map[uuid.UUID]*wire.Row // what the server takes for connected, half-open ones too
	known          map[uuid.UUID]uint64
	changed        map[uuid.UUID]wire.Row
	got            uint64
	full           bool
}

// tell has a row go with the next report, and at once unless that fails.
func (w *world) tell(s *fakeServer, r wire.Row, atOnce bool) {
	s.changed[r.Client] = r
	if atOnce {
		w.see(s.id, s.epoch, r)
	}
}

func (w *world) signIn(c *fakeClient, s *fakeServer, clean, atOnce bool) {
	if c.at != nil && clean {
		w.leave(c, atOnce)
	}
	c.counter = max(c.counter+1, s.known[c.id]+1)
	s.known[c.id] = c.counter
	c.at = s
	row := wire.Row{Client: c.id, Online: true, Session: c.counter, Seq: 1, Since: w.now, Last: w.now, Reason: wire.Online}
	s.conns[c.id] = &row
	w.tell(s, row, atOnce)
}

func (w *world) leave(c *fakeClient, atOnce bool) {
	w.drop(c.at, c.id, wire.OfflineClosed, atOnce)
	c.at = nil
}

func (w *world) drop(s *fakeServer, id uuid.UUID, reason string, atOnce bool) {
	row := s.conns[id]
	if row == nil {
		return
	}
	delete(s.conns, id)
	row.Online, row.Seq, row.Reason, row.Since = false, row.Seq+1, reason, w.now
	w.tell(s, *row, atOnce)
}

func (w *world) start(s *fakeServer) {
	for _, c := range w.clients {
		if c.at == s {
			c.at = nil
		}
	}
	s.epoch, s.base, s.got, s.full = s.epoch+1, 0, 0, false
	if s.epoch%2 == 0 {
		s.version = 0
	}
	clear(s.conns)
	clear(s.known)
	clear(s.changed)
}

// write makes a server's report, in parts of two rows.
func (w *world) write(s *fakeServer) (out []wire.Report) {
	s.version++
	r := wire.Report{Full: s.full, Server: map[uint32]string{1: "push1", 2: "push2"}[s.id], ServerID: s.id, Epoch: s.epoch,
		Version: s.version, Base: min(s.base, s.version-1), Parts: 1, Time: w.now}
	if s.full {
		for _, row := range s.conns {
			r.Rows = append(r.Rows, *row)
		}
	} else {
		r.Rows = slices.Collect(maps.Values(s.changed))
	}
	clear(s.changed)
	s.base, s.full = s.version, false
	rows := r.Rows
	r.Parts = max(1, (len(rows)+1)/2)
	for r.Part = 1; r.Part <= r.Parts; r.Part++ {
		n := min(2, len(rows))
		r.Rows, rows = slices.Clone(rows[:n]), rows[n:]
		out = append(out, r)
	}
	return out
}

// ask has a server do what the manager wants of it.
func (w *world) ask(s *fakeServer, atOnce bool) {
	for range 20 {
		work := w.work(s.id, s.epoch, s.got)
		if work.Empty() {
			return
		}
		s.got = work.Number
		s.full = s.full || work.Full
		for _, to := range work.Raise {
			w.raise(s, to, atOnce)
		}
		for _, gone := range work.End {
			if row := s.conns[gone.Client]; row != nil && row.Session == gone.Session {
				delete(s.conns, gone.Client)
				delete(s.changed, gone.Client)
				for _, c := range w.clients {
					if c.id == gone.Client && c.at == s {
						c.at = nil
					}
				}
			}
		}
	}
	w.r.Fatalf("server %d always has work", s.id)
}

func (w *world) raise(s *fakeServer, to wire.SessionOf, atOnce bool) {
	row := s.conns[to.Client]
	if row == nil || to.Session <= row.Session {
		return
	}
	s.known[to.Client] = max(s.known[to.Client], to.Session)
	row.Session, row.Seq = s.known[to.Client], 1
	for _, c := range w.clients {
		if c.id == to.Client && c.at == s {
			c.counter = row.Session
		}
	}
	w.tell(s, *row, atOnce)
}

// Whatever is lost, doubled, late, cut short or put back: once the reports come again, the manager knows where every
// client is.
func TestModelOfServersAndFiles(t *testing.T) {
	root := memory(t)
	storetest.Checks(t, 100)
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(root, "model")
		if err != nil {
			r.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w := newWorld(t, r, dir)
		defer w.Close()
		for range rapid.IntRange(5, 60).Draw(r, "events") {
			w.event()
		}
		w.settle()
		w.compare("in the end")
		before, versions := w.all(), w.counter
		for _, report := range w.written {
			w.put(report)
		}
		w.step()
		if got := w.all(); got != before || w.counter != versions {
			r.Fatalf("all files copied back change\n%s\nto\n%s", before, got)
		}
		w.send(w.lost...)
		w.step()
		if !w.restored { // else a greater session of before may turn up, and the client has to sign in again
			w.compare("with what was lost found")
		}
		before = w.all()
		w.restart()
		if got := w.all(); got != before {
			r.Fatalf("after a restart\n%s\nis\n%s", before, got)
		}
	})
}

func newWorld(t *testing.T, r *rapid.T, dir string) *world {
	w := &world{r: r, bench: &bench{t: t, now: today, cfg: Config{Dir: dir, Box: filepath.Join(dir, "box"),
		Server:   "push1",
		ServerID: 1, PresenceInterval: 5 * time.Minute}}}
	if err := os.MkdirAll(filepath.Join(w.cfg.Box, "bad"), 0o700); err != nil {
		r.Fatal(err)
	}
	w.open()
	for i := range uint32(2) {
		w.servers = append(w.servers, &fakeServer{id: i + 1, epoch: 1, conns: map[uuid.UUID]*wire.Row{},
			known: map[uuid.UUID]uint64{}, changed: map[uuid.UUID]wire.Row{}})
	}
	for n := range 4 {
		w.clients = append(w.clients, &fakeClient{id: id(n + 1)})
	}
	return w
}

// send puts reports into the box.
func (w *world) send(reports ...wire.Report) {
	w.written = append(w.written, reports...)
	for _, r := range reports {
		w.put(r)
	}
}

func (w *world) event() {
	s := w.servers[rapid.IntRange(0, len(w.servers)-1).Draw(w.r, "server")]
	c := w.clients[rapid.IntRange(0, len(w.clients)-1).Draw(w.r, "client")]
	atOnce := rapid.Bool().Draw(w.r, "at once")
	switch rapid.SampledFrom([]string{"sign in", "sign in", "move", "leave", "report", "report", "report lost",
		"report late",
		"arrive", "copy", "look", "ask", "start", "image", "restart", "minute", "quarter"}).Draw(w.r, "event") {
	case "sign in":
		w.signIn(c, s, true, atOnce)
	case "move": // the connection that it had stays, half-open
		w.signIn(c, s, false, atOnce)
	case "leave":
		if c.at != nil {
			w.leave(c, atOnce)
		}
	case "report":
		w.send(w.write(s)...)
	case "report lost":
		w.lost = append(w.lost, w.write(s)...)
	case "report late":
		w.delayed = append(w.delayed, w.write(s)...)
	case "arrive":
		if len(w.delayed) > 0 {
			i := rapid.IntRange(0, len(w.delayed)-1).Draw(w.r, "which")
			w.send(w.delayed[i])
			w.delayed = slices.Delete(w.delayed, i, i+1)
		}
	case "copy":
		if len(w.written) > 0 {
			w.put(w.written[rapid.IntRange(0, len(w.written)-1).Draw(w.r, "copy")])
		}
	case "look":
		w.step()
	case "ask":
		w.ask(s, atOnce)
	case "start":
		w.start(s)
	case "image":
		c.counter, c.at, w.restored = c.counter/2, nil, true // its connection is half-open
	case "restart":
		w.restart()
	case "minute":
		w.now = w.now.Add(time.Minute)
		w.step()
	case "quarter":
		w.pass(16 * time.Minute)
	}
}

// settle lets everything come that was late, and reports come and work be done for some rounds.
func (w *world) settle() {
	w.send(w.delayed...)
	for range 8 {
		w.now = w.now.Add(61 * time.Second)
		w.step()
		for _, s := range w.servers {
			w.ask(s, true)
			w.send(w.write(s)...)
			w.step()
		}
	}
	if left := w.files("."); len(left) > 0 {
		w.r.Fatalf("left in the box: %v", left)
	}
}

func (w *world) compare(when string) {
	for i, c := range w.clients {
		p, _ := w.Presence(c.id)
		at := uint32(0)
		if p.Online {
			at = p.Server
		}
		want := uint32(0)
		for _, s := range w.servers {
			if s == c.at || c.at == nil && s.conns[c.id] != nil && at == s.id {
				want = s.id // a half-open connection is what its server says
			}
		}
		if at != want || p.Online && c.at != nil && p.Session != c.counter {
			w.r.Fatalf("%s: client %d counts as being at server %d with session %d (%s), and is at %d with %d", when, i+1, at,
				p.Session, p.Reason, want, c.counter)
		}
		if c.at == nil {
			continue
		}
		for _, s := range w.servers {
			if s != c.at && s.conns[c.id] != nil {
				w.r.Fatalf("%s: server %d still has the elder connection of client %d", when, s.id, i+1)
			}
		}
	}
}

// memory is a folder in memory where there is one: a model syncs its state file some hundred times.
func memory(t *testing.T) string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		dir, err := os.MkdirTemp("/dev/shm", "statewire-manager")
		if err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
	}
	return t.TempDir()
}

// Rows come in any order, and come again: the same counts in the end.
func TestModelOfRowsInAnyOrder(t *testing.T) {
	root := memory(t)
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(root, "rows")
		if err != nil {
			r.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w := newWorld(t, r, dir)
		defer w.Close()
		var rows []wire.Row
		for session := range uint64(rapid.IntRange(1, 4).Draw(r, "sessions")) {
			for seq := range uint64(rapid.IntRange(1, 3).Draw(r, "rows")) {
				row := on(1, session+1, seq+1, int(session*10+seq))
				row.Online = seq%2 == 0
				rows = append(rows, row)
			}
		}
		greatest := rows[len(rows)-1]
		order := rapid.Permutation(append(rows, rows...)).Draw(r, "order")
		for len(order) > 0 {
			n := rapid.IntRange(1, len(order)).Draw(r, "together")
			w.see(1, 1, order[:n]...)
			order = order[n:]
		}
		if p, _ := w.Presence(id(1)); p.Session != greatest.Session || p.Seq != greatest.Seq || p.Online != greatest.Online {
			r.Fatalf("%+v counts, want %+v", p, greatest)
		}
	})
}
