package audit

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// record is a line as it lies in a file.
type record struct {
	text  []byte // without its end, until the next is read; nil when it is longer than a line may be
	sum   string
	whole bool // it has its end
	size  int64
}

// reader reads records one after the other, in bounded memory.
type reader struct {
	in      *bufio.Reader
	growing bool // the file is being written: the end of a line may come in a moment
}

func newReader(in io.Reader, growing bool) *reader {
	return &reader{bufio.NewReaderSize(in, maxLineBytes), growing}
}

// next is io.EOF after the last.
func (r *reader) next() (record, error) {
	sum := sha256.New()
	var rec record
	for waited := 0; ; {
		part, err := r.in.ReadSlice('\n')
		rec.size += int64(len(part))
		body := part
		if err == nil {
			body = part[:len(part)-1]
		}
		sum.Write(body)
		rec.text = append(rec.text, body...)
		switch {
		case err == nil:
			rec.whole = true
		case errors.Is(err, bufio.ErrBufferFull):
			rec.text = nil
			r.skip(sum, &rec)
		case !errors.Is(err, io.EOF):
			return rec, err
		case rec.size == 0:
			return rec, io.EOF
		case r.growing && waited < 25:
			waited++
			time.Sleep(20 * time.Millisecond)
			continue
		}
		rec.sum = hex.EncodeToString(sum.Sum(nil))
		if rec.size > maxLineBytes {
			rec.text = nil
		}
		return rec, nil
	}
}

// skip reads the rest of a line that is too long.
func (r *reader) skip(sum io.Writer, rec *record) {
	for {
		part, err := r.in.ReadSlice('\n')
		rec.size += int64(len(part))
		rec.whole = err == nil
		if rec.whole {
			part = part[:len(part)-1]
		}
		_, _ = sum.Write(part)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// eachRecord reads a file. growing is the newest of a log that may be in use.
func eachRecord(ctx context.Context, path string, growing bool, do func(n int, rec record) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := newReader(f, growing)
	for n := 1; ; n++ {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if err := do(n, rec); err != nil {
			return err
		}
	}
}

// Lines reads all lines of the log in dir, the oldest first, while another process may write it. It says how many
// cannot be read; Verify says which.
func Lines(ctx context.Context, dir string, do func(Line) error) (unread int, err error) {
	names, err := monthFiles(dir)
	if err != nil {
		return 0, err
	}
	busy := inUse(dir)
	for i, name := range names {
		err := eachRecord(ctx, filepath.Join(dir, name), busy && i == len(names)-1, func(_ int, rec record) error {
			line, err := decode(rec.text)
			if err != nil || !rec.whole {
				unread++
				return nil
			}
			return do(line)
		})
		if err != nil {
			return unread, err
		}
	}
	return unread, nil
}

// Export writes the exact bytes of all whole lines in dir, the oldest first, while another process may write the log.
func Export(ctx context.Context, dir string, to io.Writer) error {
	names, err := monthFiles(dir)
	if err != nil {
		return err
	}
	for i, name := range names {
		if err := exportFile(ctx, filepath.Join(dir, name), i == len(names)-1, to); err != nil {
			return err
		}
	}
	return nil
}

func exportFile(ctx context.Context, path string, newest bool, to io.Writer) error {
	var whole int64
	err := eachRecord(ctx, path, newest && inUse(filepath.Dir(path)), func(_ int, rec record) error {
		if rec.whole || !newest {
			whole += rec.size
		}
		return nil
	})
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(to, f, whole)
	return err
}
