package ingest

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"statewire/inbox"
	"statewire/internal/backoff"
)

const (
	// roomBytes bounds the bytes of the files in the pipeline, from reading to ending. Decoded and on its way into the
	// engine, a byte takes about five times its room.
	roomBytes = 64 << 20
	// queuedParts is how many decoded parts may wait while the ones before them are stored.
	queuedParts = 512
	// enders is how many goroutines end files, so that many bad files in one part do not hold up the others.
	enders = 4
	// finishTimeout bounds the storing of what was decoded when a stop was asked for.
	finishTimeout = 20 * time.Second
	// claimRetry is the pause after the inbox could not be read.
	claimRetry = 5 * time.Second
)

// pipeline is one run of a loader.
type pipeline struct {
	*Loader

	wake   <-chan struct{} // says that files may have come; nil ends the run when none are left
	chunks chan *inbox.Chunk
	parts  chan *part // decoded
	saved  chan saved
	stored chan *part
	ended  chan struct{} // has a value when a part has ended since the last claim
	room   *semaphore.Weighted
	spare  sync.Pool // of parts

	pace pace

	claimed int // chunks. Owned by the claiming goroutine.
}

// pipe runs a pipeline until ctx is done or, without wake, nothing is left to claim. It returns the number of chunks
// that were claimed.
func (l *Loader) pipe(ctx context.Context, wake <-chan struct{}) (chunks int, err error) {
	p := &pipeline{
		Loader: l,
		wake:   wake,
		chunks: make(chan *inbox.Chunk),
		parts:  make(chan *part, queuedParts),
		saved:  make(chan saved),
		stored: make(chan *part, queuedParts),
		ended:  make(chan struct{}, 1),
		room:   semaphore.NewWeighted(roomBytes),
		pace:   pace{longest: l.cfg.BatchDelay, drains: wake == nil},
	}
	late, cancel := grace(ctx, finishTimeout)
	defer cancel()
	running, fail := context.WithCancel(late)
	defer fail()
	g, failed := errgroup.WithContext(running)
	g.Go(func() error { return p.claim(ctx, failed) })
	g.Go(func() error { p.read(ctx, failed); return nil })
	g.Go(func() error { return p.storeMessages(ctx, failed, fail) })
	g.Go(func() error { return p.storeRest(ctx, failed, fail) })
	g.Go(func() error { p.end(ctx, failed); return nil })
	err = g.Wait()
	if ctx.Err() != nil {
		return p.claimed, nil // what was not stored in time waits for the next start
	}
	return p.claimed, err
}

// claim hands chunks to the readers, those of the first lane that has files first.
func (p *pipeline) claim(ctx, failed context.Context) error {
	defer close(p.chunks)
	for ctx.Err() == nil && failed.Err() == nil {
		chunk, err := p.inbox.Claim()
		switch {
		case chunk != nil:
			p.claimed++
			p.log.Debug("claimed chunk", "files", len(chunk.Files), "lane", chunk.Files[0].Lane)
			p.hand(ctx, failed, chunk)
			p.breathe(ctx, failed, chunk)
		case p.wake == nil:
			return err
		case err != nil:
			p.log.Error("inbox cannot be read, trying again", "retry_in", claimRetry, "err", err)
			_ = backoff.Sleep(ctx, claimRetry) // the loop looks whether it is to stop
		default:
			p.await(ctx, failed)
		}
	}
	return nil
}

func (p *pipeline) hand(ctx, failed context.Context, chunk *inbox.Chunk) {
	select {
	case p.chunks <- chunk:
	case <-ctx.Done():
		newClaim(chunk, p.log).leave()
	case <-failed.Done():
		newClaim(chunk, p.log).leave()
	}
}

// breathe pauses after a chunk that took all there was.
func (p *pipeline) breathe(ctx, failed context.Context, chunk *inbox.Chunk) {
	if p.wake == nil || len(chunk.Files) >= p.cfg.LoaderChunkFiles {
		return
	}
	timer := time.NewTimer(p.pace.breath())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-failed.Done():
	}
}

// await waits for files to come, or for claimed ones to end: then another claim, of nothing, lets the inbox tidy up.
func (p *pipeline) await(ctx, failed context.Context) {
	select {
	case <-p.wake:
	case <-p.ended:
	case <-ctx.Done():
	case <-failed.Done():
	}
}

// read runs the loader threads.
func (p *pipeline) read(ctx, failed context.Context) {
	defer close(p.parts)
	var threads sync.WaitGroup
	for id := range p.cfg.LoaderThreads {
		threads.Go(func() { newThread(p, id).run(ctx, failed) })
	}
	threads.Wait()
}

// drop gives up the parts of a batch that was not stored: their files go back to waiting.
func (p *pipeline) drop(b batch) {
	for _, piece := range b {
		p.leave(piece.part)
	}
}

// leave gives up a part: those of its files that have not ended go back to waiting.
func (p *pipeline) leave(part *part) {
	claim := part.claim
	p.recycle(part)
	claim.leave()
}

// recycle frees a part's room and keeps its memory, unless it is extraordinary.
func (p *pipeline) recycle(part *part) {
	p.room.Release(part.room)
	if part.bytes <= 4*partBytes {
		part.reset()
		p.spare.Put(part)
	}
}

// grace returns a context that outlives ctx by some time.
func grace(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-late.Done():
		case <-ctx.Done():
			_ = backoff.Sleep(late, by)
			cancel()
		}
	}()
	return late, cancel
}
