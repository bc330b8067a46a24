package console

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/google/uuid"

	"statewire/identity"
	"statewire/reports/explain"
)

// tokens knows who has a token.
type tokens interface {
	// Verify's error is an *identity.Refusal where the caller is told why. The address is where the token came from.
	Verify(ctx context.Context, token, address string) (identity.Person, error)
}

// members knows the clients of collections.
type members interface {
	// Has says whether a client is in one of these collections.
	Has(ctx context.Context, collections []string, client uuid.UUID) (bool, error)
}

// localViewer is whoever calls from this machine without a token, as the pages do in a browser.
var localViewer = identity.Person{Actor: "local", Role: identity.Viewer}

// routes is a mux of which every route has a row in the table of permissions: it asks who calls before it serves. What
// has no row is not served at all.
type routes struct {
	mux      *http.ServeMux
	server   *Server
	patterns []string
	problems []error
}

// Handle serves a route to those who may.
func (m *routes) Handle(pattern string, h http.Handler) {
	m.patterns = append(m.patterns, pattern)
	need, ok := m.server.needOf(identity.AtPages, pattern)
	if !ok {
		m.problems = append(m.problems, fmt.Errorf("console: the route %s has no row in the table of permissions", pattern))
		return
	}
	m.mux.Handle(pattern, m.server.only(need, h))
}

// HandleFunc is Handle for a function.
func (m *routes) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, http.HandlerFunc(f))
}

// ServeHTTP is the mux's.
func (m *routes) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.mux.ServeHTTP(w, r) }

// only serves callers who may have what the row says.
func (s *Server) only(need identity.Need, next http.Handler) http.Handler {
	if need.Permission == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := s.caller(r)
		if err == nil {
			err = caller.Permit(need.Permission)
		}
		if err == nil && caller.Scoped() {
			err = s.within(r, caller, need.Scope)
		}
		if err != nil {
			s.deny(w, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, By{caller, addressOf(r)})))
	})
}

// callerKey is where the caller of a request stands.
type callerKey struct{}

// callerOf is who made a request of a route that needs a permission.
func callerOf(ctx context.Context) By {
	by, _ := ctx.Value(callerKey{}).(By)
	return by
}

// addressOf is where a request came from, without its port.
func addressOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// caller is who calls: whom the token names, or somebody on this machine without one.
func (s *Server) caller(r *http.Request) (identity.Person, error) {
	address := addressOf(r)
	given := r.Header.Values("Authorization")
	token, bearer := "", false
	if len(given) > 0 {
		token, bearer = bearerOf(given[0])
	}
	switch {
	case len(given) > 1:
		return identity.Person{}, &identity.Refusal{Code: "token_invalid", Status: http.StatusUnauthorized,
			Detail: "the request has more than one Authorization header"}
	case bearer && s.tokens == nil:
		return identity.Person{}, identity.Unavailable()
	case bearer:
		return s.tokens.Verify(r.Context(), token, address)
	}
	if ip, err := netip.ParseAddr(address); err == nil && ip.Unmap().IsLoopback() {
		return localViewer, nil // a header of another scheme is for a proxy between
	}
	return identity.Person{}, &identity.Refusal{Code: "token_required", Status: http.StatusUnauthorized,
		Detail: "callers from other machines need a token: Authorization: Bearer swt_…"}
}

// bearerOf takes the token out of an Authorization header; false when the header has another scheme.
func bearerOf(header string) (string, bool) {
	scheme, token, _ := strings.Cut(header, " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// within is nil when the answer is about clients of the caller's collections only.
func (s *Server) within(r *http.Request, caller identity.Person, scope identity.Scope) error {
	switch scope {
	case identity.NoClient, identity.ByTask:
		return nil
	case identity.ByCollection:
		name := r.URL.Query().Get("collection") // a name that is given twice is refused later, in every spelling
		if name == "" {
			return &identity.Refusal{Code: "out_of_scope", Status: http.StatusForbidden,
				Detail: "outside the caller's collections: 1 report; a report that has the parameter collection can be asked " +
					"for one of them"}
		}
		return caller.Within(name)
	case identity.ByClient:
		return s.ownClient(r.Context(), caller, r.PathValue("id"))
	}
	return identity.OutOfScope(1, "site, of which the answer would tell everything", "")
}

// ownClient is nil when every client of this id or name is the caller's. One that nobody knows is not: the answer must
// not tell which names there are.
func (s *Server) ownClient(ctx context.Context, caller identity.Person, text string) error {
	if s.members == nil {
		return identity.Unavailable()
	}
	id, err := s.explainer.FindClient(ctx, text)
	ids := []uuid.UUID{id}
	var several *explain.AmbiguousError
	switch {
	case errors.As(err, &several):
		ids = nil
		for _, c := range several.Clients {
			ids = append(ids, c.ID)
		}
	case errors.Is(err, explain.ErrNoClient):
		return identity.OutOfScope(1, "client", "clients")
	case err != nil:
		return err
	}
	outside := 0
	for _, id := range ids {
		own, err := s.members.Has(ctx, caller.Collections, id)
		if err != nil {
			return fmt.Errorf("look for client %s in the caller's collections: %w", id, err)
		}
		if !own {
			outside++
		}
	}
	if outside > 0 {
		return identity.OutOfScope(outside, "client", "clients")
	}
	return nil
}

// deny says why not.
func (s *Server) deny(w http.ResponseWriter, err error) {
	var refused *identity.Refusal
	if !errors.As(err, &refused) {
		p := problemOf(err)
		if p.Status >= http.StatusInternalServerError {
			s.log.Warn("caller not checked", "err", err)
		}
		p.serve(w)
		return
	}
	if refused.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	p := newProblem(refused.Status, refused.Code, refused.Detail)
	p.Retry, p.after = refused.Retry, refused.After
	p.serve(w)
}
