package main

import (
	"context"
	_ "embed"
	"maps"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"statewire/notifier/manager"
	"statewire/smx"
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

// meantBy says for whom each task is: one client by its computer's name, where that is known.
func (g *globals) meantBy(ctx context.Context, list []manager.TaskStatus) []string {
	meant := make([]string, len(list))
	steps := map[int]manager.StepStatus{}
	for i, t := range list {
		meant[i] = t.For
		name, one := strings.CutPrefix(t.For, "client ")
		if id, err := smx.ParseClientID(name); one && err == nil {
			steps[i] = manager.StepStatus{Client: uuid.UUID(id)}
		}
	}
	names := g.namesOf(ctx, slices.Collect(maps.Values(steps)))
	for i, s := range steps {
		if name := names[s.Client]; name != "" {
			meant[i] = "client " + name
		}
	}
	return meant
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
