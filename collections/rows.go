package collections

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/internal/control"
	"statewire/smx"
	"statewire/store"
)

var (
	//go:embed sql/collections.sql
	collectionsSQL string
	//go:embed sql/members.sql
	membersSQL string
	//go:embed sql/has_member.sql
	hasMemberSQL string
	//go:embed sql/revision.sql
	revisionSQL string
	//go:embed sql/tidy_members.sql
	tidyMembersSQL string
)

// List lists the collections by name. Those of queries show no number of clients.
func (s *Service) List(ctx context.Context) ([]Collection, error) { return s.named(ctx, "") }

// Get returns a collection; without such a name the error has ErrNotFound in its chain.
func (s *Service) Get(ctx context.Context, name string) (Collection, error) {
	if err := checkName(name); err != nil {
		return Collection{}, err
	}
	list, err := s.named(ctx, name)
	if err == nil && len(list) == 0 {
		err = control.NotFound("no such collection: %s; `statewire collection list` shows them", name)
	}
	if err != nil {
		return Collection{}, err
	}
	return list[0], nil
}

// named are the collections of a name; all when it is empty.
func (s *Service) named(ctx context.Context, name string) (list []Collection, err error) {
	args := []any{store.TextArg("name", name)}
	err = s.store.EachRow(ctx, collectionsSQL, args, func(scan func(...any) error) error {
		var c Collection
		err := scan(&c.Name, &c.Revision, &c.Kind, &c.Query, &c.Changed, &c.Clients)
		list = append(list, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the collections: %w", err)
	}
	return list, nil
}

// Members returns the members of a collection as of this moment, ascending.
func (s *Service) Members(ctx context.Context, c Collection) (members []smx.ClientID, err error) {
	if c.Kind == kindQuery {
		if members, err = s.runQuery(ctx, c.Query); err != nil {
			return nil, fmt.Errorf("collection %s: %w", c.Name, err)
		}
		return members, nil
	}
	args := []any{store.TextArg("name", c.Name), store.UintArg("revision", c.Revision)}
	err = s.store.EachRow(ctx, membersSQL, args, func(scan func(...any) error) error {
		var id uuid.UUID
		err := scan(&id)
		members = append(members, smx.ClientID(id))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the clients of collection %s: %w", c.Name, err)
	}
	slices.SortFunc(members, smx.ClientID.Compare) // the store orders ids otherwise
	return members, nil
}

// Has says whether a client is in one of these collections at this moment. One that is not there has nobody.
func (s *Service) Has(ctx context.Context, names []string, client uuid.UUID) (bool, error) {
	for _, name := range names {
		has, err := s.hasMember(ctx, name, client)
		if has || err != nil && !errors.Is(err, ErrNotFound) {
			return has, err
		}
	}
	return false, nil
}

func (s *Service) hasMember(ctx context.Context, name string, client uuid.UUID) (has bool, err error) {
	c, err := s.Get(ctx, name)
	if err != nil {
		return false, err
	}
	if c.Kind == kindQuery {
		members, err := s.Members(ctx, c)
		_, has = slices.BinarySearchFunc(members, smx.ClientID(client), smx.ClientID.Compare)
		return has, err
	}
	args := []any{store.TextArg("name", c.Name), store.UintArg("revision", c.Revision),
		store.TextArg("client", client.String())}
	err = s.store.EachRow(ctx, hasMemberSQL, args, func(scan func(...any) error) error {
		var one uint8
		has = true
		return scan(&one)
	})
	if err != nil {
		return false, fmt.Errorf("look for client %s in collection %s: %w", client, name, err)
	}
	return has, nil
}

// nextRevision is greater than every revision of the name before; clocks only help.
func (s *Service) nextRevision(ctx context.Context, name string, now time.Time) (uint64, error) {
	var last uint64
	if err := s.store.Conn().QueryRow(ctx, revisionSQL, store.TextArg("name", name)).Scan(&last); err != nil {
		return 0, fmt.Errorf("read the revision of collection %s: %w", name, err)
	}
	return max(last+1, uint64(max(now.UnixMicro(), 0))), nil
}

// membersPerInsert is how many members one insert stores.
const membersPerInsert = 100_000

func (s *Service) putMembers(ctx context.Context, c Collection, members []smx.ClientID) error {
	const sql = `INSERT INTO collection_clients (name, revision, client_id)`
	for part := range slices.Chunk(members, membersPerInsert) {
		names, revisions, clients := make([]string, len(part)), make([]uint64, len(part)), make([]uuid.UUID, len(part))
		for i, client := range part {
			names[i], revisions[i], clients[i] = c.Name, c.Revision, uuid.UUID(client)
		}
		if err := s.store.Insert(ctx, sql, names, revisions, clients); err != nil {
			return fmt.Errorf("store the clients of collection %s: %w", c.Name, err)
		}
	}
	return nil
}

func (s *Service) putCollection(ctx context.Context, c Collection, deleted bool) error {
	err := s.store.Insert(ctx, `INSERT INTO collections (name, revision, kind, query, changed_time, deleted)`,
		[]string{c.Name}, []uint64{c.Revision}, []string{c.Kind}, []string{c.Query}, []time.Time{c.Changed},
		[]uint8{store.Flag(deleted)})
	if err != nil {
		return fmt.Errorf("store collection %s: %w", c.Name, err)
	}
	return nil
}

// tidyMembers removes members of revisions that no collection has any more.
func (s *Service) tidyMembers(ctx context.Context, c Collection) error {
	args := []any{store.TextArg("name", c.Name), store.UintArg("revision", c.Revision)}
	if err := s.store.Conn().Exec(ctx, tidyMembersSQL, args...); err != nil {
		return fmt.Errorf("remove the old clients of collection %s: %w", c.Name, err)
	}
	return nil
}
