package site

import (
	"errors"
	"fmt"
	"net/http"

	"statewire/identity"
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

// handler serves what was registered.
func (c *calls) handler() (http.Handler, error) { return c.mux, errors.Join(c.problems...) }
