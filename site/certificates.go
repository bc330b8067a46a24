package site

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"statewire/identity"
	"statewire/internal/control"
	"statewire/reports/explain"
)

// holders says who has certificates.
type holders interface {
	Client(ctx context.Context, key string) (identity.Client, error)
}

// certificates tells explanations of clients' certificates, from this process or the one with the identity role.
func (s *Site) certificates() func(context.Context, uuid.UUID) (explain.Certificate, error) {
	if s.identity != nil {
		return certificatesOf(s.identity)
	}
	return CertificatesInForce(s.cfg.Data)
}

// CertificatesInForce tells of clients' certificates what the running site's identity role knows; nil where none runs
// now.
func CertificatesInForce(data string) func(context.Context, uuid.UUID) (explain.Certificate, error) {
	if !Listens(IdentitySocket(data)) {
		return nil
	}
	return certificatesOf(identity.Dial(IdentitySocket(data)))
}

func certificatesOf(from holders) func(context.Context, uuid.UUID) (explain.Certificate, error) {
	return func(ctx context.Context, client uuid.UUID) (explain.Certificate, error) {
		c, err := from.Client(ctx, identity.Caller{Client: client}.Key())
		if errors.Is(err, control.ErrNotFound) {
			return explain.Certificate{State: "none"}, nil
		}
		out := explain.Certificate{State: c.State, Enrolled: c.Enrolled, NotAfter: c.NotAfter, Since: c.Shared,
			By: c.By, Why: c.Reason}
		if c.State == "revoked" {
			out.Since = c.Revoked
		}
		return out, err
	}
}
