package inbox

import (
	"context"
	"errors"
	"time"
)

// Loader hands the waiting files out to loader threads, each file to one of them. There is at most one Loader per inbox
// at a time, over all processes. Its methods may be called from many goroutines.
type Loader struct{}

// Loader takes the inbox's lock (an ErrLocked names the holder) and recovers what a dead loader had claimed: those chunks
// are handed out first, with the claim times they had. A chunk has at most chunkFiles files, and a folder is read in
// windows of maxChunks chunks.
func (d *Dir) Loader(chunkFiles, maxChunks int) (*Loader, error) { return nil, errors.ErrUnsupported }

// Claim returns the next chunk, nil when nothing waits. It comes from the first lane that has files, the oldest of the
// lane's current window first. The claim is durable before Claim returns.
func (l *Loader) Claim() (*Chunk, error) { return nil, errors.ErrUnsupported }

// Wake returns a channel that gets a value when files may be waiting: soon after one arrives, when a postponed file is due,
// and at the latest every Config.PollInterval. It works, by polling alone, when folders can't be watched. It ends with ctx.
func (l *Loader) Wake(ctx context.Context) <-chan struct{} { return nil }

// Close gives up the lock. Chunks still out go back to waiting when the next Loader starts.
func (l *Loader) Close() error { return errors.ErrUnsupported }

// Chunk is a set of files claimed together. Every file ends by Done, SetAside or Release; one chunk is used by one
// goroutine at a time.
type Chunk struct {
	Files []File
}

// File is a claimed file.
type File struct {
	Name    string
	Lane    Lane
	Size    int64     // bytes
	Claimed time.Time // when it was first claimed, to the microsecond; a crash does not change it
}

// Read returns the file's bytes, in buf when they fit. It fails with ErrTooLarge, ErrHashMismatch, or fs.ErrNotExist when
// the file vanished or was changed since it was claimed (then call Done, which deletes nothing it did not claim).
func (f File) Read(buf []byte) ([]byte, error) { return nil, errors.ErrUnsupported }

// Done deletes files whose messages are stored. A file that vanished is done; one that changed since it was claimed stays,
// to be claimed again.
func (c *Chunk) Done(files ...File) error { return errors.ErrUnsupported }

// SetAside moves a bad file to corrupt with its reason beside it, both durable. When that fails the file stays, is out of
// this chunk, and is handed out again after a growing delay. ErrChanged: it was still arriving, and is claimed anew.
func (c *Chunk) SetAside(f File, r Reason) error { return errors.ErrUnsupported }

// SetAsideRecord keeps a bad record of a file, a whole report of its own, as corrupt/NAME.N.SMX with its reason beside it,
// replacing what a repeat left there. The file itself stays in the chunk; when the record can't be kept the file is
// postponed, as in SetAside.
func (c *Chunk) SetAsideRecord(f File, n int, smx []byte, r Reason) error {
	return errors.ErrUnsupported
}

// Postpone takes a file out of the chunk and hands it out again after a growing delay (Config.RetryMin to RetryMax).
func (c *Chunk) Postpone(f File) {}

// Release gives every file that has not ended back to waiting, under the claim times they have.
func (c *Chunk) Release() error { return errors.ErrUnsupported }
