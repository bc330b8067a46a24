package site

import (
	"bytes"
	"context"
	"time"

	"statewire/identity"
	"statewire/policies"
	"statewire/smx/policy"
	"statewire/trust"
)

// trustLook is how often the resync stage looks at what clients are to believe.
const trustLook = 2 * time.Second

// tellTrust has clients told, with their policy, whom to believe: as the files of the identity role say, which hold no
// secret.
func (s *Site) tellTrust(ctx context.Context, to *policies.Service) {
	var told policy.Trust
	tick := time.NewTicker(trustLook)
	defer tick.Stop()
	for {
		now, err := readTrust(s.cfg.Data)
		switch {
		case err != nil:
			s.log.Error("what clients are to believe cannot be read, they keep what they have", "err", err)
		case !bytes.Equal(now.CA, told.CA) || !bytes.Equal(now.Document, told.Document):
			to.Believe(&now)
			told = now
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// readTrust reads the authorities and the trust document of a data directory.
func readTrust(data string) (out policy.Trust, err error) {
	if out.CA, err = identity.Trusted(IdentityDir(data)); err != nil {
		return out, err
	}
	out.Document, err = trust.ReadEnvelope(TrustDir(data))
	return out, err
}
