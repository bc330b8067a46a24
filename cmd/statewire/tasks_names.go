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

// knownNames are the computers' names of clients and the names of notification servers, as far as they are known.
type knownNames struct {
	clients map[uuid.UUID]string
	servers map[uint32]string
}

//go:embed names_of_clients.sql
var namesOfClientsSQL string

//go:embed names_of_servers.sql
var namesOfServersSQL string

// namesOf looks up the names of the clients and servers in these steps. A store that is away costs the names, and
// nothing else.
func (g *globals) namesOf(ctx context.Context, steps []manager.StepStatus) knownNames {
	names := knownNames{map[uuid.UUID]string{}, map[uint32]string{}}
	if len(steps) == 0 {
		return names
	}
	db, _, err := commandStore(ctx, g)
	if err != nil {
		return names
	}
	defer db.Close()
	if err := names.readServers(ctx, db); err != nil {
		return names
	}
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
		if name := names.clients[s.Client]; name != "" {
			meant[i] = "client " + name
		}
	}
	return meant
}

func (n knownNames) read(ctx context.Context, db *store.Store, steps []manager.StepStatus) error {
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
		n.clients[id] = name
	}
	return rows.Err()
}

func (n knownNames) readServers(ctx context.Context, db *store.Store) error {
	rows, err := db.ReadOnly().Query(ctx, namesOfServersSQL)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id uint32
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return err
		}
		n.servers[id] = name
	}
	return rows.Err()
}
