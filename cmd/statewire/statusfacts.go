package main

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"statewire/cmd/statewire/cli"
	"statewire/store"
)

var (
	//go:embed paused_topics.sql
	pausedTopicsSQL string
	//go:embed wrong_clocks.sql
	wrongClocksSQL string
)

// factChecks are the lines of `status` about what somebody decided, or what clients are like. Nothing is wrong with the site then,
// and yet it explains what the site shows. A store that a newer program has yet to migrate has none.
func factChecks(ctx context.Context, db *store.Store) []check {
	if db.SchemaAtOpen().Older() {
		return nil
	}
	return []check{told(ctx, "topics", db, pausedTopics), told(ctx, "clocks", db, wrongClocks)}
}

func told(ctx context.Context, name string, db *store.Store, ask func(context.Context, *store.Store) (string, error)) check {
	text, err := ask(ctx, db)
	if err != nil {
		return check{name, cli.HealthUnknown, err.Error()}
	}
	return check{name, cli.HealthOK, text}
}

// pausedTopics names the first of the topic types that policies pause.
func pausedTopics(ctx context.Context, db *store.Store) (string, error) {
	const named = 3
	rows, err := db.ReadOnly().Query(ctx, pausedTopicsSQL)
	if err != nil {
		return "", fmt.Errorf("list the paused topics: %w", err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var kind uint32
		var collections []string
		if err := rows.Scan(&kind, &collections); err != nil {
			return "", fmt.Errorf("list the paused topics: %w", err)
		}
		list = append(list, fmt.Sprintf("%d for %s", kind, quoted(collections[:min(named, len(collections))])))
		if more := len(collections) - named; more > 0 {
			list[len(list)-1] += fmt.Sprintf(" and %d more", more)
		}
	}
	if len(list) == 0 {
		return "no topic is paused", rows.Err()
	}
	text := "policies pause " + cli.FmtCount(len(list), "topic type") + ": " + strings.Join(list[:min(named, len(list))], "; ")
	if more := len(list) - named; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text + "; `statewire policy list` shows them", rows.Err()
}

func wrongClocks(ctx context.Context, db *store.Store) (string, error) {
	var clients uint64
	if err := db.ReadOnly().QueryRow(ctx, wrongClocksSQL).Scan(&clients); err != nil {
		return "", fmt.Errorf("count the clients whose clock is wrong: %w", err)
	}
	if clients == 0 {
		return "no message of the last 24 hours has a time that can't be right", nil
	}
	return fmt.Sprintf("%s sent messages in the last 24 hours whose time can't be right; `statewire report wrong-clocks` names them",
		cli.FmtCount(int(clients), "client")), nil
}
