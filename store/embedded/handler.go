package embedded

import (
	"errors"
	"io"
	"net/http"
)

// readOnlyConns bounds the statements of foreign callers that run at once: the site's
// own come first.
const readOnlyConns = 4

// maxReadOnlyBytes bounds a foreign caller's statement.
const maxReadOnlyBytes = 1 << 20

// Handler serves the engine to other processes in ClickHouse's HTTP protocol. With
// readonly every statement runs under readonly=1 and limits of time, memory and
// rows, whatever the caller asks for. Native answers are of revision 0.
func (e *Engine) Handler(readonly bool) http.Handler {
	turns := make(chan struct{}, maxConns)
	if readonly {
		turns = make(chan struct{}, readOnlyConns)
	}
	mux := http.NewServeMux()
	ping := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Ok.\n") }
	mux.HandleFunc("GET /ping", ping)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost && !req.URL.Query().Has("query") {
			ping(w, req)
			return
		}
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
			e.serve(w, req, readonly)
		case <-req.Context().Done():
		}
	})
	return mux
}

func (e *Engine) serve(w http.ResponseWriter, req *http.Request, readonly bool) {
	if readonly {
		req.Body = http.MaxBytesReader(w, req.Body, maxReadOnlyBytes)
	}
	resp, err := e.answer(req, readonly)
	if err != nil {
		var ex *Exception
		switch {
		case req.Context().Err() != nil:
			return // nobody waits for the answer
		case errors.As(err, &ex):
		case errors.Is(err, ErrClosed):
			http.Error(w, "the store is closing; try again", http.StatusServiceUnavailable)
			return
		default:
			ex = &Exception{Code: codeUnknown, Message: err.Error()}
		}
		resp = e.refusal(req, ex)
	}
	defer resp.Body.Close()
	for key, values := range resp.Header {
		w.Header()[key] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // an error means the caller has gone
}
