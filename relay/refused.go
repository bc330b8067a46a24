package relay

import (
	"container/list"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"statewire/internal/refusals"
	"statewire/smx"
)

const (
	// noteInterval is how often changes of the list are written to its file.
	noteInterval = 2 * time.Second
	// addressShare is which part of the list one address may have: who sends under many ids takes no place from others.
	addressShare = 4
	// maxDetail bounds the text of a refusal in the list, in bytes.
	maxDetail = 256
)

// sender is whose report a request brings, as far as that is known. What a report says of itself is no proof, and
// replaces nothing of a client that showed one.
type sender struct {
	client   smx.ClientID // zero: not known
	verified bool         // by its certificate
}

// refused is what was refused last of each client: of a bounded number of them, and of a share of it from one address.
type refused struct {
	// Constant after newRefused.
	file    string // empty: it is not written
	most    int
	log     *slog.Logger
	metrics *metrics

	// Guarded by mu.
	mu   sync.Mutex
	of   map[sender]*refusal
	from map[netip.Addr]*list.List // of *refusal, the oldest first
	free []uint32                  // slots
	last uint64                    // the latest change

	written uint64 // the change that is in the file. Owned by run.
}

// refusal is an entry of the list.
type refusal struct {
	refusals.Refusal
	who  sender
	from netip.Addr
	at   *list.Element
}

// newRefused goes on with what the file has. One that can't be read is replaced: what was in it reached the store.
func newRefused(cfg Config, file string, m *metrics, log *slog.Logger) *refused {
	l := &refused{file: file, most: cfg.RefusalsKept, log: log, metrics: m, of: map[sender]*refusal{},
		from: map[netip.Addr]*list.List{}}
	had, err := refusals.Read(file)
	if err != nil {
		log.Warn("the list of refused reports begins anew", "err", err)
	}
	slices.SortFunc(had, func(a, b refusals.Refusal) int { return a.Time.Compare(b.Time) })
	slots := make([]bool, l.most)
	for _, r := range had {
		l.restore(r, slots)
	}
	if l.written = l.last; err != nil || len(l.of) < len(had) {
		l.last++ // what the file has is not the list
	}
	for slot := l.most - 1; slot >= 0; slot-- {
		if !slots[slot] {
			l.free = append(l.free, uint32(slot))
		}
	}
	return l
}

// restore adds what the file has to the list, unless there is no place for it.
func (l *refused) restore(r refusals.Refusal, slots []bool) {
	l.last = max(l.last, r.Change)
	client, err := smx.ParseUUID(r.Client)
	who := sender{client, r.Verified}
	if err != nil || uint64(r.Slot) >= uint64(len(slots)) || slots[r.Slot] || l.of[who] != nil {
		return
	}
	slots[r.Slot] = true
	from, _ := netip.ParseAddr(r.Address) // without one it has the share of those who have none
	l.add(&refusal{Refusal: r, who: who, from: from})
}

// concerns says that a refusal is about what the client sent. One that is about the relay itself is in the log and in
// /readyz.
func concerns(p *problem) bool { return p.Status < http.StatusInternalServerError }

// note keeps a refusal.
func (l *refused) note(who sender, name string, from netip.Addr, p *problem, now time.Time) {
	if who.client == (smx.ClientID{}) || l.most == 0 || !concerns(p) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.of[who]
	switch {
	case r == nil:
		r = &refusal{who: who, from: from, Refusal: refusals.Refusal{Slot: l.place(from), Client: who.client.UUID(),
			Verified: who.verified}}
	default:
		l.remove(r)
		r.from = from
		if r.Over() {
			r.Count = 0
		}
	}
	r.Address, r.Time, r.Taken, r.Count = from.String(), now.UTC(), time.Time{}, r.Count+1
	if name != "" {
		r.Name = strings.ToValidUTF8(name, "\ufffd")
	}
	r.Code, r.Status, r.Line, r.Column, r.Retry = p.Code, p.Status, p.Line, p.Column, p.Retry
	r.Detail = strings.ToValidUTF8(p.Detail[:min(len(p.Detail), maxDetail)], "\ufffd")
	r.Change = l.change(now)
	l.add(r)
}

// took notes that a report of the client was taken: what was refused before is over.
func (l *refused) took(who sender, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, who := range []sender{who, {who.client, false}} { // who proves who it is, is who it said it was
		if r := l.of[who]; r != nil && !r.Over() {
			r.Taken, r.Change = now.UTC(), l.change(now)
		}
	}
}

// change numbers a change. A list that lost its file goes on above the numbers it had, unless the clock was set back as
// well.
func (l *refused) change(now time.Time) uint64 {
	l.last = max(l.last+1, uint64(now.UnixMicro()))
	return l.last
}

// place is a slot for one more. When there is none, or the address has its share, the oldest of the address goes, or
// the oldest of the address that has most.
func (l *refused) place(from netip.Addr) uint32 {
	most := l.from[from]
	if most == nil || most.Len() < max(1, l.most/addressShare) {
		if n := len(l.free); n > 0 {
			slot := l.free[n-1]
			l.free = l.free[:n-1]
			return slot
		}
		for _, of := range l.from {
			if most == nil || of.Len() > most.Len() || of.Len() == most.Len() && oldestOf(of).Time.Before(oldestOf(most).Time) {
				most = of
			}
		}
	}
	oldest := oldestOf(most)
	l.remove(oldest)
	delete(l.of, oldest.who)
	l.metrics.refusalsForgotten.Inc()
	return oldest.Slot
}

func oldestOf(of *list.List) *refusal { return of.Front().Value.(*refusal) }

func (l *refused) add(r *refusal) {
	of := l.from[r.from]
	if of == nil {
		of = list.New()
		l.from[r.from] = of
	}
	r.at = of.PushBack(r)
	l.of[r.who] = r
}

func (l *refused) remove(r *refusal) {
	of := l.from[r.from]
	of.Remove(r.at)
	if of.Len() == 0 {
		delete(l.from, r.from)
	}
}

// open counts the clients whose last report was refused.
func (l *refused) open() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.of {
		if !r.Over() {
			n++
		}
	}
	return n
}

// changed is the list in the order of its slots, and its latest change; nil when it is the one that was written.
func (l *refused) changed() ([]refusals.Refusal, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == l.written {
		return nil, l.last
	}
	out := make([]refusals.Refusal, 0, len(l.of))
	for _, r := range l.of {
		out = append(out, r.Refusal)
	}
	slices.SortFunc(out, func(a, b refusals.Refusal) int { return int(a.Slot) - int(b.Slot) })
	return out, l.last
}

// run writes changes to the file until ctx is done, and once more then.
func (l *refused) run(ctx context.Context) error {
	tick := time.NewTicker(noteInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			l.write()
			return nil
		case <-tick.C:
			l.write()
		}
	}
}

// write writes the file when something changed. It is tried again with the next tick: a full disk keeps nobody from an
// answer.
func (l *refused) write() {
	now, last := l.changed()
	if now == nil || l.file == "" {
		return
	}
	if err := refusals.Write(l.file, now); err != nil {
		l.log.Debug("refused reports not noted", "err", err)
		return
	}
	l.written = last
}
