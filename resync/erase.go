package resync

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"statewire/internal/control"
	"statewire/smx"
	"statewire/store"
)

// Denier refuses the certificates of a client that is erased.
type Denier interface {
	Deny(ctx context.Context, client uuid.UUID) error
}

const (
	// eraseGrace is how long after a client was erased its reports are still taken to be from before: relays learn
	// within that time that its certificate is refused.
	eraseGrace = time.Minute
	// eraseWatch is how long it is looked for with every look. After that the check looks.
	eraseWatch = 24 * time.Hour
)

// EraseResult is what became of a client that was erased.
type EraseResult struct {
	Rows        uint64   `json:"rows"`                  // that were removed
	LastSerial  uint64   `json:"last_serial"`           // it never gives one up to this again
	Waiting     bool     `json:"waiting"`               // reports of it may wait in the inbox: they go when they are loaded
	Collections []string `json:"collections,omitempty"` // whose queries name it
}

// Erase removes a client from every table, once its certificates are refused and the act is recorded. Only the hash of
// its id stays, with its greatest serial. What was on the way before is removed when it is loaded; a client that enrols
// again begins anew, behind its old serials.
func (s *Service) Erase(ctx context.Context, client uuid.UUID, reason string) (out EraseResult, err error) {
	if s.denier == nil {
		return out, control.Invalid("clients are erased by a running site, which refuses their certificates first: start it")
	}
	id := smx.ClientID(client)
	err = s.collections.RecordDelete(ctx, id, reason, func() error {
		if err := s.denier.Deny(ctx, client); err != nil {
			return fmt.Errorf("refuse its certificates: %w", err)
		}
		if err := s.enter(ctx); err != nil {
			return err
		}
		defer s.leave()
		if out, err = s.erase(ctx, id, s.now().UTC()); err != nil {
			return fmt.Errorf("%w; the site goes on with it within a minute", err)
		}
		if out.Collections, err = s.store.queriesNaming(ctx, id); err != nil {
			return err
		}
		s.log.Info("client erased", "rows", out.Rows)
		return s.tellChecked(ctx)
	})
	return out, err
}

// erase removes a client that was erased at a time. It may be done again after it was cut short anywhere.
func (s *Service) erase(ctx context.Context, client smx.ClientID, at time.Time) (out EraseResult, err error) {
	unread, err := s.listing.get(ctx, s.unread)
	if err != nil {
		return out, err
	}
	if out.LastSerial, _, _, err = s.greatest(ctx, client, 0, unread); err != nil {
		return out, err
	}
	out.Waiting = unread.Holds(client)
	if unread.Everybody || unread.Partly && out.Waiting {
		out.LastSerial = min(out.LastSerial+busySkip, smx.MaxSerial)
	}
	if err := s.store.putFloor(ctx, client, out.LastSerial, at); err != nil {
		return out, err
	}
	s.flushing.Lock() // what is on its way to the store is there before the rows go
	s.offers.forget(client)
	s.flushing.Unlock()
	out.Rows, err = s.store.erase(ctx, client)
	return out, err
}

// eraseAgain removes what came back of clients that were erased: reports that waited when they were.
func (s *Service) eraseAgain(ctx context.Context, since time.Time) error {
	var errs []error
	again, err := s.store.erasedAgain(ctx, since)
	for _, one := range again {
		out, err := s.erase(ctx, one.client, one.at)
		errs = append(errs, err)
		s.log.Info("what came late of an erased client removed", "rows", out.Rows)
	}
	return errors.Join(append(errs, err)...)
}

// erased is a client that was erased, and when.
type erased struct {
	client smx.ClientID
	at     time.Time
}

var (
	//go:embed sql/erase_tables.sql
	eraseTablesSQL string
	//go:embed sql/erase_rows.sql
	eraseRowsSQL string
	//go:embed sql/erase.sql
	eraseSQL string
	//go:embed sql/erase_touch.sql
	eraseTouchSQL string
	//go:embed sql/erase_subjects.sql
	eraseSubjectsSQL string
	//go:embed sql/erase_ids.sql
	eraseIDsSQL string
	//go:embed sql/erase_claims.sql
	eraseClaimsSQL string
	//go:embed sql/erase_mark.sql
	eraseMarkSQL string
	//go:embed sql/erase_queries.sql
	eraseQueriesSQL string
	//go:embed sql/erased_again.sql
	erasedAgainSQL string
)

// eraseTopics are the tables that keep something of a topic id, and how it goes where the id was the client's alone.
var eraseTopics = map[string]string{
	"subject_now": eraseSubjectsSQL, "subject_seen": eraseSubjectsSQL,
	"subject_counts": eraseIDsSQL, "subject_days": eraseIDsSQL, "subject_ttr": eraseIDsSQL, "topic_titles": eraseIDsSQL, "title_claims": eraseIDsSQL,
}

// hashOf is what is kept of the id of an erased client.
func hashOf(client smx.ClientID) string {
	sum := sha256.Sum256([]byte(client.UUID()))
	return hex.EncodeToString(sum[:])
}

func (l *storeLedger) putFloor(ctx context.Context, client smx.ClientID, last uint64, at time.Time) error {
	err := l.store.Insert(ctx, `INSERT INTO serial_floors (client_hash, last_serial, erased_time)`,
		[]string{hashOf(client)}, []uint64{last}, []time.Time{at})
	return wrap(err, "keep the last serial of the client")
}

// erase removes the client's rows, and says how many there were.
func (l *storeLedger) erase(ctx context.Context, client smx.ClientID) (rows uint64, err error) {
	conn, id := l.store.Conn(), store.UUIDArg("client", uuid.UUID(client))
	insert := l.store.InsertContext(ctx)
	for _, sql := range []string{eraseMarkSQL, eraseTouchSQL} {
		if err := conn.Exec(insert, sql, id); err != nil {
			return 0, wrap(err, "leave the client out of every count")
		}
	}
	for name, sql := range eraseTopics {
		if err := conn.Exec(insert, sql, store.TextArg("table", name), id); err != nil {
			return 0, wrap(err, "remove topic ids of the client alone from "+name)
		}
	}
	var tables []string
	err = l.store.EachRow(ctx, eraseTablesSQL, nil, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		tables = append(tables, name)
		return err
	})
	if err != nil {
		return 0, wrap(err, "list the tables with clients")
	}
	for _, name := range tables {
		table := store.TextArg("table", name)
		var n uint64
		if err := conn.QueryRow(ctx, eraseRowsSQL, table, id).Scan(&n); err != nil {
			return rows, wrap(err, "look for the client in "+name)
		}
		if n == 0 {
			continue
		}
		sql := eraseSQL
		if name == "title_claims" {
			sql = eraseClaimsSQL
		}
		if err := conn.Exec(ctx, sql, table, id); err != nil {
			return rows, wrap(err, "remove the client from "+name)
		}
		rows += n
	}
	return rows - 1, nil // without its own mark
}

// queriesNaming are the collections whose queries name a client.
func (l *storeLedger) queriesNaming(ctx context.Context, client smx.ClientID) (names []string, err error) {
	err = l.store.EachRow(ctx, eraseQueriesSQL, []any{store.TextArg("client", client.UUID())},
		func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			names = append(names, name)
			return err
		})
	return names, wrap(err, "look for queries that name the client")
}

// erasedAgain are the erased clients of whom something is in the store again.
func (l *storeLedger) erasedAgain(ctx context.Context, since time.Time) (list []erased, err error) {
	args := []any{store.TimeArg("since", since), store.UintArg("grace", uint64(eraseGrace/time.Second))}
	err = l.store.EachRow(ctx, erasedAgainSQL, args, func(scan func(...any) error) error {
		var client uuid.UUID
		var heard, at time.Time
		err := scan(&client, &heard, &at)
		list = append(list, erased{smx.ClientID(client), at})
		return err
	})
	return list, wrap(err, "look for erased clients")
}
