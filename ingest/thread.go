package ingest

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"statewire/inbox"
	"statewire/smx"
)

// keptBuffer bounds the read buffer that a thread holds on to between files.
const keptBuffer = 4 << 20

// thread is one loader thread: it reads and decodes the files of one chunk after the other into parts.
type thread struct {
	*pipeline

	// Owned by the thread's goroutine.
	id      int
	decoder *smx.Decoder
	buf     []byte
	claim   *claim
	part    *part // nil when it holds nothing
}

func newThread(p *pipeline, id int) *thread {
	return &thread{pipeline: p, id: id, decoder: smx.NewDecoder()}
}

func (t *thread) run(ctx, failed context.Context) {
	for chunk := range t.chunks {
		t.load(ctx, failed, chunk)
	}
}

// load decodes the files of a chunk; a stop leaves the rest of them to the next start.
func (t *thread) load(ctx, failed context.Context, chunk *inbox.Chunk) {
	t.claim = newClaim(chunk, t.log)
	defer t.claim.leave()
	for _, f := range chunk.Files {
		if ctx.Err() != nil || !t.admit(failed, f.Size) {
			break
		}
		t.read(f)
		if t.part != nil && t.part.full() {
			t.pass(failed)
		}
	}
	t.pass(failed)
}

// admit takes room for a file, handing on what the thread has rather than wait with it. False when the run failed.
func (t *thread) admit(failed context.Context, size int64) bool {
	size = min(size, roomBytes)
	if !t.room.TryAcquire(size) {
		t.pass(failed)
		if t.room.Acquire(failed, size) != nil {
			return false
		}
	}
	if t.part == nil {
		t.part = t.newPart()
	}
	t.part.room += size
	return true
}

func (t *thread) newPart() *part {
	p, ok := t.spare.Get().(*part)
	if !ok {
		p = &part{}
	}
	p.claim, p.started = t.claim, time.Now()
	p.claim.join()
	return p
}

// pass hands the part on to be stored.
func (t *thread) pass(failed context.Context) {
	if t.part == nil {
		return
	}
	part := t.part
	t.part = nil
	if len(part.sources) == 0 {
		t.leave(part)
		return
	}
	part.complete()
	select {
	case t.parts <- part:
	case <-failed.Done():
		t.leave(part)
	}
}

// read decodes one file into the part. A file that cannot be read now is handed out again later; one that never can be
// understood is noted as bad.
func (t *thread) read(f inbox.File) {
	started := time.Now()
	data, err := f.Read(t.buf)
	if cap(data) > cap(t.buf) && cap(data) <= keptBuffer {
		t.buf = data[:0]
	}
	switch {
	case err == nil:
		t.part.decode(t.decoder, f, data)
		t.part.sources[len(t.part.sources)-1].took = time.Since(started)
	case errors.Is(err, fs.ErrNotExist):
		t.vanished(f)
	case neverReadable(err) != nil:
		t.part.condemn(f, neverReadable(err))
	default:
		t.log.Error("file cannot be read, trying again later", "file", f.Name, "err", err)
		t.metrics.files.WithLabelValues("postponed").Inc()
		t.claim.chunk.Postpone(f)
	}
}

// neverReadable says why a file can't be read, now or later; nil where it may be read later.
func neverReadable(err error) *smx.Error {
	switch {
	case errors.Is(err, inbox.ErrTooLarge):
		return &smx.Error{Code: smx.CodeTooLarge, Detail: err.Error()}
	case errors.Is(err, inbox.ErrHashMismatch):
		return &smx.Error{Code: "hash_mismatch", Detail: err.Error()}
	case errors.Is(err, fs.ErrPermission):
		return &smx.Error{Code: "unreadable", Detail: err.Error()}
	}
	return nil
}

// vanished ends the claim of a file that somebody took away or replaced; what replaced it is claimed by itself.
func (t *thread) vanished(f inbox.File) {
	t.log.Debug("file vanished or changed before it was read", "file", f.Name)
	t.metrics.files.WithLabelValues("vanished").Inc()
	if err := t.claim.chunk.Vanished(f); err != nil {
		t.log.Warn("claim of a vanished file cannot be ended", "file", f.Name, "err", err)
	}
}
