package identity

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/internal/control"
)

const (
	// joinInterval is how often enrolled clients are put into their lists: thousands that enrol at once are a few changes
	// of a list.
	joinInterval = 3 * time.Second
	joinTimeout  = 30 * time.Second
	joinsAtOnce  = 10_000
)

// Lists puts clients into a collection that is a list, and makes it where there is none. Without clients it only says
// whether that could be done; what never could is a control.InvalidError.
type Lists interface {
	Add(ctx context.Context, name string, clients []uuid.UUID) error
}

// canJoin refuses the name of a collection that no client can be put into. Where that cannot be told now, it is told to
// the log later.
func (s *Service) canJoin(ctx context.Context, collection string) error {
	if collection == "" || s.deps.Lists == nil {
		return nil
	}
	err := s.deps.Lists.Add(ctx, collection, nil)
	if err == nil || errors.As(err, new(*control.InvalidError)) {
		return err
	}
	s.log.Warn("whether clients can be put into the collection of a token is not known yet", "collection", collection,
		"err", err)
	return nil
}

// joins notes the list that a client is to be put into; none when it is empty.
func joins(tx *bbolt.Tx, key []byte, collection string) error {
	if collection == "" {
		return tx.Bucket(bucketJoins).Delete(key)
	}
	return put(tx, bucketJoins, key, collection)
}

// join puts clients that have enrolled into their lists. What fails is done again: nobody is forgotten before.
func (s *Service) join(ctx context.Context) {
	if s.deps.Lists == nil {
		return
	}
	inTime, cancel := context.WithTimeout(control.WithWho(ctx, control.Who{Actor: siteActor}), joinTimeout)
	defer cancel()
	waiting, err := s.joining()
	for _, collection := range slices.Sorted(maps.Keys(waiting)) {
		err = errors.Join(err, s.joinList(inTime, collection, waiting[collection]))
	}
	if err != nil && ctx.Err() == nil {
		s.complain.Do(func() { s.log.Error("enrolled clients wait for the collections of their tokens", "err", err) })
	}
}

// joining are the clients that wait, by list; of each list no more than are added at once.
func (s *Service) joining() (map[string][]uuid.UUID, error) {
	waiting := map[string][]uuid.UUID{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		return each(tx, bucketJoins, func(key []byte, collection string) error {
			id, err := uuid.Parse(strings.TrimPrefix(string(key), "GUID:"))
			if err == nil && len(waiting[collection]) < joinsAtOnce {
				waiting[collection] = append(waiting[collection], id)
			}
			return err
		})
	})
	return waiting, err
}

// joinList adds clients to a list, and then forgets that they wait for it.
func (s *Service) joinList(ctx context.Context, collection string, clients []uuid.UUID) error {
	if err := s.deps.Lists.Add(ctx, collection, clients); err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, id := range clients {
			key := []byte(clientKey(id))
			// It may have enrolled again meanwhile, for another list.
			if now, _, err := get[string](tx, bucketJoins, key); err != nil || now != collection {
				if err != nil {
					return err
				}
				continue
			}
			if err := joins(tx, key, ""); err != nil {
				return err
			}
		}
		return nil
	})
}
