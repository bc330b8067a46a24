package console

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/identity"
)

// tokenFor keeps real API tokens for a handler, and makes them.
type tokenFor struct {
	*identity.APITokens
	t  *testing.T
	at time.Time
}

func newTokens(t *testing.T) *tokenFor {
	t.Helper()
	log, err := audit.Open(filepath.Join(t.TempDir(), "audit"), audit.Options{Site: "test"})
	if err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "identity.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(); log.Close() })
	f := &tokenFor{t: t, at: time.Now()}
	if f.APITokens, err = identity.NewAPITokens(db, log, func() time.Time { return f.at }, nil); err != nil {
		t.Fatal(err)
	}
	return f
}

// make makes a token that lives for an hour.
func (f *tokenFor) make(role identity.Role, collections ...string) identity.MadeAPIToken {
	f.t.Helper()
	made, err := f.Create(f.t.Context(), identity.Person{Actor: "local:0", Role: identity.Admin},
		identity.Wanted{Role: role, Collections: collections, Life: time.Hour})
	if err != nil {
		f.t.Fatal(err)
	}
	return made
}

// bearer gives a request a token.
func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// withMethod gives a request another method.
func withMethod(method string) func(*http.Request) {
	return func(r *http.Request) { r.Method = method }
}

// from gives a request another address.
func from(address string) func(*http.Request) {
	return func(r *http.Request) { r.RemoteAddr = address }
}
