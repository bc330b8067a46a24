package gaps

import (
	"context"
	_ "embed"

	"statewire/internal/serials"
	"statewire/store"

	"github.com/google/uuid"
)

//go:embed sql/conflicts_dropped.sql
var droppedSQL string

//go:embed sql/conflicts_runs.sql
var runsSQL string

//go:embed sql/conflicts_kept.sql
var keptSQL string

//go:embed sql/conflicts_below_retention.sql
var belowRetentionSQL string

// searchBelowRetention adds the new messages that lie below a serial whose message retention has dropped. Only clients
// that are known for longer than the retention can have such serials, and few of those have a new message below one.
func (s *conflictSearch) searchBelowRetention(ctx context.Context, args ...any) error {
	suspects, err := s.suspects(ctx, droppedSQL, args...)
	if err != nil {
		return err
	}
	for _, client := range suspects {
		dropped, err := s.lastDropped(ctx, client)
		if err != nil {
			return err
		}
		err = s.collect(ctx, conflictBelowRetention, belowRetentionSQL, store.UUIDArg("client", client),
			store.UintArg("dropped", dropped), s.since(s.opt))
		if err != nil {
			return err
		}
	}
	return nil
}

// suspects are the clients in a query's first column.
func (s *conflictSearch) suspects(ctx context.Context, sql string, args ...any) ([]uuid.UUID, error) {
	rows, err := s.store.Conn().Query(listed(ctx), sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []uuid.UUID
	for rows.Next() {
		var client uuid.UUID
		var least uint64
		if err := rows.Scan(&client, &least); err != nil {
			return nil, err
		}
		out = append(out, client)
	}
	return out, rows.Err()
}

// lastDropped is the greatest serial of a client that arrived and is neither stored nor set aside; 0 when there is
// none.
func (s *conflictSearch) lastDropped(ctx context.Context, client uuid.UUID) (uint64, error) {
	kept, err := s.store.Conn().Query(ctx, keptSQL, store.UUIDArg("client", client))
	if err != nil {
		return 0, err
	}
	defer kept.Close()
	runs, err := s.store.Conn().Query(ctx, runsSQL, store.UUIDArg("client", client),
		store.TimeArg("settled", s.settled))
	if err != nil {
		return 0, err
	}
	defer runs.Close()
	stored := descending{next: func() (serial uint64, ok bool, err error) {
		if !kept.Next() {
			return 0, false, kept.Err()
		}
		return serial, true, kept.Scan(&serial)
	}}
	low := ^uint64(0) // everything from here on has been looked at
	for runs.Next() {
		var run serials.Run
		if err := runs.Scan(&run.First, &run.Last); err != nil {
			return 0, err
		}
		run.Last = min(run.Last, low-1)
		if run.Last < run.First {
			continue
		}
		low = run.First
		dropped, err := stored.lack(run)
		if err != nil || dropped != 0 {
			return dropped, err
		}
	}
	return 0, runs.Err()
}

// descending are serials from the greatest down.
type descending struct {
	next func() (serial uint64, ok bool, err error)
	at   uint64 // the last one read
	ends bool
}

// lack is the greatest serial of the run that is not among the serials, 0 when all are. Runs come in descending order,
// too.
func (d *descending) lack(run serials.Run) (uint64, error) {
	for want := run.Last; want >= run.First && want > 0; want-- {
		for !d.ends && (d.at == 0 || d.at > want) {
			serial, ok, err := d.next()
			if err != nil {
				return 0, err
			}
			d.at, d.ends = serial, !ok
		}
		if d.ends || d.at != want {
			return want, nil
		}
	}
	return 0, nil
}
