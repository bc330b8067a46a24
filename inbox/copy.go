package inbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"statewire/inbox/disk"
)

// Copy makes a durable copy of the file at path in incoming, byte for byte, under its own name or, when that is taken,
// one close to it. A name that is not that of an SMX file gets the suffix .SMX.
func (d *Dir) Copy(ctx context.Context, path string) (name string, err error) {
	name, err = d.copy(ctx, path)
	d.counts.count("copied", err)
	if err != nil {
		return "", fmt.Errorf("copy %s into the inbox: %w", path, err)
	}
	return name, nil
}

// CopyFile is Copy of a file that is open. It is read from where it stands, and not closed; path gives its name.
func (d *Dir) CopyFile(ctx context.Context, in *os.File, path string) (name string, err error) {
	name, err = d.copyFile(ctx, in, path)
	d.counts.count("copied", err)
	if err != nil {
		return "", fmt.Errorf("copy %s into the inbox: %w", path, err)
	}
	return name, nil
}

func (d *Dir) copy(ctx context.Context, path string) (name string, err error) {
	// Looked at before it is opened: opening a pipe would wait for its writer.
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("a %s, not a file", disk.KindOf(info.Mode()))
	}
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	name, err = d.copyFile(ctx, in, path)
	return name, errors.Join(err, in.Close())
}

func (d *Dir) copyFile(ctx context.Context, in *os.File, path string) (name string, err error) {
	info, err := in.Stat()
	if err != nil {
		return "", err
	}
	if info.Size() > d.config.MaxFileBytes {
		return "", fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, info.Size(), d.config.MaxFileBytes)
	}
	src := &source{ctx: ctx, in: in, left: d.config.MaxFileBytes}
	return d.place(disk.Folder(Normal), src, func(n int) string {
		return near(spelled(filepath.Base(path)), n)
	})
}

// source is what Copy copies. Its own errors are told from those of the inbox's disk.
type source struct {
	ctx  context.Context
	in   io.Reader
	left int64
}

// WriteTo writes all of it.
func (s *source) WriteTo(w io.Writer) (written int64, err error) {
	return io.Copy(w, struct{ io.Reader }{s})
}

// Read reads on, until ctx is done or there is more than there may be.
func (s *source) Read(p []byte) (n int, err error) {
	if err := s.ctx.Err(); err != nil {
		return 0, &sourceError{err}
	}
	n, err = s.in.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return n, &sourceError{fmt.Errorf("%w: it grew while it was copied", ErrTooLarge)}
	}
	if err != nil && err != io.EOF {
		err = &sourceError{err}
	}
	return n, err
}
