//go:build unix

package agent

import (
	"context"
	"net"
	"path/filepath"

	"statewire/internal/control"
)

// SocketPath is where the agent with its files in dir listens for commands of this machine.
func SocketPath(dir string) string { return filepath.Join(dir, "agent.sock") }

// ListenSocket listens for commands of this machine. Only the user that runs the agent, and root, can open the socket. The caller
// holds the agent's store: a socket that is there was left by a process that is gone.
func ListenSocket(dir string) (net.Listener, error) { return control.Listen(SocketPath(dir)) }

func dialSocket(ctx context.Context, dir string) (net.Conn, error) {
	return control.Dial(ctx, SocketPath(dir))
}
