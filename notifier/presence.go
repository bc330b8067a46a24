package notifier

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"statewire/internal/backoff"
	"statewire/internal/durable"
	"statewire/notifier/wire"
)

const (
	// firstReport is how long after its start a server waits with its first report, also when it is asked for: clients
	// that lost their connection by the restart come back meanwhile, and need not go offline. Whoever asks for a full
	// report gets it within a minute.
	firstReport = 45 * time.Second
	// unfinished begins the name of a report that is being written.
	unfinished = ".bos-"
	// reportMode lets the process that loads the reports read and remove them, whose folder hands its group on.
	reportMode = 0o660
)

// presence puts a report about who is online into the box again and again, also when nothing changed: it proves that
// the way works. What a report that failed had to tell, the next one tells.
type presence struct {
	// Constant after newPresence.
	s    *Server
	full chan struct{} // has room for one: the manager wants a report of all

	// Guarded by mu, which is held while a report is written.
	mu      sync.Mutex
	version uint64 // of the last report that was begun
	base    uint64 // of the last one that was written
	wanted  bool   // the next one is to name all

	// Guarded by state.
	state   sync.Mutex
	written uint64
	err     error
}

func newPresence(s *Server) *presence {
	return &presence{s: s, full: make(chan struct{}, 1), wanted: true}
}

// run writes reports until ctx is done.
func (p *presence) run(ctx context.Context) {
	p.clean()
	if backoff.Sleep(ctx, min(firstReport, p.s.cfg.Load().PresenceInterval)) != nil {
		return
	}
	for {
		p.report()
		timer := time.NewTimer(p.s.cfg.Load().PresenceInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-p.full:
			timer.Stop()
			p.wantFull()
		case <-timer.C:
		}
	}
}

// clean removes what an earlier run did not finish, and finds out whether the box can be written.
func (p *presence) clean() {
	p.mu.Lock() // a server that stops at once writes its last report meanwhile
	defer p.mu.Unlock()
	box := p.s.deps.Box
	err := os.MkdirAll(box, 0o700)
	if err == nil {
		var entries []fs.DirEntry
		entries, err = os.ReadDir(box)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), unfinished) {
				os.Remove(filepath.Join(box, e.Name()))
			}
		}
	}
	if err == nil {
		err = probe(box)
	}
	p.note(err)
}

// probe says whether a file can be made in a folder.
func probe(dir string) error {
	f, err := os.CreateTemp(dir, unfinished)
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

// wantFull has the next report name all that are online.
func (p *presence) wantFull() {
	p.mu.Lock()
	p.wanted = true
	p.mu.Unlock()
}

// askFull has a full report come now.
func (p *presence) askFull() {
	select {
	case p.full <- struct{}{}:
	default:
	}
}

// report writes a report.
func (p *presence) report() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.full: // this one answers it
		p.wanted = true
	default:
	}
	p.version++
	r := wire.Report{Full: p.wanted, Server: p.s.deps.Name, ServerID: p.s.deps.ServerID, Epoch: p.s.epoch,
		Version: p.version, Base: p.base, Time: p.s.now().UTC()}
	taken := p.s.hub.report(&r)
	if err := p.write(r); err != nil {
		p.s.hub.unreported(taken)
		p.wanted = true
		p.s.metrics.reports.WithLabelValues("failed").Inc()
		p.note(err)
		return
	}
	p.base, p.wanted = p.version, false
	p.s.metrics.reports.WithLabelValues("written").Inc()
	p.note(nil)
}

// write puts the parts of a report into the box, each whole or not at all.
func (p *presence) write(r wire.Report) error {
	rows := r.Rows
	r.Parts = max(1, (len(rows)+wire.MaxRows-1)/wire.MaxRows)
	for r.Part = 1; r.Part <= r.Parts; r.Part++ {
		n := min(len(rows), wire.MaxRows)
		r.Rows, rows = rows[:n], rows[n:]
		if err := durable.Write(p.s.deps.Box, wire.ReportName(), unfinished, r.Encode(), reportMode); err != nil {
			return fmt.Errorf("write a presence report into %s: %w", p.s.deps.Box, err)
		}
	}
	return nil
}

// note keeps how the last report went, and speaks when that changed.
func (p *presence) note(err error) {
	p.state.Lock()
	had := p.err
	p.err = err
	if err == nil {
		p.written = p.base
	}
	p.state.Unlock()
	switch {
	case err != nil && had == nil:
		p.s.log.Error("presence reports are not written; nothing is lost, the next one tells all", "box", p.s.deps.Box,
			"err", err)
	case err == nil && had != nil:
		p.s.log.Info("presence reports are written again", "box", p.s.deps.Box)
	}
}

// last writes what changed since the last report when the server stops.
func (p *presence) last() { p.report() }

// ready is why the last report could not be written; nil when it could.
func (p *presence) ready() error {
	p.state.Lock()
	defer p.state.Unlock()
	if p.err != nil {
		return fmt.Errorf("notifier: presence reports are not written: %w", p.err)
	}
	return nil
}

// lastVersion is the version of the last report that was written.
func (p *presence) lastVersion() uint64 {
	p.state.Lock()
	defer p.state.Unlock()
	return p.written
}

// report fills a report with its rows: those that changed, and in a full one all that are online. What it returns is to
// be handed back when the report is not written.
func (h *hub) report(r *wire.Report) (taken map[uuid.UUID]struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.TCP, r.HTTP = h.online[wire.TCP], h.online[wire.HTTP]
	r.Online = r.TCP + r.HTTP
	taken = h.changed
	h.changed = make(map[uuid.UUID]struct{}, len(taken)/4)
	if r.Full {
		for _, c := range h.clients {
			if c.live != nil {
				r.Rows = append(r.Rows, h.fact(c))
			}
		}
	}
	for id := range taken {
		if c := h.clients[id]; !r.Full || c.live == nil {
			r.Rows = append(r.Rows, h.fact(c))
		}
	}
	return taken
}

// fact is what is true of a client now. It must be called with mu held.
func (h *hub) fact(c *client) wire.Row {
	row := c.row
	if c.live != nil {
		row.Last = h.lastHeard(c.live)
	}
	return row
}

// unreported takes back what a report that failed had to tell.
func (h *hub) unreported(taken map[uuid.UUID]struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id := range taken {
		h.changed[id] = struct{}{}
	}
}
