package identity

// syncDir does nothing: a folder cannot be synced on this system, and sites do not run on it.
func syncDir(string) error { return nil }
