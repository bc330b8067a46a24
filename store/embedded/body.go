package embedded

import (
	"errors"
	"io"
	"sync"

	"github.com/ClickHouse/ch-go/compress"
)

// frameBytes is how much goes into one compressed frame.
const frameBytes = 1 << 20

// body is an answer's rows: whole, or fetched piece by piece while it is read. Its
// memory is the engine's until Close.
type body struct {
	stmt    *statement
	give    func() // returns the connection
	pending []byte // not yet read
	whole   *result
	stream  *stream
	version string

	written, writtenBytes uint64

	packer *compress.Writer
	mu     sync.Mutex
	closed bool // Guarded by mu.
}

func newBody(s *statement, give func(), data []byte) *body {
	b := &body{stmt: s, give: give, pending: data}
	if s.packed {
		b.packer = compress.NewWriter(compress.LevelZero, s.compress)
	}
	return b
}

// size is what is known to come.
func (b *body) size() int { return len(b.pending) }

// length is the answer's Content-Length, -1 while unknown.
func (b *body) length() int64 {
	if b.stream != nil || b.packer != nil && len(b.pending) > 0 {
		return -1
	}
	return int64(len(b.pending))
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, errors.New("read of a closed answer")
	}
	if b.packer != nil {
		return b.readPacked(p)
	}
	return b.readPlain(p)
}

func (b *body) readPlain(p []byte) (int, error) {
	for len(b.pending) == 0 {
		if err := b.fetch(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.pending)
	b.pending = b.pending[n:]
	return n, nil
}

// readPacked hands out compressed frames; the packer's buffer holds the frame being
// read.
func (b *body) readPacked(p []byte) (int, error) {
	for len(b.packer.Data) == 0 {
		for len(b.pending) == 0 {
			if err := b.fetch(); err != nil {
				return 0, err
			}
		}
		n := min(len(b.pending), frameBytes)
		if err := b.packer.Compress(b.pending[:n]); err != nil {
			return 0, err
		}
		b.pending = b.pending[n:]
	}
	n := copy(p, b.packer.Data)
	b.packer.Data = b.packer.Data[n:]
	return n, nil
}

// fetch replaces what was read by the next piece; io.EOF is the end.
func (b *body) fetch() error {
	if b.whole != nil {
		b.whole.free()
		b.whole = nil
	}
	if b.stream == nil {
		return io.EOF
	}
	r, err := b.stream.next()
	if err != nil {
		return b.inBand(err)
	}
	if r == nil {
		b.stream.close()
		b.stream = nil
		return io.EOF
	}
	b.whole, b.pending = r, r.bytes()
	return nil
}

// inBand puts an error behind the rows that went out already.
func (b *body) inBand(err error) error {
	b.stream.close()
	b.stream = nil
	var ex *Exception
	if !errors.As(err, &ex) {
		return err
	}
	b.pending = ex.inBand(b.version)
	return nil
}

// release frees the engine's memory, without giving the connection back.
func (b *body) release() {
	if b.whole != nil {
		b.whole.free()
		b.whole = nil
	}
	if b.stream != nil {
		b.stream.close()
		b.stream = nil
	}
	b.pending = nil
}

// Close frees the answer and returns the connection.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	b.release()
	if b.give != nil {
		b.give()
	}
	return nil
}
