//go:build !windows

package main

import (
	"context"
	"log/slog"
	"os"
)

// runAsService calls run. A service is a process like any other here.
func runAsService(ctx context.Context, g *clientCommands, run func(context.Context, supervisor, *slog.Logger) error) error {
	return run(ctx, newSupervisor(), g.Logger(os.Stderr))
}
