package console

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"statewire/console/web"
	"statewire/identity"
	"statewire/reports"
)

// Waiting answers while there is no store: the process lives, it is not ready, and its metrics can be read by those
// who may read them later, too.
func Waiting(cfg reports.Config, deps Deps) (http.Handler, error) {
	pages, err := web.New(deps.Version, deps.Notice)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, pages: pages, tokens: deps.Tokens, log: deps.Log, needOf: identity.NeedOf}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	mux := &routes{mux: http.NewServeMux(), server: s}
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.Handle("GET /metrics", deps.Metrics)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "5")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, "The store is not open yet, so there is nothing to show. Reports are taken and wait in the inbox.\n"+
			"`statewire status` and the site's log say why.")
	})
	return s.guard(mux), errors.Join(mux.problems...)
}
