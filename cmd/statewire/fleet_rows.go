package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"statewire/fleet"
	"statewire/internal/serials"
	"statewire/store"
)

//go:embed fleet_states.sql
var fleetStatesSQL string

//go:embed fleet_ranges.sql
var fleetRangesSQL string

// byClient reads rows that come in the order of client ids, one client at a time.
type byClient[T any] struct {
	rows   driver.Rows
	scan   func(driver.Rows) (client string, row T, err error)
	client string // of next
	next   T
	more   bool
}

// readByClient begins to read; only names the one client wanted, empty is all.
func readByClient[T any](ctx context.Context, db *store.Store, sql, only string,
	scan func(driver.Rows) (string, T, error)) (*byClient[T], error) {
	rows, err := db.Conn().Query(ctx, sql, clickhouse.Named("client", only))
	if err != nil {
		return nil, fmt.Errorf("read what the site holds: %w", err)
	}
	b := &byClient[T]{rows: rows, scan: scan}
	if err := b.advance(); err != nil {
		return nil, errors.Join(err, rows.Close())
	}
	return b, nil
}

func (b *byClient[T]) advance() (err error) {
	if b.more = b.rows.Next(); !b.more {
		err = b.rows.Err()
	} else {
		b.client, b.next, err = b.scan(b.rows)
	}
	if err != nil {
		return fmt.Errorf("read what the site holds: %w", err)
	}
	return nil
}

// of returns the rows of a client. Those of clients before it are passed over: they are not of the fleet.
func (b *byClient[T]) of(client string) (rows []T, err error) {
	for b.more && b.client <= client {
		if b.client == client {
			rows = append(rows, b.next)
		}
		if err := b.advance(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (b *byClient[T]) close() error { return b.rows.Close() }

func scanState(rows driver.Rows) (client string, s fleet.SiteState, err error) {
	var unconfirmed uint8
	err = rows.Scan(&client, &s.TopicType, &s.TopicID, &s.StateID, &s.Params, &s.Time, &s.Serial, &s.Hash, &unconfirmed)
	s.Unconfirmed = unconfirmed == 1
	return client, s, err
}

func scanRange(rows driver.Rows) (client string, r serials.Run, err error) {
	err = rows.Scan(&client, &r.First, &r.Last)
	return client, r, err
}
