package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"
	"golang.org/x/time/rate"

	"statewire/audit"
	"statewire/internal/control"
	"statewire/internal/durable"
	"statewire/trust"
)

// Lives of certificates.
const (
	clientLife = 60 * 24 * time.Hour
	roleLife   = 90 * 24 * time.Hour
)

// Auditor notes an action before it is done. finish notes what came of it.
type Auditor interface {
	Begin(ctx context.Context, a audit.Action) (finish func(outcome, detail string), err error)
}

// Serials says which serial a client is to continue from, so that one that lost its files never gives a serial twice.
type Serials interface {
	// NextSerial fails while that is not known.
	NextSerial(ctx context.Context, client uuid.UUID, last uint64) (next uint64, known bool, err error)
}

// Polls says which clients have asked for their policy.
type Polls interface {
	// Polled are those that have since a time.
	Polled(ctx context.Context, since time.Time) ([]uuid.UUID, error)
}

// TrustKeys are the keys that sign the trust document, and the document.
type TrustKeys interface {
	Document() ([]byte, error)
	RootIDs() []string
}

// Deps are what a Service is given.
type Deps struct {
	Site    *Site
	Audit   Auditor
	Serials Serials // nil knows no client: for tests of what needs none
	Polls   Polls   // nil: that is not known
	Trust   TrustKeys
	Lists   Lists            // nil: clients wait for the lists that they come into
	Log     *slog.Logger     // nil discards
	Clock   func() time.Time // nil is time.Now
}

// Service gives out certificates and takes them back. One process of a site runs it: the one with the identity role.
type Service struct {
	// Constant after New.
	cfg   Config
	deps  Deps
	site  *Site
	db    *bbolt.DB
	log   *slog.Logger
	now   func() time.Time
	guess *guesses
	hour  *hourly

	writing   sync.Mutex     // held while the file of denied certificates is written
	unwritten atomic.Bool    // the file is older than the state: writing it failed
	staging   sync.Mutex     // held while the authority changes
	complain  rate.Sometimes // of clients that are in no list yet
}

// New opens the state of the identity role in the site's folder. The file of denied certificates is written anew from
// it: a process that died may have left an older one.
func New(cfg Config, enroll EnrollConfig, deps Deps) (*Service, error) {
	s := &Service{cfg: cfg, deps: deps, site: deps.Site, log: deps.Log, now: deps.Clock}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.complain.Interval = time.Minute
	s.guess, s.hour = newGuesses(), &hourly{most: enroll.PerHour}
	var err error
	if s.db, err = openState(s.site.dir); err != nil {
		return nil, err
	}
	if err := errors.Join(s.checkPin(), s.beginForgetting(), s.writeDenied(), s.orderAuthorities()); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

// Close gives the state back.
func (s *Service) Close() error { return s.db.Close() }

// deniedRetry is how often a list of denied certificates that could not be written is tried again.
const deniedRetry = 10 * time.Second

// Run puts clients into the lists that their tokens name, and removes what is no longer needed, until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	hourly, often, soon := time.NewTicker(time.Hour), time.NewTicker(deniedRetry), time.NewTicker(joinInterval)
	defer hourly.Stop()
	defer often.Stop()
	defer soon.Stop()
	s.tidyUp()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hourly.C:
			s.tidyUp()
		case <-soon.C:
			s.join(ctx)
		case <-often.C:
			if err := s.ensureDenied(); err != nil {
				s.log.Error("revoked certificates are not refused yet", "err", err)
			}
		}
	}
}

func (s *Service) tidyUp() {
	if err := s.tidy(); err != nil {
		s.log.Error("expired certificates and tokens are not removed", "err", err)
	}
}

// DB is the state, for the package's other parts.
func (s *Service) DB() *bbolt.DB { return s.db }

// pin is what tokens say of this site.
func (s *Service) pin() trust.Pin {
	return trust.PinOf(s.site.authority().cert, s.deps.Trust.RootIDs())
}

// checkPin makes tokens void that were made for another authority or for other roots: no agent would believe the site
// with them.
func (s *Service) checkPin() error {
	pin := s.pin()
	now := fmt.Sprintf("%x %x", pin.CA, pin.Roots)
	var void []string
	err := s.db.Update(func(tx *bbolt.Tx) error {
		had, ok, err := get[string](tx, bucketMeta, metaAuthority)
		if err != nil || had == now {
			return err
		}
		if ok {
			if void, err = voidTokens(tx, s.now()); err != nil {
				return err
			}
		}
		return put(tx, bucketMeta, metaAuthority, now)
	})
	if len(void) > 0 {
		s.log.Warn("unused enrolment tokens are void: the authority or the roots changed; make new ones", "tokens", void)
	}
	return err
}

// writeDenied writes the file of denied certificates from the state.
func (s *Service) writeDenied() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	denied := Denied{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		return each(tx, bucketHolders, func(key []byte, h holder) error {
			if h.Below > 0 {
				denied[string(key)] = h.Below
			}
			return nil
		})
	})
	if err == nil {
		err = durable.Write(s.site.dir, deniedFile, tempPrefix, denied.text(), 0o644)
	}
	s.unwritten.Store(err != nil)
	if err != nil {
		return fmt.Errorf("write the list of denied certificates %s: %w", filepath.Join(s.site.dir, deniedFile), err)
	}
	return nil
}

// ensureDenied writes the file if the last attempt failed: what the state denies is refused by nobody before.
func (s *Service) ensureDenied() error {
	if !s.unwritten.Load() {
		return nil
	}
	return s.writeDenied()
}

// forgetStep is how far the time by which tidy forgets goes on at once.
const forgetStep = 24 * time.Hour

// beginForgetting sets the time from which on old state is forgotten.
func (s *Service) beginForgetting() error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		if tx.Bucket(bucketMeta).Get(metaTidied) != nil {
			return nil
		}
		return put(tx, bucketMeta, metaTidied, s.now().UTC())
	})
}

// forgetAt is the time by which old state is forgotten. It follows the clock by a day for each call: a clock that is
// far ahead for a while must not lift what was denied, nor make strangers of the clients.
func forgetAt(tx *bbolt.Tx, now time.Time) (time.Time, error) {
	had, ok, err := get[time.Time](tx, bucketMeta, metaTidied)
	if err != nil {
		return now, err
	}
	if most := had.Add(forgetStep); ok && now.After(most) {
		now = most
	}
	return now, put(tx, bucketMeta, metaTidied, now.UTC())
}

// tidy forgets certificates that nobody can use any more, and what denied them.
func (s *Service) tidy() error {
	lines := false
	err := s.db.Update(func(tx *bbolt.Tx) error {
		now, err := forgetAt(tx, s.now())
		if err != nil {
			return err
		}
		var gone [][]byte
		kept := map[string]bool{} // who has certificates that may come back; the newest need not be the last to end
		err = each(tx, bucketIssued, func(number []byte, c issued) error {
			if now.After(c.NotAfter.Add(s.cfg.RenewGrace)) {
				gone = append(gone, slices.Clone(number), c.Key)
			} else {
				kept[c.Holder] = true
			}
			return nil
		})
		for i := 0; err == nil && i < len(gone); i += 2 {
			err = tx.Bucket(bucketIssued).Delete(gone[i])
			if was, ok, _ := get[uint64](tx, bucketKeys, gone[i+1]); err == nil && ok &&
				string(numberKey(was)) == string(gone[i]) {
				err = tx.Bucket(bucketKeys).Delete(gone[i+1])
			}
		}
		if err != nil {
			return err
		}
		lift := map[string]holder{}
		err = each(tx, bucketHolders, func(key []byte, h holder) error {
			if h.Below > 0 && now.After(h.Until) && !kept[string(key)] {
				h.Below, h.Until = 0, time.Time{}
				lift[string(key)] = h
			}
			return nil
		})
		for key, h := range lift {
			lines = true
			err = errors.Join(err, put(tx, bucketHolders, []byte(key), h))
		}
		return errors.Join(err, tidyTokens(tx, now), tidyPending(tx, now))
	})
	if err == nil && lines {
		err = s.writeDenied()
	}
	return err
}

// note begins an action in the audit log.
func (s *Service) note(ctx context.Context, a audit.Action) (func(outcome, detail string), error) {
	if a.Actor == "" {
		a.Actor = control.Actor(ctx)
	}
	finish, err := s.deps.Audit.Begin(ctx, a)
	if err != nil {
		s.log.Error("nothing is done that cannot be noted in the audit log", "action", a.Action, "err", err)
		return nil, refuse(CodeAudit, "the audit log does not take the action, so it was not done: %v", err)
	}
	return finish, nil
}

// document is the trust document as a client gets it.
func (s *Service) document() (json.RawMessage, error) {
	text, err := s.deps.Trust.Document()
	if err != nil {
		return nil, fmt.Errorf("read the trust document: %w", err)
	}
	return text, nil
}
