//go:build !linux && !darwin

package embedded

import (
	"fmt"
	"runtime"
)

// loadLibrary always fails here: the engine is built for Linux and macOS only.
func loadLibrary(path string) (*library, error) {
	return nil, fmt.Errorf("the embedded engine does not exist for %s; set store.addr to a ClickHouse server",
		runtime.GOOS)
}

func settle(string, int64) error { return nil }
