package relay

// enoughFiles has nothing to check: this system sets no such limit.
func enoughFiles(int) error { return nil }
