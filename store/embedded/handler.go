package embedded

import (
	"errors"
	"io"
	"net/http"
)

// Handler serves the engine to other processes in ClickHouse's HTTP protocol. With
// readonly every statement runs under readonly=1 and limits of time, memory and
// rows, whatever the caller asks for. Native answers are of revision 0.
func (e *Engine) Handler(readonly bool) http.Handler {
	mux := http.NewServeMux()
	ping := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Ok.\n") }
	mux.HandleFunc("GET /ping", ping)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost && !req.URL.Query().Has("query") {
			ping(w, req)
			return
		}
		e.serve(w, req, readonly)
	})
	return mux
}

func (e *Engine) serve(w http.ResponseWriter, req *http.Request, readonly bool) {
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
