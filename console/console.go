// Package console is the pages and the HTTP API that people and scripts use.
//
// It reads; what changes something it passes on, for callers with a token that may. What a client wrote into its report
// is only ever text in a page, and a question that cannot be answered never takes the rest of a page with it.
package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"statewire/console/web"
	"statewire/identity"
	"statewire/internal/conns"
	"statewire/internal/parse"
	"statewire/reports"
	"statewire/reports/explain"
)

// Deps is what the pages need besides reports and explanations.
type Deps struct {
	Ready   func(context.Context) error // what /readyz asks besides the store; nil asks nothing more
	Alarm   func(context.Context) Alarm // what is wrong with the site now; nil: nothing ever is
	Metrics http.Handler                // served at /metrics; nil leaves the path out
	Now     func() time.Time            // nil means time.Now
	Log     *slog.Logger                // nil discards
	Version string                      // shown on the dashboard and in the API description
	Notice  func() string               // stands on top of every page; nil or empty shows none
	Tokens  tokens                      // knows who has a token; nil: whoever comes with one is asked to come later
	// FirstSteps let a first client report: they stand on the dashboard while nobody has.
	FirstSteps []web.Step
	Members    members // knows collections; nil: whoever may see some only is asked to come later
	Tasks      tasks   // what clients are asked to do; nil: nobody can say
	Names      titles  // what people call topic ids; nil: nobody can change it
}

// Alarm is what a person has to know before trusting any figure: it stands on top of every page. The zero Alarm is
// none.
type Alarm struct {
	Text     string
	Critical bool // the site is not ready, and /readyz gives the text as its reason
}

// Server is the HTTP side: pages, API, health and metrics.
type Server struct {
	// Constant after New.
	cfg        reports.Config
	runner     *reports.Runner
	explainer  *explain.Explainer
	pages      *web.Pages
	firstSteps []web.Step
	ready      func(context.Context) error
	alarm      func(context.Context) Alarm
	now        func() time.Time
	log        *slog.Logger
	handler    http.Handler
	panels     []panelMaker // of the dashboard
	complete   []panelMaker // of the page of completeness
	snapshots  *snapshots
	lists      *snapshots // of pick lists
	tokens     tokens
	members    members
	tasks      tasks
	titles     titles
	needOf     func(identity.Door, string) (identity.Need, bool) // identity.NeedOf
	patterns   []string                                          // of all routes
}

// Bounds of the listener; pages are small and readers few.
const (
	maxConnections = 512
	maxPerAddress  = 384 // a proxy may come from one address for all its readers
	headerTimeout  = 5 * time.Second
	idleTimeout    = 2 * time.Minute
	stopTimeout    = 10 * time.Second
	maxHeaderBytes = 64 << 10
	pingTimeout    = 2 * time.Second
)

// New makes a server over a runner and an explainer.
func New(cfg reports.Config, runner *reports.Runner, explainer *explain.Explainer, deps Deps) (*Server, error) {
	if runner == nil || explainer == nil {
		return nil, errors.New("console: a runner and an explainer are required")
	}
	pages, err := web.New(deps.Version, deps.Notice)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, runner: runner, explainer: explainer, pages: pages, ready: deps.Ready, alarm: deps.Alarm,
		firstSteps: deps.FirstSteps, tokens: deps.Tokens, members: deps.Members, tasks: deps.Tasks, titles: deps.Names,
		needOf: identity.NeedOf,
		now:    deps.Now, log: cmp.Or(deps.Log, slog.New(slog.DiscardHandler)),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.alarm == nil {
		s.alarm = func(context.Context) Alarm { return Alarm{} }
	}
	s.panels, s.complete = s.panelMakers(), s.completePanels()
	s.snapshots = newSnapshots(runner, s.now, cfg.Refresh*9/10)
	s.lists = keepAnswers(s.ask, s.now, cfg.Refresh*9/10)
	if s.handler, err = s.routes(deps); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) routes(deps Deps) (http.Handler, error) {
	mux := &routes{mux: http.NewServeMux(), server: s}
	mux.HandleFunc("GET /{$}", s.asks(s.dashboard))
	mux.HandleFunc("GET /panels/{name}", s.asks(s.panel))
	mux.HandleFunc("GET /completeness", s.asks(s.completeness))
	mux.HandleFunc("GET /clients/{id}", s.asks(s.clientPage, "topic", "serial", "show", asOfName))
	mux.HandleFunc("GET /operations", s.asks(s.operations, "open"))
	mux.HandleFunc("GET /operations/{id}", s.asks(s.operation, "step", "cursor"))
	mux.HandleFunc("GET /compliance", s.asks(s.compliance, slices.Concat(filterNames, []string{"tab", "cursor"})...))
	mux.HandleFunc("GET /subjects/{kind}/{id...}", s.asks(s.subject, "collection", "class", "cause", "cursor", asOfName))
	mux.HandleFunc("GET /machines", s.asks(s.machines, "problem", "collection", "group", "search", "cursor", asOfName))
	mux.HandleFunc("GET /collections", s.asks(s.collections, "group", "cursor", asOfName))
	mux.HandleFunc("GET /names", s.asks(s.names, "search", "all", "cursor"))
	mux.HandleFunc("GET /suggest/{what}", s.asks(s.suggest, suggestFields...))
	mux.HandleFunc("GET /reports", s.asks(s.reportList))
	mux.HandleFunc("GET /reports/{name}", s.reportPage)
	mux.Handle("GET /static/", http.StripPrefix("/static/", web.Static()))
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	if deps.Metrics != nil {
		mux.Handle("GET /metrics", deps.Metrics)
	}
	s.routeAPI(mux, deps.Version)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.unserved(mux.mux, w, r) })
	s.patterns = mux.patterns
	return s.guard(mux), errors.Join(mux.problems...)
}

// guard sets what every answer needs and refuses callers under a foreign name.
func (s *Server) guard(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		newProblem(http.StatusForbidden, "cross_origin", "a page of another site made this call").serve(w)
	}))
	own := protection.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", web.ContentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !s.knownHost(r.Host) {
			newProblem(http.StatusMisdirectedRequest, "foreign_host",
				"this name is not one of this site's: call it as localhost, or add the name to reports.hosts").serve(w)
			return
		}
		if _, err := parse.Query(r.URL.RawQuery); err != nil { // what follows would not see what could not be read
			s.refuse(w, r, err)
			return
		}
		own.ServeHTTP(w, r)
	})
}

// asks refuses a page's parameters beyond these: a misspelt one is never passed over.
func (s *Server) asks(page http.HandlerFunc, params ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := parse.Known(r.URL.Query(), params...); err != nil {
			s.refuse(w, r, err)
			return
		}
		page(w, r)
	}
}

// refuse answers a request that cannot be read, as its reader expects it.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if strings.HasPrefix(r.URL.Path, "/api/") {
		p.serve(w)
	} else {
		s.errorPage(w, r, p)
	}
}

// knownHost keeps web sites that point their own name at this address from reading it through a visitor's browser.
func (s *Server) knownHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if bare, ok := strings.CutPrefix(host, "["); ok && strings.HasSuffix(bare, "]") {
		host = strings.TrimSuffix(bare, "]")
	}
	host = strings.ToLower(host)
	if host == "" || host == "localhost" || slices.ContainsFunc(s.cfg.Hosts,
		func(h string) bool { return strings.EqualFold(h, host) }) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// healthz says that the process answers, nothing more.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n") // the caller has gone
}

// readyz says that questions can be answered: the store responds, and whatever else the site asks for.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
	defer cancel()
	err := s.runner.Ping(ctx)
	if err == nil && s.ready != nil {
		err = s.ready(ctx)
	}
	if err != nil {
		s.log.Debug("not ready", "err", err)
		newProblem(http.StatusServiceUnavailable, "not_ready", "not ready: the server's log says why").serve(w)
		return
	}
	if alarm := s.alarm(ctx); alarm.Critical {
		newProblem(http.StatusServiceUnavailable, "not_ready", alarm.Text).serve(w)
		return
	}
	s.healthz(w, r)
}

// unserved says whether it is the path or the method that nothing answers.
func (s *Server) unserved(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	switch list := strings.Join(allowed, ", "); {
	case len(allowed) == 0:
		s.notFound(w, r)
	case list == "GET, HEAD":
		w.Header().Set("Allow", list)
		newProblem(http.StatusMethodNotAllowed, "method", "this path is only read: use GET").serve(w)
	default:
		w.Header().Set("Allow", list)
		newProblem(http.StatusMethodNotAllowed, "method", "this path takes "+list).serve(w)
	}
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		newProblem(http.StatusNotFound, "no_path", "there is nothing at this path: /api/v1/openapi.json lists all").serve(w)
		return
	}
	s.errorPage(w, r, newProblem(http.StatusNotFound, "no_page", "There is no page at this address."))
}

// Serve answers on a listener until ctx ends, then finishes the answers in hand.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	guarded := conns.New(ln, conns.Limits{All: maxConnections, PerAddress: maxPerAddress})
	server := &http.Server{
		Handler:           s.handler,
		ConnState:         guarded.State,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       2 * headerTimeout,
		WriteTimeout:      s.cfg.Timeout + time.Minute, // a download ends with its query; extended while it flows
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(ctx), server.Close())
	})
	defer stop()
	s.log.Info("reports listening", "addr", ln.Addr().String())
	if err := server.Serve(guarded); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve reports: %w", err)
	}
	if err := <-stopped; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop serving reports: %w", err)
	}
	return nil
}
