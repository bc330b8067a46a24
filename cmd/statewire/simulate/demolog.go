package simulate

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
)

// demoLog writes the site's log beside its data: the terminal is for the address.
func (g *commands) demoLog() (*slog.Logger, func(), error) {
	if err := os.MkdirAll(g.Data, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(g.Data, "statewire.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the demo's log: %w", err)
	}
	return g.Logger(f), func() { _ = f.Close() }, nil
}
