package process

import (
	"bytes"
	"sync"
)

// output keeps the first bytes that a program writes, and counts all.
type output struct {
	most int

	// Guarded by mu.
	mu   sync.Mutex
	text []byte
	size uint64
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.size += uint64(len(p))
	if room := o.most - len(o.text); room > 0 {
		o.text = append(o.text, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func (o *output) kept() ([]byte, uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.text), o.size
}
