//go:build unix

package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// maxSocketPath is what the shortest of the systems takes, its final zero included.
const maxSocketPath = 104

// SocketPath is where the agent with its files in dir listens for commands of this machine.
func SocketPath(dir string) string { return filepath.Join(dir, "agent.sock") }

// ListenSocket listens for commands of this machine. Only the user that runs the agent, and root, can open the socket. The caller
// holds the agent's store: a socket that is there was left by a process that is gone.
func ListenSocket(dir string) (net.Listener, error) {
	path := SocketPath(dir)
	if len(path) >= maxSocketPath {
		return nil, fmt.Errorf("the agent's socket %s would have a path of %d bytes; %d is the most: choose a shorter --data", path, len(path), maxSocketPath-1)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the socket that a dead agent left: %w", err)
	}
	old := syscall.Umask(0o177)
	ln, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listen for the agent's commands: %w", err)
	}
	return ln, nil
}

func dialSocket(ctx context.Context, dir string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", SocketPath(dir))
}
