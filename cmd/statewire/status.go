package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	summaries "statewire/reports/summary"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/configs"
	"statewire/inbox"
	"statewire/site"
	"statewire/store"
)

// check is one line of `status`.
type check struct {
	name   string
	health cli.Health
	detail string
}

// Ages and sizes of a backlog that administrators watch for: asks.md counts files in the thousands and hours as
// trouble.
const (
	backlogWarning  = 30 * time.Minute
	backlogCritical = 3 * time.Hour
)

func statusCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "health of a site; exit code 0 ok, 1 warning, 2 critical, 3 unknown",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := g.Config(nil)
			if err != nil {
				return &cli.ExitStatus{Code: int(cli.HealthUnknown), Err: errors.New(cli.OneLine(err))}
			}
			if err := g.needData(cfg); err != nil {
				return &cli.ExitStatus{Code: int(cli.HealthUnknown), Err: err}
			}
			checks := g.checks(cmd.Context(), cfg)
			worst, rows := cli.HealthOK, make([][]any, len(checks))
			for i, c := range checks {
				worst = cli.Worse(worst, c.health)
				rows[i] = []any{c.name, c.health.String(), c.detail}
			}
			if err := cli.WriteRecords(cmd.OutOrStdout(), g.Format, []string{"check", "health", "detail"}, rows); err != nil {
				return err
			}
			if worst == cli.HealthOK {
				return nil
			}
			return &cli.ExitStatus{Code: int(worst)}
		},
	}
}

func (g *globals) checks(ctx context.Context, cfg configs.Config) []check {
	running := g.checkRoles()
	checks := []check{running}
	checks = append(checks, g.checkInbox(cfg, running.health == cli.HealthOK)...)
	checks = append(checks, g.refusedCheck(time.Now())...)
	checks = append(checks, g.trustCheck(time.Now())...)
	checks = append(checks, g.identityChecks(ctx, cfg, time.Now())...)
	checks = append(checks, g.presenceChecks(ctx, cfg, time.Now())...)
	checks = append(checks, g.presenceBoxChecks()...)
	return append(checks, g.checkStore(ctx, cfg)...)
}

// checkRoles says which roles run on the data directory. None is a warning: `ingest --once` can do without.
func (g *globals) checkRoles() check {
	var up []string
	for _, role := range site.AllRoles {
		if pid := site.Holder(g.Data, role); pid != 0 {
			up = append(up, fmt.Sprintf("%s (process %d)", role, pid))
		}
	}
	if len(up) == 0 {
		return check{"roles", cli.HealthWarning, "no role runs on this data directory; start one with `statewire serve`"}
	}
	return check{"roles", cli.HealthOK, strings.Join(up, ", ")}
}

func (g *globals) checkInbox(cfg configs.Config, running bool) []check {
	switch there, err := isThere(filepath.Join(site.InboxRoot(g.Data), "incoming")); {
	case err != nil:
		return []check{{"inbox", cli.HealthCritical, err.Error()}}
	case !there && running:
		return []check{{"inbox", cli.HealthCritical,
			"the inbox is not there: put its folder back, or make a new one; no restart is needed"}}
	case !there:
		return []check{{"inbox", cli.HealthCritical,
			"the inbox is not there: is --data the site's? If it is, `statewire serve` makes a new inbox"}}
	}
	dir, err := site.LookInbox(g.Data, cfg, g.Quiet())
	if err != nil {
		return []check{{"inbox", cli.HealthUnknown, err.Error()}}
	}
	defer dir.Close()
	stats, err := dir.Stats()
	if err != nil {
		return []check{{"inbox", cli.HealthUnknown, err.Error()}}
	}
	now := time.Now()
	waiting := stats.Waiting()
	checks := []check{backlogCheck(waiting, now, site.HasLoader(g.Data)), corruptCheck(stats.Corrupt, now),
		foreignCheck(stats), diskCheck(dir, cfg)}
	if stats.Loaded.Files > 0 {
		checks = append(checks, staysCheck("loaded", stats.Loaded.Files, stats.LoadedNames, "stored but cannot be deleted",
			"delete them, or let the site's user delete in that folder"))
	}
	if stats.Stuck.Files > 0 {
		checks = append(checks, staysCheck("stuck", stats.Stuck.Files, stats.StuckNames, "bad but cannot be set aside",
			"move them away, or let the site's user move them to corrupt"))
	}
	return checks
}

// staysCheck names the files that the loader is done with and that stay where they are.
func staysCheck(name string, files int, names []string, what, advice string) check {
	const named = 3
	names = names[:min(named, len(names))]
	c := check{name, cli.HealthWarning, fmt.Sprintf("%s %s: %s", cli.FmtCount(files, "file"), what, quoted(names))}
	if more := files - len(names); more > 0 {
		c.detail += fmt.Sprintf(" and %d more", more)
	}
	c.detail += "; " + advice + " (look for an immutable file, a sticky or read-only folder)"
	return c
}

// quoted lists names that anybody may have chosen, safe for a terminal.
func quoted(names []string) string {
	var list []string
	for _, name := range names {
		list = append(list, strconv.Quote(name))
	}
	return strings.Join(list, ", ")
}

func backlogCheck(waiting inbox.Box, now time.Time, loader bool) check {
	age := waiting.Age(now)
	c := check{"backlog", cli.HealthOK, fmt.Sprintf("%s waiting, %s", cli.FmtCount(waiting.Files, "file"),
		fmtBytes(waiting.Bytes))}
	if waiting.Files > 0 {
		c.detail += ", oldest " + age.Round(time.Second).String()
	}
	if text := site.NoLoader(waiting, now, loader); text != "" {
		return check{"backlog", cli.HealthCritical, text}
	}
	switch {
	case age > backlogCritical:
		c.health = cli.HealthCritical
	case age > backlogWarning, waiting.Files > 0 && !loader:
		c.health = cli.HealthWarning
	}
	return c
}

func corruptCheck(corrupt inbox.Box, now time.Time) check {
	c := check{"corrupt", cli.HealthOK, cli.FmtCount(corrupt.Files, "file") + " set aside"}
	if corrupt.Files > 0 {
		c.health = cli.HealthWarning
		c.detail += ", oldest " + corrupt.Age(now).Round(time.Second).String() + "; `statewire dead list` says why"
	}
	return c
}

func foreignCheck(stats inbox.Stats) check {
	n := 0
	for _, count := range stats.Foreign {
		n += count
	}
	if n == 0 {
		return check{"foreign", cli.HealthOK, "nothing in the inbox but SMX files"}
	}
	return check{"foreign", cli.HealthWarning,
		fmt.Sprintf("%d entries that are no SMX files lie in the inbox and are left alone: %s",
			n, quoted(stats.ForeignNames))}
}

func diskCheck(dir *inbox.Dir, cfg configs.Config) check {
	bytes, inodes, err := dir.Free()
	if err != nil {
		return check{"disk", cli.HealthUnknown, err.Error()}
	}
	c := check{"disk", cli.HealthOK, fmt.Sprintf("%s and %d inodes free", fmtBytes(int64(bytes)), inodes)}
	if bytes < uint64(cfg.Relay.DiskReserve) || inodes < uint64(cfg.Relay.InodeReserve) {
		c.health = cli.HealthCritical
		c.detail += fmt.Sprintf("; the relay refuses reports below %s", fmtBytes(cfg.Relay.DiskReserve))
	}
	return c
}

// clientCountSQL counts the clients that are not retired, and says when anybody reported last.
const clientCountSQL = `SELECT countIf(client_id NOT IN (SELECT client_id FROM retired_clients)),
	maxOrNull(last_report_time) FROM clients`

func (g *globals) checkStore(ctx context.Context, cfg configs.Config) []check {
	db, err := g.openStore(ctx, cfg, store.Look, g.Quiet())
	if errors.Is(err, store.ErrNotServed) {
		return []check{g.unserved()}
	}
	if err != nil {
		return []check{{"store", cli.HealthCritical, err.Error()}}
	}
	defer db.Close()
	var clients, states uint64
	var last *time.Time
	err = errors.Join(
		db.ReadOnly().QueryRow(ctx, clientCountSQL).Scan(&clients, &last),
		db.ReadOnly().QueryRow(ctx, "SELECT count() FROM current_states").Scan(&states))
	if err != nil {
		return []check{{"store", cli.HealthCritical, err.Error()}}
	}
	c := check{"store", cli.HealthOK, fmt.Sprintf("engine %s, %s, %s", db.Version(), cli.FmtCount(int(clients), "client"),
		cli.FmtCount(int(states), "current state"))}
	checks := append(append([]check{c}, storeChecks(ctx, db)...), factChecks(ctx, db)...)
	if last == nil {
		return append(checks, check{"reports", cli.HealthOK, "no report was loaded yet"})
	}
	return append(checks, check{"reports", cli.HealthOK, "last report loaded came " +
		time.Since(*last).Round(time.Second).String() + " ago"}, summaryCheck(ctx, db), daysCheck(ctx, db))
}

// folderBytes adds up the files below a folder, as far as they can be seen.
func folderBytes(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // a part that was merged away, or no store at all
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		return nil
	})
	return total
}

// fmtBytes writes a size for a person.
func fmtBytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, exp := float64(n)/unit, 0
	for value >= unit && exp < 4 {
		value, exp = value/unit, exp+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[exp])
}

// daysCheck says whether compliance over time can be asked for.
func daysCheck(ctx context.Context, db *store.Store) check {
	made, days, err := summaries.DaysBehind(ctx, db.ReadOnly())
	switch {
	case err != nil:
		return check{"days", cli.HealthUnknown, err.Error()}
	case !made:
		return check{"days", cli.HealthOK, "history is being prepared from the stored messages: nothing is answered as of a date yet"}
	case days > 1:
		return check{"days", cli.HealthOK, fmt.Sprintf("%d of the last 90 are being counted", days)}
	}
	return check{"days", cli.HealthOK, "all that are over are counted"}
}

// oldSummary is the age from which somebody should look why no summary is made; one of a large site takes its time.
const oldSummary = time.Hour

// summaryCheck says how far the counts of topics are behind what is stored.
func summaryCheck(ctx context.Context, db *store.Store) check {
	age, err := summaries.Age(ctx, db.ReadOnly())
	switch {
	case err != nil:
		return check{"summary", cli.HealthUnknown, err.Error()}
	case age == 0:
		return check{"summary", cli.HealthOK, "holds all that is stored"}
	case age > 365*24*time.Hour:
		return check{"summary", cli.HealthOK,
			"not made yet: `serve` with the role ingest makes it, answers count for themselves"}
	case age > oldSummary:
		return check{"summary", cli.HealthWarning, age.String() +
			" behind; the log of the process with the ingest role says why"}
	}
	return check{"summary", cli.HealthOK, age.String() + " behind"}
}
