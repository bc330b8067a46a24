package identity

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/internal/control"
	"statewire/internal/durable"
)

// nextKeyFile is the key of an authority that is staged: believed already, and not used yet.
const nextKeyFile = "ca-next.key"

// Staged says that an authority is to follow the one in force.
type Staged struct {
	Since    time.Time `json:"since"`
	NotAfter time.Time `json:"not_after"`
	// Clients is how many have a certificate that is good or can be renewed.
	Clients int `json:"clients"`
	// NotPolled is how many of them have not been told of the staged authority: a change locks them out. nil when nobody
	// knows who polled.
	NotPolled *int `json:"not_polled"`
}

// toldWithin is how long after an authority was staged a poll may still be answered without it.
const toldWithin = 5 * time.Second

// StageCA makes the next authority. From then on clients are told to believe both.
func (s *Service) StageCA(ctx context.Context) (Staged, error) {
	s.staging.Lock()
	defer s.staging.Unlock()
	path := filepath.Join(s.site.dir, nextKeyFile)
	if _, err := os.Stat(path); err == nil {
		return Staged{}, control.Invalid("an authority is staged already; `statewire ca switch` goes over to it")
	}
	finish, err := s.note(ctx, audit.Action{Action: "ca.stage", Object: "authority"})
	if err != nil {
		return Staged{}, err
	}
	out, err := s.stage()
	finish(audit.Outcome(err))
	return out, err
}

func (s *Service) stage() (Staged, error) {
	now := s.now()
	cert, key, err := makeAuthority(s.site.ID(), now)
	if err != nil {
		return Staged{}, err
	}
	// The certificate comes first: an authority that is believed without its key does no harm.
	bundle := slices.Concat(s.site.authority().bundle(), cert)
	if err := durable.Write(s.site.dir, caCertFile, tempPrefix, bundle, 0o644); err != nil {
		return Staged{}, err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error { return put(tx, bucketMeta, metaStagedTime, now.UTC()) })
	if err == nil {
		err = durable.Write(s.site.dir, nextKeyFile, tempPrefix, key, 0o600)
	}
	if err == nil {
		err = s.site.reload()
	}
	if err != nil {
		return Staged{}, err
	}
	made, err := parseBundle(cert)
	if err != nil {
		return Staged{}, err
	}
	return Staged{Since: now.UTC(), NotAfter: made[0].NotAfter}, nil
}

// SwitchCA goes over to the staged authority. The former stays believed, so that clients' certificates of it are good
// until they are renewed. Unused tokens are void: their pin names the former.
func (s *Service) SwitchCA(ctx context.Context) (Staged, error) {
	s.staging.Lock()
	defer s.staging.Unlock()
	staged, err := s.Staged(ctx)
	if err != nil {
		return Staged{}, err
	}
	if staged == nil {
		return Staged{}, control.Invalid("no authority is staged; `statewire ca stage` makes one, and clients learn it with " +
			"their next poll")
	}
	finish, err := s.note(ctx, audit.Action{Action: "ca.switch", Object: "authority"})
	if err != nil {
		return Staged{}, err
	}
	err = os.Rename(filepath.Join(s.site.dir, nextKeyFile), filepath.Join(s.site.dir, caKeyFile))
	if err == nil {
		err = errors.Join(durable.SyncFolder(s.site.dir), s.site.reload(), s.checkPin(), s.orderAuthorities())
	}
	finish(audit.Outcome(err))
	return *staged, err
}

// orderAuthorities puts the authority in force first in the file: whoever has no key of any takes the first for it. A
// process that died in a switch may have left the former there.
func (s *Service) orderAuthorities() error {
	if a := s.site.authority(); a.all[0].Equal(a.cert) {
		return nil
	}
	return errors.Join(durable.Write(s.site.dir, caCertFile, tempPrefix, s.site.authority().bundle(), 0o644),
		s.site.reload())
}

// Staged is the authority that is staged, and who does not know it; nil when none is.
func (s *Service) Staged(ctx context.Context) (*Staged, error) {
	out, err := s.staged()
	if err != nil || out == nil {
		return out, err
	}
	return out, s.countUntold(ctx, out)
}

// countUntold counts the clients that neither enrolled nor polled since the authority was staged.
func (s *Service) countUntold(ctx context.Context, out *Staged) error {
	told := map[string]struct{}{}
	known := false
	if s.deps.Polls != nil {
		polled, err := s.deps.Polls.Polled(ctx, out.Since.Add(toldWithin))
		if known = err == nil; !known {
			s.log.Warn("which clients have polled since the authority was staged is not known", "err", err)
		}
		for _, id := range polled {
			told[clientKey(id)] = struct{}{}
		}
	}
	now, untold := s.now(), 0
	err := s.db.View(func(tx *bbolt.Tx) error {
		return each(tx, bucketHolders, func(key []byte, h holder) error {
			if h.Role != "" || h.Revoked != nil || now.After(h.NotAfter.Add(s.cfg.RenewGrace)) {
				return nil
			}
			out.Clients++
			if _, ok := told[string(key)]; !ok && h.Enrolled.Before(out.Since) {
				untold++
			}
			return nil
		})
	})
	if known {
		out.NotPolled = &untold
	}
	return err
}

func (s *Service) staged() (*Staged, error) {
	key, err := readKey(filepath.Join(s.site.dir, nextKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(s.site.dir, nextKeyFile), err)
	}
	all := s.site.authority().all
	i := slices.IndexFunc(all, func(cert *x509.Certificate) bool { return belongs(cert, key) })
	if i < 0 {
		return nil, fmt.Errorf("%s belongs to no certificate in %s; remove it and stage an authority anew",
			filepath.Join(s.site.dir, nextKeyFile), s.site.CAFile())
	}
	out := &Staged{NotAfter: all[i].NotAfter}
	err = s.db.View(func(tx *bbolt.Tx) error {
		var err error
		out.Since, _, err = get[time.Time](tx, bucketMeta, metaStagedTime)
		return err
	})
	return out, err
}
