//go:build linux || darwin

package embedded

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// What the engine wants at least. With less of the one it stops somewhere in the middle,
// with less of the other it ends the process.
const (
	minOpenFiles    = 256
	minAddressBytes = 4 << 30 // beside the memory that it may allocate
)

// settle gives the engine surroundings that do not depend on who started the process:
// an environment of its own, with UTC in it and nothing else, and a working directory
// that is there. It comes before the library is loaded, which reads both.
func settle(dir string, memory int64) error {
	if err := roomy("open files", "ulimit -n, LimitNOFILE=", unix.RLIMIT_NOFILE, minOpenFiles); err != nil {
		return err
	}
	if err := roomy("bytes of address space", "ulimit -v, LimitAS=", unix.RLIMIT_AS, minAddressBytes+
		uint64(memory)); err != nil {
		return err
	}
	if err := emptied(); err != nil {
		return fmt.Errorf("prepare the engine's environment: %w", err)
	}
	if _, err := unix.Getwd(); err == nil {
		return nil
	}
	// It was deleted: no relative path means anything any more, so nobody misses it.
	if err := os.Chdir(dir); err != nil {
		return fmt.Errorf("leave the working directory, which is gone: %w", err)
	}
	return nil
}

// roomy refuses a limit of this process that is too low for the engine.
func roomy(of, setBy string, resource int, least uint64) error {
	var have unix.Rlimit
	if err := unix.Getrlimit(resource, &have); err != nil || have.Cur >= least {
		return nil
	}
	return fmt.Errorf("this process may have %d %s; the embedded engine needs at least %d: raise the limit (%s)", have.Cur,
		of, least, setBy)
}

// emptied is clearEnvironment, once: threads of an engine that was closed still read.
var emptied = sync.OnceValue(clearEnvironment)

// clearEnvironment empties C's environment but for TZ=UTC. Go has a copy of its own,
// which stays as it is, and with it the times that this program writes.
func clearEnvironment() error {
	var c struct {
		setenv   func(name, value string, overwrite int32) int32
		unsetenv func(name string) int32
	}
	for name, fn := range map[string]any{"setenv": &c.setenv, "unsetenv": &c.unsetenv} {
		sym, err := purego.Dlsym(purego.RTLD_DEFAULT, name)
		if err != nil {
			return fmt.Errorf("find %s: %w", name, err)
		}
		purego.RegisterFunc(fn, sym)
	}
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); name != "" {
			c.unsetenv(name)
		}
	}
	if c.setenv("TZ", "UTC", 1) != 0 {
		return errors.New("setenv TZ=UTC failed")
	}
	return nil
}
