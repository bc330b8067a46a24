package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"statewire/console"
	"statewire/store"
)

// A site whose store does not open goes on taking reports: they wait in the inbox. It says why in its log and to
// `status`, and tries again, because whoever repairs the store should not have to know that the site is to be started
// again.

// repairRetry is the pause before a store that did not open is tried again.
const repairRetry = time.Minute

// outlive notes why the store does not open, and says whether the process goes on without it: only a relay has
// something to do.
func (s *Site) outlive(err error) bool {
	if !s.cfg.Roles.Has("relay") || s.cfg.NeedsStore {
		return false
	}
	s.log.Error("the store does not open; the relay goes on taking reports, and they wait in the inbox", "retry_in",
		s.retry(), "err", err)
	if err := os.WriteFile(ProblemFile(s.cfg.Data), []byte(strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")+
		"\n"), 0o600); err != nil {
		s.log.Warn("can't note for `statewire status` why the store does not open", "err", err)
	}
	return true
}

func (s *Site) retry() time.Duration {
	if s.cfg.RepairRetry > 0 {
		return s.cfg.RepairRetry
	}
	return repairRetry
}

// forgetProblem is called before the store is opened, and when it is.
func (s *Site) forgetProblem() {
	if !s.cfg.Roles.Has("relay") {
		return // it is another process's
	}
	if err := os.Remove(ProblemFile(s.cfg.Data)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("can't forget why the store did not open", "err", err)
	}
}

// openStoreBehindPages opens the store, and answers on the pages' address meanwhile.
func (s *Site) openStoreBehindPages(ctx context.Context) (*store.Store, error) {
	if !s.cfg.Roles.Has("reports") || s.cfg.Settings.Reports.Listen == "" {
		return s.openStore(ctx)
	}
	if s.pages == nil {
		var err error
		if s.pages, err = net.Listen("tcp", s.cfg.Settings.Reports.Listen); err != nil {
			return nil, fmt.Errorf("listen for the reports' pages: %w; set reports.listen to a free address", err)
		}
		s.closers = append(s.closers, func() error { s.pages.Close(); return nil }) // a server that had it has closed it
	}
	waiting, err := console.Waiting(s.cfg.Settings.Reports, console.Deps{Log: s.log.With("stage", "reports"),
		Tokens: &s.tokens, Metrics: promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{})})
	if err != nil {
		return nil, err
	}
	giveBack := lend(s.pages, waiting)
	db, err := s.openStore(ctx)
	if err = errors.Join(err, giveBack()); err != nil && db != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, err
}

// lend serves handler on a listener until the returned function is called. The listener is open then.
func lend(ln net.Listener, handler http.Handler) (giveBack func() error) {
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return func() error { return nil }
	}
	server, served := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}, make(chan error, 1)
	go func() { served <- server.Serve(lent{tcp}) }()
	return func() error {
		err := server.Close()
		if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
		return errors.Join(err, tcp.SetDeadline(time.Time{}))
	}
}

// lent is a listener that stays open: Close only ends the wait for callers.
type lent struct{ *net.TCPListener }

// Close makes Accept return.
func (l lent) Close() error { return l.SetDeadline(time.Unix(1, 0)) }
