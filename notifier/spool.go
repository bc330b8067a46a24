package notifier

import (
	"context"
	"errors"
	"fmt"
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
	// spoolBytes bounds the results that are in no file yet, on the disk.
	spoolBytes = 512 << 20
	// spoolPerClient bounds those of one client. Whatever it sends, others have room.
	spoolPerClient = 4 << 20
	// spoolWaiting bounds those that wait for the disk, in memory.
	spoolWaiting = 32 << 20
	// segmentBytes is how long one file of the spool grows.
	segmentBytes = 8 << 20
	// segmentName begins the name of such a file, and damagedName that of one that was set aside.
	segmentName = "results-"
	damagedName = "damaged-"
)

// spool keeps the results of clients until they are in a file that is durable. A result is confirmed to its client once
// it is on the disk, and not before: the client keeps it as long. One that finds no room is not confirmed.
type spool struct {
	// Constant after openSpool.
	s    *Server
	dir  string
	most int64
	more chan struct{} // has room for one: something waits for the disk

	// Guarded by mu.
	mu      sync.Mutex
	waiting []waitingResult
	queued  int                    // bytes of those
	size    int64                  // bytes on the disk
	used    map[uuid.UUID]int64    // bytes of each client, here and there
	denied  map[uuid.UUID]*session // whose result found no room
	err     error                  // of the last write

	// Guarded by disk, which is held while the disk works.
	disk   sync.Mutex
	file   *os.File
	active *segment
	sealed []*segment // the oldest first
	number int
}

// waitingResult is a result whose client waits to hear that it is durable.
type waitingResult struct {
	record
	session *session
}

// segment is one file of the spool.
type segment struct {
	path    string
	good    int64 // so many bytes are durable
	of      map[uuid.UUID]int64
	damaged bool
}

func newSpool(s *Server) *spool {
	return &spool{s: s, dir: s.deps.Spool, most: spoolBytes, more: make(chan struct{}, 1), used: map[uuid.UUID]int64{},
		denied: map[uuid.UUID]*session{}}
}

// add takes a result. Nobody waits for the disk here.
func (p *spool) add(from *session, r record) {
	size := int64(r.size())
	p.mu.Lock()
	room := p.size+int64(p.queued)+size <= p.most && p.queued+int(size) <= spoolWaiting &&
		p.used[r.client]+size <= spoolPerClient
	if room {
		p.used[r.client] += size
		p.queued += int(size)
		p.waiting = append(p.waiting, waitingResult{r, from})
	} else {
		p.denied[r.client] = from
	}
	p.mu.Unlock()
	p.s.results.count(r.row(), room)
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// run makes results durable until ctx is done: those that wait together, by one sync.
func (p *spool) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.more:
			p.flush()
		}
	}
}

// flush makes durable what waits, and confirms it.
func (p *spool) flush() {
	p.disk.Lock()
	defer p.disk.Unlock()
	p.mu.Lock()
	batch := p.waiting
	p.waiting = nil
	p.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	size, err := p.append(batch)
	p.mu.Lock()
	p.size += size
	for _, w := range batch {
		p.queued -= w.size()
		if err != nil {
			p.took(w.client, -int64(w.size()))
			p.denied[w.client] = w.session
		}
	}
	p.note(err)
	p.mu.Unlock()
	if err == nil {
		p.confirm(batch)
	}
}

// took counts bytes of a client. It must be called with mu held.
func (p *spool) took(client uuid.UUID, bytes int64) {
	if p.used[client] += bytes; p.used[client] <= 0 {
		delete(p.used, client)
	}
}

// note keeps how the last write went, and speaks when that changed. It must be called with mu held.
func (p *spool) note(err error) {
	switch {
	case err != nil && p.err == nil:
		p.s.log.Error("results are not kept; clients keep theirs and send them again", "spool", p.dir, "err", err)
	case err == nil && p.err != nil:
		p.s.log.Info("results are kept again", "spool", p.dir)
	}
	p.err = err
	p.s.metrics.spooled.Set(float64(p.size))
}

// append writes records and syncs them. After a failure nobody knows what is on the disk: the file ends before them.
func (p *spool) append(batch []waitingResult) (size int64, err error) {
	if p.active == nil {
		if err := p.begin(); err != nil {
			return 0, err
		}
	}
	var out []byte
	for _, w := range batch {
		out = w.encode(out)
	}
	_, err = p.file.Write(out)
	if err == nil {
		err = p.file.Sync()
	}
	if err != nil {
		err = fmt.Errorf("write results into %s: %w", p.active.path, err)
		p.file.Truncate(p.active.good)
		p.end()
		return 0, err
	}
	p.active.good += int64(len(out))
	for _, w := range batch {
		p.active.of[w.client] += int64(w.size())
	}
	if p.active.good >= segmentBytes {
		p.end()
	}
	return int64(len(out)), nil
}

// begin begins a file. It must be called with disk held.
func (p *spool) begin() error {
	path := filepath.Join(p.dir, fmt.Sprintf("%s%012d-%06d", segmentName, p.s.epoch, p.number))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		err = durable.SyncFolder(p.dir)
	}
	if err != nil {
		p.number++
		if f != nil {
			f.Close()
		}
		return fmt.Errorf("begin a file of results: %w", err)
	}
	p.number++
	p.file, p.active = f, &segment{path: path, of: map[uuid.UUID]int64{}}
	return nil
}

// end ends the file that is written. It must be called with disk held.
func (p *spool) end() {
	if p.active == nil {
		return
	}
	p.file.Close()
	if p.active.good > 0 {
		p.sealed = append(p.sealed, p.active)
	} else {
		os.Remove(p.active.path)
	}
	p.file, p.active = nil, nil
}

// confirm tells clients, and the manager, of results that are durable.
func (p *spool) confirm(batch []waitingResult) {
	tasks := map[*session][]uuid.UUID{}
	rows := make([]wire.Result, 0, len(batch))
	for _, w := range batch {
		tasks[w.session] = append(tasks[w.session], w.response.Task)
		rows = append(rows, w.row())
	}
	for session, ids := range tasks {
		session.link.send(wire.AppendFrame(nil, wire.ResponseConfirm, wire.JoinTasks(ids)))
	}
	p.s.results.durable(rows)
}

// seal ends the file that is written, and gives all that are to go into result files.
func (p *spool) seal() ([]*segment, error) {
	p.disk.Lock()
	defer p.disk.Unlock()
	p.end()
	return append([]*segment(nil), p.sealed...), nil
}

// read is what a file of the spool holds.
func (p *spool) read(seg *segment) (rows []wire.Result, err error) {
	data, err := readSegment(seg)
	if err != nil {
		return nil, fmt.Errorf("read results of the spool: %w", err)
	}
	records, _ := records(data)
	for _, r := range records {
		rows = append(rows, r.row())
	}
	return rows, nil
}

// readSegment reads what is durable of a file; all of one of an earlier run.
func readSegment(seg *segment) ([]byte, error) {
	data, err := os.ReadFile(seg.path)
	if err == nil && int64(len(data)) < seg.good {
		err = fmt.Errorf("%s has %d bytes, and %d were written", seg.path, len(data), seg.good)
	}
	if err != nil {
		return nil, err
	}
	return data[:seg.good], nil
}

// release removes a file whose results are in a result file. Clients that found no room are asked to come again: then
// they send what they kept.
func (p *spool) release(seg *segment) {
	p.disk.Lock()
	p.sealed = p.sealed[1:]
	err := p.remove(seg)
	p.disk.Unlock()
	if err != nil { // they are told again after the next start, which changes nothing
		p.s.log.Warn("a file of results that were told stays", "path", seg.path, "err", err)
	}
	p.mu.Lock()
	p.size -= seg.good
	for client, bytes := range seg.of {
		p.took(client, -bytes)
	}
	p.s.metrics.spooled.Set(float64(p.size))
	p.mu.Unlock()
}

// remove removes a file, and keeps a damaged one for a person to see.
func (p *spool) remove(seg *segment) error {
	if seg.damaged {
		return os.Rename(seg.path, aside(seg.path))
	}
	return os.Remove(seg.path)
}

func aside(path string) string {
	return filepath.Join(filepath.Dir(path), damagedName+strings.TrimPrefix(filepath.Base(path), segmentName))
}

// heal tries whether the disk takes results again, and has clients come again that found no room: then they send what
// they kept.
func (p *spool) heal() {
	p.mu.Lock()
	failed := p.err != nil
	p.mu.Unlock()
	if failed {
		err := probe(p.dir)
		p.mu.Lock()
		if err == nil {
			p.note(nil)
		}
		p.mu.Unlock()
	}
	for _, session := range p.welcome() {
		p.s.hub.lost(session, wire.OfflineClosed, closeFrame(wire.CloseMessage{Code: wire.CloseLimit,
			Text: "there is room for results again", RetryAfter: backoff.Jitter(time.Second, 20*time.Second)}))
	}
}

// welcome takes the clients that found no room and would find some now.
func (p *spool) welcome() (all []*session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil || p.size > p.most/2 {
		return nil
	}
	for id, session := range p.denied {
		if p.used[id] <= spoolPerClient/2 {
			all = append(all, session)
			delete(p.denied, id)
		}
	}
	return all
}

var errSpoolFull = errors.New("notifier: the spool of results is full; clients keep theirs")

// ready is why a result would not be kept; nil when it would.
func (p *spool) ready() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return fmt.Errorf("notifier: results are not kept: %w", p.err)
	}
	if p.size+wire.MaxFrame > p.most {
		return errSpoolFull
	}
	return nil
}
