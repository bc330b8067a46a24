package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/internal/refusals"
	"statewire/site"
	"statewire/store"
)

var (
	//go:embed paused_topics.sql
	pausedTopicsSQL string
	//go:embed wrong_clocks.sql
	wrongClocksSQL string
)

// factChecks are the lines of `status` about what somebody decided, or what clients are like. Nothing is wrong with the
// site then, and yet it explains what the site shows. A store that a newer program has yet to migrate has none.
func factChecks(ctx context.Context, db *store.Store) []check {
	if db.SchemaAtOpen().Older() {
		return nil
	}
	return []check{told(ctx, "topics", db, pausedTopics), told(ctx, "clocks", db, wrongClocks)}
}

func told(ctx context.Context, name string, db *store.Store, ask func(context.Context, *store.Store) (string,
	error)) check {
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
	text := "policies pause " + cli.FmtCount(len(list), "topic type") + ": " + strings.Join(list[:min(named, len(list))],
		"; ")
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
	return fmt.Sprintf("%s sent messages in the last 24 hours whose time can't be right; `statewire report "+
		"wrong-clocks` names them",
		cli.FmtCount(int(clients), "client")), nil
}

// refusedLately is how long a refusal that nothing followed wants to be looked at.
const refusedLately = 24 * time.Hour

// refusedCheck says of how many clients the relay refused the last report, and the latest of them. A folder in which no
// relay ran has no such line.
func (g *globals) refusedCheck(now time.Time) []check {
	all, err := refusals.Read(site.RefusedFile(g.Data))
	if err != nil {
		return []check{{"refused", cli.HealthUnknown, err.Error()}}
	}
	var latest refusals.Refusal
	clients := 0
	for _, r := range all {
		if r.Over() {
			continue
		}
		if clients++; r.Time.After(latest.Time) {
			latest = r
		}
	}
	switch {
	case all == nil:
		return nil
	case clients == 0:
		return []check{{"refused", cli.HealthOK, "a later report was taken of each client whose report was refused"}}
	}
	c := check{"refused", cli.HealthOK,
		fmt.Sprintf("the relay refused the last report of %s, the latest %s ago: %s; `statewire report refused-reports`",
			cli.FmtCount(clients, "client"), now.Sub(latest.Time).Round(time.Second), latest.Code)}
	if now.Sub(latest.Time) < refusedLately {
		c.health = cli.HealthWarning
	}
	return []check{c}
}

// unserved is the check of a store that no process serves.
func (g *globals) unserved() check {
	for _, role := range site.StoreRoles {
		pid := site.Holder(g.Data, role)
		if pid == 0 {
			continue
		}
		why, err := os.ReadFile(site.ProblemFile(g.Data))
		if err == nil {
			return check{"store", cli.HealthCritical, "does not open: " + strings.TrimSpace(string(why))}
		}
		return check{"store", cli.HealthUnknown,
			fmt.Sprintf("process %d has not opened it yet; its log says what it waits for", pid)}
	}
	return check{"store", cli.HealthUnknown, "no site runs; stored bytes " +
		fmt.Sprint(folderBytes(filepath.Join(g.Data, "store")))}
}

// storeChecks are the lines of `status` about what happened to the store.
func storeChecks(ctx context.Context, db *store.Store) []check {
	c, err := db.Condition(ctx)
	if err != nil {
		return []check{{"parts", cli.HealthUnknown, err.Error()}}
	}
	parts := check{"parts", cli.HealthOK, "no part of the store is damaged or lost"}
	if text := c.Lost(); text != "" {
		parts = check{"parts", cli.HealthCritical, text}
	}
	if text := c.Warning(); text != "" {
		return []check{parts, {"restored", cli.HealthWarning, text}}
	}
	return []check{parts}
}
