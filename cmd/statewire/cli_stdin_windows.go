package main

// keepStdin has nothing to do where there is no embedded engine.
func keepStdin() any { return nil }
