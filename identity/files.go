package identity

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookInterval is how often a certificate on disk is looked at for a renewed one.
const lookInterval = time.Minute

// Files is a certificate that somebody else issues and renews on disk. A pair that cannot be read never replaces one
// that could.
type Files struct {
	// Constant after OpenFiles.
	cert, key string
	log       *slog.Logger
	now       func() time.Time

	// Guarded by mu.
	mu     sync.Mutex
	pair   *tls.Certificate
	stamp  [2]time.Time
	looked time.Time
}

// OpenFiles reads a certificate chain and its key from PEM files; a renewed pair is taken within a minute.
func OpenFiles(cert, key string, opt Options) (*Files, error) {
	f := &Files{cert: cert, key: key, log: opt.Log, now: opt.Clock}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if f.now == nil {
		f.now = time.Now
	}
	f.looked = f.now()
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Certificate is the pair at this moment, for tls.Config.GetCertificate.
func (f *Files) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); now.Sub(f.looked) >= lookInterval {
		f.looked = now
		if err := f.read(); err != nil {
			f.log.Error("renewed certificate not taken, the former stays in use", "err", err)
		}
	}
	return f.pair, nil
}

// read takes the pair from disk if either file changed since the last look.
func (f *Files) read() error {
	var stamp [2]time.Time
	for i, path := range []string{f.cert, f.key} {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("read the listener's certificate: %w", err)
		}
		stamp[i] = info.ModTime()
	}
	if f.pair != nil && stamp == f.stamp {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("read the listener's certificate from %s and %s: %w", f.cert, f.key, err)
	}
	f.pair, f.stamp = &pair, stamp
	return nil
}

// loadPair reads a certificate chain and its key from one file.
func loadPair(path string) (*tls.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(text, text)
	return &pair, err
}
