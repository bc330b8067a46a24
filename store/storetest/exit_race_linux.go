//go:build race && linux

package storetest

import (
	"fmt"

	"github.com/ebitengine/purego"
)

// skipExitHandlers ends the process at once when C's exit is called. Only the race
// detector calls it, at the very end; the exit handlers of a running engine would
// then pull its data from under its threads.
func skipExitHandlers() error {
	var onExit func(handler, argument uintptr) int32
	register, err := purego.Dlsym(purego.RTLD_DEFAULT, "on_exit")
	if err != nil {
		return fmt.Errorf("find on_exit: %w", err)
	}
	leave, err := purego.Dlsym(purego.RTLD_DEFAULT, "_exit")
	if err != nil {
		return fmt.Errorf("find _exit: %w", err)
	}
	purego.RegisterFunc(&onExit, register)
	if code := onExit(leave, 0); code != 0 {
		return fmt.Errorf("on_exit answered %d", code)
	}
	return nil
}
