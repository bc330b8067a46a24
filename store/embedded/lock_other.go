//go:build !unix

package embedded

// lockFile does nothing here: no engine runs on this system.
type lockFile struct{}

func lockPath(string) (*lockFile, error) { return &lockFile{}, nil }

func (l *lockFile) release() error { return nil }

func captureStderr(f func() error) (string, error) { return "", f() }
