package site

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"

	"statewire/identity"
	"statewire/internal/control"
)

// calls is what a private socket serves. Every call has a row in the table of permissions: one without is not served,
// and the stage that has it does not start.
type calls struct {
	// Constant after newCalls.
	door identity.Door
	mux  *http.ServeMux

	patterns []string
	problems []error
}

func newCalls(door identity.Door) *calls { return &calls{door: door, mux: http.NewServeMux()} }

// Handle serves a pattern.
func (c *calls) Handle(pattern string, h http.Handler) {
	c.patterns = append(c.patterns, pattern)
	if _, ok := identity.NeedOf(c.door, pattern); !ok {
		c.problems = append(c.problems, fmt.Errorf("%s: the call %s has no row in the table of permissions", c.door, pattern))
		return
	}
	c.mux.Handle(pattern, h)
}

// HandleFunc is Handle for a function.
func (c *calls) HandleFunc(pattern string, serve func(http.ResponseWriter, *http.Request)) {
	c.Handle(pattern, http.HandlerFunc(serve))
}

// handler serves what was registered to the owner of the data directory and to root: they are admins. The users of
// roles on a split site may make the calls that their role needs. Whoever else comes to the socket gets a 403 to every
// call, whatever the modes of files say.
func (c *calls) handler(data string) (http.Handler, error) {
	owner, told, err := ownerOf(data)
	if err != nil {
		return nil, fmt.Errorf("look whose the data directory is: %w", err)
	}
	if !told {
		return c.mux, errors.Join(c.problems...)
	}
	users := []int{0, owner, os.Getuid()} // as this process runs, the site's other processes and their commands do
	roles, err := roleUsers(data)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, ok := control.PeerOf(r.Context())
		switch {
		case ok && slices.Contains(users, peer.UID):
			c.mux.ServeHTTP(w, r)
		case ok && c.mayRole(roles[peer.UID], r):
			peer.Role = roles[peer.UID]
			c.mux.ServeHTTP(w, r.WithContext(control.WithPeer(r.Context(), peer)))
		default:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, notOwner) // the caller has gone
		}
	}), errors.Join(c.problems...)
}

// mayRole says whether the user of a role may make this call: of a role that is empty nobody may.
func (c *calls) mayRole(role string, r *http.Request) bool {
	_, pattern := c.mux.Handler(r)
	return role != "" && identity.RoleMay(role, c.door, pattern)
}

const notOwner = `{"type":"about:blank","title":"Forbidden","status":403,"code":"forbidden",` +
	`"detail":"only the owner of the data directory and root may call this here","retry":false}` + "\n"
