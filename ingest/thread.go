package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"statewire/inbox"
	"statewire/smx"
)

const (
	// finishTimeout bounds the storing of the batch in hand after a stop was asked for.
	finishTimeout = 20 * time.Second
	// claimRetry is the pause after the inbox could not be read.
	claimRetry = 5 * time.Second
)

// thread is one loader thread: it claims chunks, decodes their files and stores them in batches of its own.
type thread struct {
	// Owned by the thread's goroutine.
	*Loader
	id      int
	decoder *smx.Decoder
	batch   *batch
	buf     []byte
	open    []*inbox.Chunk // claimed, with files that have not ended
}

func newThread(l *Loader, id int) *thread {
	return &thread{Loader: l, id: id, decoder: smx.NewDecoder(), batch: &batch{}}
}

// step claims one chunk and decodes its files, storing the batch when it is due. It says whether there was a chunk.
func (t *thread) step(ctx context.Context) (bool, error) {
	if t.batch.due(t.now(), t.cfg) {
		if err := t.storeBatch(ctx); err != nil {
			return false, err
		}
	}
	chunk, err := t.inbox.Claim()
	if err != nil {
		return false, fmt.Errorf("%w: %w", errClaim, err)
	}
	if chunk == nil {
		return false, nil
	}
	t.open = append(t.open, chunk)
	return true, t.load(ctx, chunk)
}

// load decodes the files of a chunk into the batch, storing it whenever it is full.
func (t *thread) load(ctx context.Context, chunk *inbox.Chunk) error {
	for _, f := range chunk.Files {
		if ctx.Err() != nil {
			return nil
		}
		t.read(chunk, f)
		if t.batch.full(t.cfg) {
			if err := t.storeBatch(ctx); err != nil {
				return err
			}
			t.open = append(t.open, chunk)
		}
	}
	return nil
}

// read decodes one file into the batch. A file that cannot be read now is handed out again later; one that never can be
// understood goes into the batch as a bad file.
func (t *thread) read(chunk *inbox.Chunk, f inbox.File) {
	started := t.now()
	data, err := f.Read(t.buf)
	if cap(data) > cap(t.buf) {
		t.buf = data[:0]
	}
	switch {
	case err == nil:
		t.batch.decode(t.decoder, chunk, f, data, started)
	case errors.Is(err, fs.ErrNotExist):
		t.batch.vanished(chunk, f)
	case errors.Is(err, inbox.ErrTooLarge):
		t.batch.bad(chunk, f, &smx.Error{Code: "too_large", Detail: err.Error()})
	case errors.Is(err, inbox.ErrHashMismatch):
		t.batch.bad(chunk, f, &smx.Error{Code: "hash_mismatch", Detail: err.Error()})
	default:
		t.log.Error("file cannot be read, trying again later", "file", f.Name, "err", err)
		chunk.Postpone(f)
	}
}

// wait returns when files may have arrived, when the batch is due, or when ctx is done.
func (t *thread) wait(ctx context.Context, wake <-chan struct{}) {
	var due <-chan time.Time
	if !t.batch.empty() {
		timer := time.NewTimer(max(0, t.batch.started.Add(t.cfg.BatchDelay).Sub(t.now())))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-wake:
	case <-due:
	}
}

// finish stores what is in hand, under a deadline of its own when a stop was asked for.
func (t *thread) finish(ctx context.Context) error {
	if t.batch.empty() {
		return nil
	}
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
		defer cancel()
	}
	return t.storeBatch(ctx)
}

// storeBatch stores the batch and starts a new one. When ctx ends first, or the inbox cannot be written, its files stay
// claimed until close.
func (t *thread) storeBatch(ctx context.Context) error {
	if err := t.commit(ctx, t.batch); err != nil {
		return err
	}
	t.batch.reset()
	t.open = t.open[:0]
	return nil
}

// close gives back what was claimed and has not ended; nothing of it was acknowledged to anybody.
func (t *thread) close() {
	for _, chunk := range t.open {
		if err := chunk.Release(); err != nil {
			t.log.Error("claimed files go back to waiting at the next start only", "err", err)
		}
	}
}
