package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Condition is what a person has to know of a store beyond that it answers.
type Condition struct {
	Detached   []string  // folders of parts that the engine set aside, below the data directory
	LostParts  uint64    // parts that are gone, not accepted yet
	LostRows   uint64    // rows in them, as last counted
	LostTables []string  // whose they are, in order
	Restored   *Restored // nil: no older copy was put back, or that is over
}

// Restored is how far the clients of a restored store are.
type Restored struct {
	Time       time.Time // when it was recognised
	Copy       time.Time // of which time the copy is; zero: it doesn't say
	Clients    uint64    // that the copy knows
	Gaps       uint64    // clients with an open gap of what came since the copy was made
	Unheard    uint64    // clients of whom nothing came since; those not seen for 30 days before the copy don't count
	Checked    bool      // a gap check has run since
	unaccepted uint64    // clients that were heard of and got no baseline since
}

// Lost says in a sentence what is lost and what to do; empty when nothing is.
func (c Condition) Lost() string {
	if len(c.Detached) == 0 && c.LostParts == 0 {
		return ""
	}
	var said []string
	if c.LostParts > 0 {
		said = append(said, fmt.Sprintf("rows are lost: %d in %s of %s", c.LostRows, count(c.LostParts, "part"),
			strings.Join(c.LostTables, ", ")))
	}
	if n := len(c.Detached); n > 0 {
		text := fmt.Sprintf("the engine set %s aside: %s", count(uint64(n), "damaged part"), c.Detached[0])
		if n > 1 {
			text += fmt.Sprintf(" and %d more", n-1)
		}
		said = append(said, text)
	}
	return strings.Join(said, "; ") +
		"; next: \"When the store is damaged\" in docs/store.md, then `statewire store accept-loss`"
}

// Warning says in a sentence that the store is restored and what to do; empty when it
// isn't.
func (c Condition) Warning() string {
	r := c.Restored
	if r == nil {
		return ""
	}
	text := "from a copy of an unknown time"
	if r.Copy.Unix() > 0 {
		text = "from a copy of " + r.Copy.UTC().Format("2006-01-02 15:04Z")
	}
	if r.Checked {
		text += fmt.Sprintf("; %d of %s a gap since", r.Gaps, count(r.Clients, "client")+
			map[bool]string{true: " has", false: " have"}[r.Clients == 1])
	} else {
		text += fmt.Sprintf("; no gap check has run yet, so nobody knows which of %s a gap", count(r.Clients, "client")+
			map[bool]string{true: " has", false: " have"}[r.Clients == 1])
	}
	if r.Unheard > 0 {
		text += fmt.Sprintf(", %d were not heard of yet", r.Unheard)
	}
	if r.Gaps+r.Unheard == 0 {
		return text + "; every client was heard of: this ends by itself after the next gap check"
	}
	return text + "; states can be asked for again, replaced states in between are lost; " +
		"next: `statewire resync check --dry-run`, then wait, or `statewire resync accept --all`"
}

func count(n uint64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

//go:embed condition.sql
var conditionSQL string

//go:embed restored.sql
var restoredSQL string

// Condition asks the store what happened to it. In a store of an older schema only
// parts that are set aside are known.
func (s *Store) Condition(ctx context.Context) (Condition, error) {
	var c Condition
	err := s.each(ctx, "SELECT path FROM system.detached_parts WHERE database = currentDatabase() ORDER BY path",
		func(scan func(...any) error) error {
			var path string
			if err := scan(&path); err != nil {
				return err
			}
			c.Detached = append(c.Detached, s.below(path))
			return nil
		})
	if err != nil {
		return c, fmt.Errorf("look for parts that are set aside: %w", err)
	}
	var r Restored
	var restored bool
	err = s.conn.QueryRow(ctx, conditionSQL).Scan(&c.LostParts, &c.LostRows, &c.LostTables, &r.Time, &r.Copy, &restored)
	var refused *clickhouse.Exception
	if errors.As(err, &refused) && refused.Code == unknownTable {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("read what happened to the store: %w", err)
	}
	if !restored {
		return c, nil
	}
	row := s.conn.QueryRow(ctx, restoredSQL, TimeArg("restored", r.Time), TimeArg("copied", r.Copy),
		TimeArg("now", s.clock()))
	if err := row.Scan(&r.Clients, &r.Gaps, &r.Unheard, &r.unaccepted, &r.Checked); err != nil {
		return c, fmt.Errorf("count the clients of the restored store: %w", err)
	}
	c.Restored = &r
	return c, nil
}

// below writes a path as it is below the data directory: where that is, is nobody's
// business who only reads pages.
func (s *Store) below(path string) string {
	if root, err := filepath.Abs(s.dir); err == nil && s.dir != "" {
		if rel, err := filepath.Rel(root, filepath.Clean(path)); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}

// unknownTable is the engine's code for it.
const unknownTable = 60

// attend shows the condition as metrics and ends the time after a restore: when nobody
// has a gap and everybody was heard of before the last gap check, or got a baseline.
func (s *Store) attend(ctx context.Context) error {
	c, err := s.Condition(ctx)
	if err != nil {
		return err
	}
	s.metrics.show(c)
	r, k := c.Restored, s.keeper
	if r == nil || k == nil {
		return nil
	}
	if r.Gaps+r.Unheard > 0 {
		k.heardSince = time.Time{}
		return nil
	}
	now := s.clock()
	if k.heardSince.IsZero() {
		k.heardSince = now
	}
	var checked time.Time
	if err := s.conn.QueryRow(ctx, "SELECT max(checked_time) FROM resync_clock").Scan(&checked); err != nil {
		return fmt.Errorf("read the time of the last gap check: %w", err)
	}
	if r.unaccepted > 0 && !checked.After(k.heardSince) {
		return nil
	}
	var events storeEvents
	events.add("settled", "", fmt.Sprint(k.mark.Number), 0, now, now)
	if err := s.insertEvents(ctx, events); err != nil {
		return err
	}
	s.metrics.show(Condition{Detached: c.Detached, LostRows: c.LostRows})
	s.log.Info("every gap since the store was restored is closed or accepted", "restored", r.Time)
	return nil
}

// AcceptLoss ends the alarm about what is lost, which stays lost. Parts that the engine
// set aside go to the folder store.lost of the data directory; nothing is deleted. It
// returns the condition that was accepted.
func (s *Store) AcceptLoss(ctx context.Context) (Condition, error) {
	if len(s.cfg.Addr) > 0 {
		return Condition{}, errors.New("the store is a server's: restore or drop its detached parts there")
	}
	c, err := s.Condition(ctx)
	if err != nil {
		return c, err
	}
	for _, path := range c.Detached {
		if err := moveLost(path, s.dir); err != nil {
			return c, err
		}
	}
	var events storeEvents
	now := s.clock()
	events.add("accepted", "", now.UTC().Format(time.RFC3339Nano), c.LostRows, now, now)
	return c, s.insertEvents(ctx, events)
}

// moveLost moves one part's folder; the table's folder says whose it was.
func moveLost(path, dir string) error {
	table := filepath.Base(filepath.Dir(filepath.Dir(filepath.Clean(path))))
	folder := filepath.Join(dir, "store.lost", table)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make the folder of lost parts: %w", err)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if err := os.Rename(path, filepath.Join(folder, filepath.Base(path))); err != nil {
		return fmt.Errorf("move a damaged part away; do it by hand and accept again: %w", err)
	}
	return nil
}
