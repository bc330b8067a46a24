package relay

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	firstBuffer = 8 << 10 // holds most reports; a client that sends nothing holds no more
	maxRatio    = 100     // decoded bytes per byte sent
	freeRatio   = 64 << 10
)

var errNoMemory = errors.New("body memory used up")

// budget bounds the bytes of all bodies together.
type budget struct {
	max  int64
	used atomic.Int64
}

func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.max {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }

// read reads the whole body, as sent, within the bounds of size, time and memory.
func (r *Relay) read(w http.ResponseWriter, req *http.Request, d *delivery) *problem {
	limit := rawLimit(req.Header)
	var err error
	var large *http.MaxBytesError
	d.raw, err = d.fill(d.raw, http.MaxBytesReader(w, req.Body, limit), limit, req.ContentLength, r.memory)
	switch {
	case errors.As(err, &large):
		return tooLarge(limit)
	case err == nil && len(d.raw) == 0:
		return refuse(codeEmptyBody, "the body is empty; a report was expected")
	case err == nil:
		return checksum(req.Header, d.raw)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(codeBodySlow, "after %v a body must keep up %d bytes per second; %d bytes had come", r.cfg.BodyTimeout,
			r.cfg.BodyRate, len(d.raw))
	case errors.Is(err, errNoMemory):
		return overloaded()
	case errors.Is(err, io.ErrUnexpectedEOF) || len(req.TransferEncoding) == 0:
		return refuse(codeBodyCut, "the connection ended after %d bytes of the body", len(d.raw))
	}
	return refuse(codeBodyFraming, "the chunked body is malformed after %d bytes", len(d.raw))
}

// fill reads src to its end into buf; a result longer than limit is cut off there. The expected length is -1 when
// nobody knows it.
func (d *delivery) fill(buf []byte, src io.Reader, limit, expected int64, memory *budget) ([]byte, error) {
	buf = buf[:0]
	for int64(len(buf)) <= limit {
		if len(buf) == cap(buf) {
			var err error
			if buf, err = d.grow(buf, limit, expected, memory); err != nil {
				return buf, err
			}
		}
		n, err := src.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// grow makes the buffer four times as large when the budget allows, up to what is expected and one byte more than
// limit: a client has to send before it is given memory.
func (d *delivery) grow(buf []byte, limit, expected int64, memory *budget) ([]byte, error) {
	size := max(firstBuffer, min(4*int64(cap(buf)), limit+1))
	if expected >= int64(cap(buf)) {
		size = min(size, expected+1) // the last byte hears of the end
	}
	if !memory.take(size) {
		return buf, errNoMemory
	}
	memory.give(int64(cap(buf)))
	d.held += size - int64(cap(buf))
	return append(make([]byte, 0, size), buf...), nil
}

// overloaded refuses a report for which there is no memory.
func overloaded() *problem {
	return refuse(codeOverloaded, "too many large reports at once").later(5 * time.Second)
}

// checksum compares the body with the digest of it that the client sent, if any.
func checksum(header http.Header, body []byte) *problem {
	if len(header["Content-Digest"]) == 0 && len(header["Digest"]) == 0 {
		return nil
	}
	for _, name := range []string{"Content-Digest", "Digest"} {
		for _, part := range strings.Split(strings.Join(header[name], ","), ",") {
			algorithm, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			if strings.EqualFold(algorithm, "sha-256") && !sameDigest(strings.Trim(value, ":"), body) {
				return refuse(codeChecksum, "%s differs from the SHA-256 of the %d bytes received", name, len(body))
			}
		}
	}
	return nil
}

func sameDigest(value string, body []byte) bool {
	want, err := base64.StdEncoding.DecodeString(value)
	got := sha256.Sum256(body)
	return err == nil && subtle.ConstantTimeCompare(want, got[:]) == 1
}

// expand decompresses the body.
func (d *delivery) expand(encoding string, limit int64, memory *budget) *problem {
	bound, byRatio := limit, false
	if most := max(freeRatio, maxRatio*int64(len(d.raw))); most < limit {
		bound, byRatio = most, true
	}
	src, err := openCompressed(encoding, d.raw)
	if err == nil {
		d.text, err = d.fill(d.text, src, bound, -1, memory)
		src.Close()
	}
	switch {
	case errors.Is(err, errNoMemory):
		return overloaded()
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return tooLarge(limit)
	case err != nil:
		return refuse(codeCompression, "the body is not valid %s", encoding)
	case int64(len(d.text)) > bound && byRatio:
		return refuse(codeRatio, "the body expands to more than %d times its size", maxRatio)
	case int64(len(d.text)) > bound:
		return tooLarge(limit)
	case len(d.text) == 0:
		return refuse(codeEmptyBody, "the decompressed body is empty; a report was expected")
	}
	return nil
}

// openCompressed reads through a decompressor that holds at most some MiB itself.
func openCompressed(encoding string, raw []byte) (io.ReadCloser, error) {
	if encoding == "gzip" {
		return gzip.NewReader(bytes.NewReader(raw))
	}
	decoder, err := zstd.NewReader(bytes.NewReader(raw), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, err
	}
	return decoder.IOReadCloser(), nil
}
