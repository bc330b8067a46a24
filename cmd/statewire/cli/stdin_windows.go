package cli

// KeepStdin has nothing to do where there is no embedded engine.
func KeepStdin() any { return nil }
