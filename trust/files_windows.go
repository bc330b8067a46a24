package trust

import "io"

// lock does nothing for the same reason.
func lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }
