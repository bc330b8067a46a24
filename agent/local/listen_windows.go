package local

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"strings"

	"github.com/Microsoft/go-winio"
)

// pipeAccess lets the system, administrators and whoever runs the agent open the pipe, and nobody else. Nobody is
// refused for having logged on over the network, as administrators do with remote shells: the pipe itself refuses
// callers of other machines.
const pipeAccess = "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;OW)"

// socketPath is where the agent with its files in dir listens for commands of this machine: pipes have no folders, so
// the folder decides the name.
func socketPath(dir string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(dir)))
	return fmt.Sprintf(`\\.\pipe\statewire-agent-%x`, sum[:8])
}

// Listen listens for commands of this machine. Only the user that runs the agent, administrators and the system can
// open the pipe.
func Listen(dir string) (net.Listener, error) {
	ln, err := winio.ListenPipe(socketPath(dir), &winio.PipeConfig{SecurityDescriptor: pipeAccess})
	if err != nil {
		return nil, fmt.Errorf("listen for the agent's commands: %w", err)
	}
	return ln, nil
}

func dial(ctx context.Context, dir string) (net.Conn, error) {
	return winio.DialPipeContext(ctx, socketPath(dir))
}
