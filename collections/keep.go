package collections

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"statewire/smx"
	"statewire/store"
)

var (
	//go:embed sql/kept_members.sql
	keptMembersSQL string
	//go:embed sql/kept_version.sql
	keptVersionSQL string
	//go:embed sql/forget_kept.sql
	forgetKeptSQL string
)

// Keep brings up to date what the store keeps of the members of every saved query, so that whoever counts a collection
// need not run its query. A query that fails leaves the members that it had, and those of the others are kept.
func (s *Service) Keep(ctx context.Context) error {
	list, err := s.List(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range list {
		if c.Kind != kindQuery {
			continue
		}
		members, err := s.Members(ctx, c)
		if err == nil {
			err = s.keepIfCurrent(ctx, c, members)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// keepIfCurrent keeps members of a collection that nobody changed meanwhile.
func (s *Service) keepIfCurrent(ctx context.Context, c Collection, members []smx.ClientID) error {
	now, err := s.Get(ctx, c.Name)
	if errors.Is(err, ErrNotFound) || err == nil && now.Revision != c.Revision {
		return nil
	}
	if err != nil {
		return err
	}
	return s.keep(ctx, c.Name, members)
}

// keep writes the members of a saved query that are not kept, or are so no more. Members ascend.
func (s *Service) keep(ctx context.Context, name string, members []smx.ClientID) error {
	var kept []smx.ClientID
	err := s.store.EachRow(ctx, keptMembersSQL, []any{store.TextArg("name", name)}, func(scan func(...any) error) error {
		var id uuid.UUID
		err := scan(&id)
		kept = append(kept, smx.ClientID(id))
		return err
	})
	if err != nil {
		return fmt.Errorf("read the kept members of collection %s: %w", name, err)
	}
	slices.SortFunc(kept, smx.ClientID.Compare)
	come, gone := difference(members, kept), difference(kept, members)
	if len(come)+len(gone) == 0 {
		return nil
	}
	var version uint64
	if err := s.store.Conn().QueryRow(ctx, keptVersionSQL).Scan(&version); err != nil {
		return fmt.Errorf("read the version of kept members: %w", err)
	}
	return errors.Join(s.putKept(ctx, name, come, true, version+1), s.putKept(ctx, name, gone, false, version+1))
}

// difference are the clients of a that are not in b; both ascend.
func difference(a, b []smx.ClientID) (out []smx.ClientID) {
	for _, client := range a {
		if _, has := slices.BinarySearchFunc(b, client, smx.ClientID.Compare); !has {
			out = append(out, client)
		}
	}
	return out
}

func (s *Service) putKept(ctx context.Context, name string, clients []smx.ClientID, member bool, version uint64) error {
	for part := range slices.Chunk(clients, membersPerInsert) {
		names, ids := make([]string, len(part)), make([]uuid.UUID, len(part))
		flags, versions := make([]uint8, len(part)), make([]uint64, len(part))
		for i, client := range part {
			names[i], ids[i], flags[i], versions[i] = name, uuid.UUID(client), store.Flag(member), version
		}
		err := s.store.Insert(ctx, `INSERT INTO collection_now (name, client_id, member, version)`, names, ids, flags,
			versions)
		if err != nil {
			return fmt.Errorf("keep %d members of collection %s: %w", len(part), name, err)
		}
	}
	return nil
}

// forgetKept removes the kept members of a collection that is a saved query no more.
func (s *Service) forgetKept(ctx context.Context, name string) error {
	if err := s.store.Conn().Exec(ctx, forgetKeptSQL, store.TextArg("name", name)); err != nil {
		return fmt.Errorf("remove the kept members of collection %s: %w", name, err)
	}
	return nil
}
