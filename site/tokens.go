package site

import (
	"context"
	"sync/atomic"

	"statewire/identity"
)

// tokenSource verifies API tokens for the pages: by this process's identity role, or by the process that runs it.
type tokenSource struct {
	other *identity.APITokenClient

	own atomic.Pointer[identity.APITokens] // nil until the role has started, and where it does not run
}

// Standing is APITokens.Standing.
func (t *tokenSource) Standing(ctx context.Context, id string) error {
	if own := t.own.Load(); own != nil {
		return own.Standing(ctx, id)
	}
	return t.other.Standing(ctx, id)
}

// Verify is APITokens.Verify.
func (t *tokenSource) Verify(ctx context.Context, token, address string) (identity.Person, error) {
	if own := t.own.Load(); own != nil {
		return own.Verify(ctx, token, address)
	}
	return t.other.Verify(ctx, token, address)
}
