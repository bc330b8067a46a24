//go:build linux || darwin

package embedded

import (
	"fmt"

	"github.com/ebitengine/purego"
)

// loadLibrary opens the library and binds every function that the engine needs.
func loadLibrary(path string) (*library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load engine library %s: %w", path, err)
	}
	lib := new(library)
	for name, fn := range lib.symbols() {
		sym, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, fmt.Errorf("engine library %s lacks %s; fetch the pinned one with `make engine`", path, name)
		}
		purego.RegisterFunc(fn, sym)
	}
	return lib, nil
}
