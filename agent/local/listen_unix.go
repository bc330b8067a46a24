//go:build unix

package local

import (
	"context"
	"net"
	"path/filepath"

	"statewire/internal/control"
)

// socketPath is where the agent with its files in dir listens for commands of this machine.
func socketPath(dir string) string { return filepath.Join(dir, "agent.sock") }

// Listen listens for commands of this machine. Only the user that runs the agent, and root, can open the socket. The
// caller holds the agent's store: a socket that is there was left by a process that is gone.
func Listen(dir string) (net.Listener, error) { return control.Listen(socketPath(dir)) }

func dial(ctx context.Context, dir string) (net.Conn, error) {
	return control.Dial(ctx, socketPath(dir))
}
