package relay

import (
	"io"
	"net/http"
	"time"
)

// pace reads a request's body at no less than the least rate: any body may take BodyTimeout, and one that takes
// longer must have kept BodyRate since its first read.
type pace struct {
	io.ReadCloser
	w     http.ResponseWriter
	cfg   *Config
	began time.Time // zero before the first read
	until time.Time // the read deadline
	got   int64
	ended bool // all of it was read
}

// Read fails with os.ErrDeadlineExceeded when the body falls behind.
func (b *pace) Read(p []byte) (int, error) {
	if b.ended {
		return 0, io.EOF
	}
	if b.began.IsZero() {
		b.began = time.Now()
	}
	if until := b.began.Add(max(b.cfg.BodyTimeout, b.earned())); until != b.until {
		b.until = until
		http.NewResponseController(b.w).SetReadDeadline(until)
	}
	n, err := b.ReadCloser.Read(p)
	b.got += int64(n)
	b.ended = err == io.EOF
	return n, err
}

// earned is how long what came may have taken.
func (b *pace) earned() time.Duration {
	return time.Duration(float64(b.got) / float64(b.cfg.BodyRate) * float64(time.Second))
}
