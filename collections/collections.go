// Package collections keeps named sets of clients: lists, and saved queries. What a query yields is asked anew at every
// use; it can only read. It keeps, too, which clients are retired: those are in no set, and nothing else forgets them.
package collections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"statewire/internal/control"
	"statewire/smx"
	"statewire/store"
)

// ErrNotFound is in the chain of an error about a collection that is not there.
var ErrNotFound = control.ErrNotFound

// MaxMembers bounds a collection.
const MaxMembers = 1_000_000

// Kinds of collections.
const (
	kindList  = "list"
	kindQuery = "query"
)

// Collection is a named set of clients: a list, or whoever a saved query yields at the moment it is asked.
type Collection struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"` // list or query
	Query   string    `json:"query"`
	Clients uint64    `json:"clients"` // members; of a query as of this moment where somebody asked for them, else 0
	Changed time.Time `json:"changed_time"`

	Revision uint64 `json:"-"` // grows with every change
}

// Spec is a collection to be made: from a list, or from a query that yields a column client_id.
type Spec struct {
	Name    string
	Clients []smx.ClientID
	Query   string
	Replace bool // a collection of this name may be there
}

// collectionName keeps names fit for a command line and a page's address.
var collectionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

func checkName(name string) error {
	if !collectionName.MatchString(name) {
		return control.Invalid("collection name %.80q is not allowed; use letters, digits, dots, dashes and "+
			"underscores, at most 63, beginning with a letter or digit", name)
	}
	return nil
}

func (c Spec) check() error {
	switch {
	case c.Query == "" && len(c.Clients) == 0:
		return control.Invalid("a collection needs clients or a query")
	case c.Query != "" && len(c.Clients) > 0:
		return control.Invalid("a collection is a list of clients or a query, not both")
	case len(c.Clients) > MaxMembers:
		return control.Invalid("a collection has at most %d clients, got %d", MaxMembers, len(c.Clients))
	}
	return checkName(c.Name)
}

// follower keeps something by the name of a collection.
type follower interface {
	// Forget drops it, because the collection is about to be deleted.
	Forget(ctx context.Context, c Collection) error
	// Reload learns what the collections are now.
	Reload(ctx context.Context) error
}

// Service makes, lists and deletes collections. Its state is in the store.
type Service struct {
	// Constant after New and Follow.
	store    *store.Store
	log      *slog.Logger
	now      func() time.Time
	follower follower
	auditor  auditor // nil: nobody records
	cfg      atomic.Pointer[Config]

	changing chan struct{} // a place that whoever changes a collection, or what goes by its name, or clients, holds
}

// New returns a service on an open store; now is the clock that stamps changes.
func New(db *store.Store, log *slog.Logger, now func() time.Time) *Service {
	s := &Service{store: db, log: log, now: now, changing: make(chan struct{}, 1)}
	s.cfg.Store(&Config{})
	return s
}

// Follow lets f know of every change from now on. It is called once, before the service is used.
func (s *Service) Follow(f follower) { s.follower = f }

// Change lets do change a collection, or what goes by its name, while nobody else does. The revision that do is given
// is greater than every one before under that name.
func (s *Service) Change(ctx context.Context, name string, do func(revision uint64, at time.Time) error) error {
	return s.alone(ctx, func(at time.Time) error {
		revision, err := s.nextRevision(ctx, name, at)
		if err != nil {
			return err
		}
		return do(revision, at)
	})
}

// alone calls do while nobody else changes anything.
func (s *Service) alone(ctx context.Context, do func(at time.Time) error) error {
	select {
	case s.changing <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for another change of a collection: %w", ctx.Err())
	}
	defer func() { <-s.changing }()
	return do(s.now().UTC())
}

// Create makes or replaces a collection. A query is run once, so that one that does not work is refused.
func (s *Service) Create(ctx context.Context, spec Spec) (made Collection, err error) {
	spec.Query = strings.TrimRight(strings.TrimSpace(spec.Query), "; \n")
	if err := spec.check(); err != nil {
		return Collection{}, err
	}
	err = s.Change(ctx, spec.Name, func(revision uint64, at time.Time) error {
		_, err := s.Get(ctx, spec.Name)
		switch {
		case err == nil && !spec.Replace:
			return control.Invalid("collection %s is there already; --replace replaces it", spec.Name)
		case err != nil && !errors.Is(err, ErrNotFound):
			return err
		}
		act := control.Act{Name: "collection.create", Object: "collection:" + spec.Name, Targets: len(spec.Clients),
			Params: call{spec.Name, Names(spec.Clients), spec.Query, spec.Replace}}
		return control.Recorded(ctx, s.recorder(), act, func() error {
			if made, err = s.put(ctx, spec, revision, at); err != nil {
				return err
			}
			s.log.Info("collection stored", "collection", made.Name, "kind", made.Kind, "clients", made.Clients)
			return errors.Join(s.tidyMembers(ctx, made), s.reload(ctx))
		})
	})
	return made, err
}

// put stores members before the collection that names them.
func (s *Service) put(ctx context.Context, spec Spec, revision uint64, at time.Time) (Collection, error) {
	c := Collection{Name: spec.Name, Kind: kindList, Query: spec.Query, Changed: at, Revision: revision}
	members := slices.Compact(slices.SortedFunc(slices.Values(spec.Clients), smx.ClientID.Compare))
	if spec.Query != "" {
		c.Kind = kindQuery
		found, err := s.runQuery(ctx, spec.Query)
		if err != nil {
			return c, err
		}
		c.Clients = uint64(len(found))
		if err := s.keep(ctx, c.Name, found); err != nil {
			return c, err
		}
	} else {
		c.Clients = uint64(len(members))
	}
	if err := s.putMembers(ctx, c, members); err != nil {
		return c, err
	}
	return c, s.putCollection(ctx, c, false)
}

func (s *Service) reload(ctx context.Context) error {
	if s.follower == nil {
		return nil
	}
	return s.follower.Reload(ctx)
}

// Show returns a collection with its members of this moment, ascending.
func (s *Service) Show(ctx context.Context, name string) (Collection, []smx.ClientID, error) {
	c, err := s.Get(ctx, name)
	if err != nil {
		return Collection{}, nil, err
	}
	members, err := s.Members(ctx, c)
	c.Clients = uint64(len(members))
	return c, members, err
}
