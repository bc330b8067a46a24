//go:build !windows

package client

import (
	"context"
	"log/slog"
	"os"
)

// runAsService calls run. A service is a process like any other here.
func runAsService(ctx context.Context, g *commands, run func(context.Context, supervisor, *slog.Logger) error) error {
	return run(ctx, newSupervisor(), g.Logger(os.Stderr))
}
