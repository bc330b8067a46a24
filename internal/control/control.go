// Package control is the private socket of a process: at no moment can another user open
// it, and the folder that it lies in may have a path of any length where the system allows.
package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// maxPath is how many bytes a socket's path may have on the strictest of the systems. One
// that is made has a few more than the one that is asked for.
const (
	maxPath = 103
	nested  = len(".new/s")
)

// ErrTooLong says that no socket can have this path.
var ErrTooLong = errors.New("too long for a socket")

// Fits fails with ErrTooLong, and with what to do, when no socket can be at path. It
// touches nothing, and the folders need not be there.
func Fits(path string) error { return fits(path, shortens()) }

func fits(path string, shortens bool) error {
	if len(path) <= maxPath-nested || shortens {
		return nil
	}
	return fmt.Errorf("%s has %d bytes and is %w, %d is the most: choose a shorter --data", path, len(path), ErrTooLong,
		maxPath-nested)
}

// Listen listens on a socket at path, in a folder that is there. A socket of a dead process
// gives way; the caller knows that no living one has it. The umask is left alone, because
// it is the whole process's: the socket is made in a folder of its own that nobody else can
// enter, and moved to its place when only its owner may open it.
func Listen(path string) (net.Listener, error) {
	if err := Fits(path); err != nil {
		return nil, err
	}
	ln, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return ln, nil
}

// socketMode is for the owner alone, except in a folder that hands its group on (setgid): there the group may connect,
// and who calls decides what is answered.
func socketMode(dir string) os.FileMode {
	if info, err := os.Stat(dir); err == nil && info.Mode()&os.ModeSetgid != 0 && info.Mode().Perm()&0o010 != 0 {
		return 0o660
	}
	return 0o600
}

func listen(path string) (_ net.Listener, err error) {
	dir := path + ".new"
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	made := filepath.Join(dir, "s")
	short, release, err := shorten(made)
	if err != nil {
		return nil, err
	}
	defer release()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, cause(err)
	}
	ln.SetUnlinkOnClose(false) // it is not there any more
	if err = os.Chmod(made, socketMode(filepath.Dir(path))); err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return &listener{UnixListener: ln, path: path}, nil
}

// listener removes its socket when it is closed.
type listener struct {
	*net.UnixListener
	path string
	once sync.Once
}

// Addr is where the socket is, not where it was made.
func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close ends the listener and removes its socket.
func (l *listener) Close() error {
	err := l.UnixListener.Close()
	l.once.Do(func() {
		if gone := os.Remove(l.path); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	})
	return err
}

// Dial connects to the process that listens at path. Its errors are those of net.Dial.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	if err := Fits(path); err != nil {
		return nil, err
	}
	short, release, err := shorten(path)
	if err == nil {
		defer release()
		var conn net.Conn
		if conn, err = new(net.Dialer).DialContext(ctx, "unix", short); err == nil {
			return conn, nil
		}
	}
	return nil, &net.OpError{Op: "dial", Net: "unix", Addr: &net.UnixAddr{Name: path, Net: "unix"}, Err: cause(err)}
}

// cause takes the short path, which tells nobody anything, out of an error.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
