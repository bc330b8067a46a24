// Package embedded runs the ClickHouse engine inside this process and speaks
// ClickHouse's HTTP protocol to it, so that the same driver reaches it as reaches a
// server; at most one process at a time has a path open.
package embedded

import (
	"errors"
	"net/http"
)

// ErrInUse says that another process has the path open.
var ErrInUse = errors.New("path is in use by another process")

// Engine is an open engine. It is a http.RoundTripper that answers like a
// ClickHouse server's HTTP port.
type Engine struct{}

// Open loads the library lib and opens the engine on the directory path.
func Open(lib, path string) (*Engine, error) { return nil, errors.New("embedded: not built yet") }

// FindLibrary returns the path of the engine library: explicit when given, else the
// first found of $STATEWIRE_STORE_ENGINE, beside the program, in bin/ of the module
// around the working directory, and the usual library folders.
func FindLibrary(explicit string) (string, error) {
	return "", errors.New("embedded: not built yet")
}

// RoundTrip answers one request.
func (e *Engine) RoundTrip(req *http.Request) (*http.Response, error) { return nil, ErrInUse }

// Handler serves the engine over a socket. With readonly every statement runs under
// readonly=1, whatever the caller asks for.
func (e *Engine) Handler(readonly bool) http.Handler { return nil }

// Close ends all connections and the engine.
func (e *Engine) Close() error { return nil }
