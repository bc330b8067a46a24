package main

import (
	"context"
	_ "embed"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"statewire/notifier/manager"
	"statewire/store"
)

// clientNames are the computers' names of clients, as far as they are known.
type clientNames map[uuid.UUID]string

//go:embed names_of_clients.sql
var namesOfClientsSQL string

// namesOf looks up the names of the clients in these steps. A store that is away costs the names, and nothing else.
func (g *globals) namesOf(ctx context.Context, steps []manager.StepStatus) clientNames {
	names := clientNames{}
	if len(steps) == 0 {
		return names
	}
	db, _, err := commandStore(ctx, g)
	if err != nil {
		return names
	}
	defer db.Close()
	for part := range slices.Chunk(steps, namesPerQuery) {
		if err := names.read(ctx, db, part); err != nil {
			break
		}
	}
	return names
}

func (n clientNames) read(ctx context.Context, db *store.Store, steps []manager.StepStatus) error {
	ids := make([]string, len(steps))
	for i, s := range steps {
		ids[i] = s.Client.String()
	}
	rows, err := db.ReadOnly().Query(ctx, namesOfClientsSQL, clickhouse.Named("ids", strings.Join(ids, "\n")))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return err
		}
		n[id] = name
	}
	return rows.Err()
}
