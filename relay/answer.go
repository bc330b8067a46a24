package relay

import (
	"net/http"
	"time"
)

// answer is the http.ResponseWriter of the routes. It knows whether anything was said yet, and gives an answer its
// full time: the server counts WriteTimeout from the request's head, and a report may wait as long as that for the
// disk.
type answer struct {
	http.ResponseWriter
	head   time.Time // when the request's head had come
	within time.Duration
	begun  bool
	status int // of the answer; 0 is what net/http says when nothing was said
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	// Setting a deadline costs more than it is worth for an answer that comes at once.
	if now := time.Now(); !a.begun && now.Sub(a.head) > a.within/8 {
		http.NewResponseController(a.ResponseWriter).SetWriteDeadline(now.Add(a.within))
	}
	a.begun, a.status = true, status
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController: a route may flush as it goes, and set deadlines of its own.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
