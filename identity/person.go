package identity

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"statewire/internal/humanize"
)

// Person is who asks for something: somebody at this machine, or whoever has a token.
type Person struct {
	Actor       string    `json:"actor"` // as the audit names it: local:UID, token:ID
	Role        Role      `json:"role"`
	Collections []string  `json:"collections,omitempty"` // it may see the clients of these only; none: of all
	Expires     time.Time `json:"expires,omitzero"`      // zero: never
}

// Scoped says whether the caller may see some clients only.
func (p Person) Scoped() bool { return len(p.Collections) > 0 }

// Permit is nil when the caller may, else a *Refusal with the code forbidden.
func (p Person) Permit(perm Permission) error {
	right, known := RightOf(perm)
	switch {
	case !known || !p.Role.Has(right.Least):
		return &Refusal{Code: "forbidden", Status: http.StatusForbidden,
			Detail: fmt.Sprintf("this needs the permission %s, which the role %s does not have", perm, p.Role)}
	case right.Unscoped && p.Scoped():
		return &Refusal{Code: "forbidden", Status: http.StatusForbidden,
			Detail: fmt.Sprintf("this needs the permission %s, which no caller with collections of its own has", perm)}
	}
	return nil
}

// Within is nil when all these collections are the caller's.
func (p Person) Within(names ...string) error {
	if !p.Scoped() {
		return nil
	}
	outside := 0
	for _, name := range names {
		if !slices.Contains(p.Collections, name) {
			outside++
		}
	}
	if outside == 0 {
		return nil
	}
	return OutOfScope(outside, "collection", "collections")
}

// OutOfScope is the refusal of a request for so many things that are not the caller's.
func OutOfScope(count int, one, many string) *Refusal {
	return &Refusal{Code: "out_of_scope", Status: http.StatusForbidden,
		Detail: fmt.Sprintf("outside the caller's collections: %d %s", count, humanize.Plural(count, one, many))}
}

// Unavailable is the refusal while nobody can say who calls.
func Unavailable() *Refusal {
	return &Refusal{Code: "identity_unavailable", Status: http.StatusServiceUnavailable, Retry: true,
		After:  5 * time.Second,
		Detail: "the process with the identity role does not answer: try again"}
}
