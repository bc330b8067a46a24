package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Rows disappear by merges and by retention all the time, so their number proves
// nothing. What never disappears is a block: every insert has a number, every part
// covers the numbers from its first to its last block, and a merge covers all that its
// sources did. Numbers that a part had and no part has any more are lost, unless all
// their rows were past retention or a mutation may have taken them.

// part is what a part covers.
type part struct {
	Partition string `json:"partition"`
	Min       int64  `json:"min"` // first block
	Max       int64  `json:"max"` // last block
	Version   int64  `json:"version"`
	Rows      uint64 `json:"rows"`
	Newest    int64  `json:"newest"` // time of its newest row, in seconds

	path string // its folder
}

// blocks names the part as it is written in store_events.
func (p part) blocks() string { return fmt.Sprintf("%s_%d_%d", p.Partition, p.Min, p.Max) }

// tableParts are a table's parts of this moment.
type tableParts struct {
	parts   []part
	keep    time.Duration // how long its rows are kept; 0 for ever
	mutated int64         // number of the newest mutation
}

//go:embed parts.sql
var partsSQL string

//go:embed tables.sql
var tablesSQL string

// tables reads every table with its parts.
func (s *Store) tables(ctx context.Context) (map[string]*tableParts, error) {
	all := map[string]*tableParts{}
	err := s.each(ctx, tablesSQL, func(scan func(...any) error) error {
		var name, definition string
		var t tableParts
		if err := scan(&name, &definition, &t.mutated); err != nil {
			return err
		}
		t.keep, _ = lifeIn(definition) // a TTL of somebody else's counts as none
		all[name] = &t
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the store's tables: %w", err)
	}
	err = s.each(ctx, partsSQL, func(scan func(...any) error) error {
		var name string
		var p part
		if err := scan(&name, &p.Partition, &p.Min, &p.Max, &p.Version, &p.Rows, &p.Newest, &p.path); err != nil {
			return err
		}
		if t := all[name]; t != nil { // one that was made in between is looked at the next time
			t.parts = append(t.parts, p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the store's parts: %w", err)
	}
	return all, nil
}

// each calls do for every row of a query.
func (s *Store) each(ctx context.Context, sql string, do func(scan func(...any) error) error, args ...any) error {
	rows, err := s.conn.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// lost are the marked parts whose rows no part has any more.
func (t *tableParts) lost(marked []part, now time.Time) (gone []part) {
	for _, m := range marked {
		expired := t.keep > 0 && !time.Unix(m.Newest, 0).Add(t.keep).After(now)
		if !expired && t.mutated <= m.Version && !t.covers(m) {
			gone = append(gone, m)
		}
	}
	return gone
}

// covers says whether parts of this moment have all blocks of m: one part, or the
// sources of a merge whose result the power took. Block numbers between those of
// sources may be another partition's; what the sources lack shows in the rows, which a
// merge never adds.
func (t *tableParts) covers(m part) bool {
	first, last, rows, found := m.Max+1, m.Min-1, uint64(0), 0
	for _, p := range t.parts {
		if p.Partition != m.Partition || p.Max < m.Min || p.Min > m.Max {
			continue
		}
		first, last, rows, found = min(first, p.Min), max(last, p.Max), rows+p.Rows, found+1
	}
	return first <= m.Min && last >= m.Max && (found == 1 || rows >= m.Rows)
}

// lostPart is a part of a table that is gone.
type lostPart struct {
	table string
	part
}

// missing compares the mark with the tables.
func missing(m mark, tables map[string]*tableParts, now time.Time) (gone []lostPart) {
	for name, marked := range m.Tables {
		t := tables[name]
		if t == nil {
			t = &tableParts{}
		}
		for _, p := range t.lost(marked, now) {
			gone = append(gone, lostPart{name, p})
		}
	}
	return gone
}

// unfounded takes the parts out of the tables whose folders are gone from the disk: the
// engine notices that only when it reads them.
func (s *Store) unfounded(ctx context.Context, tables map[string]*tableParts) (gone []lostPart, err error) {
	for name, t := range tables {
		there := t.parts[:0]
		for _, p := range t.parts {
			lacks, err := s.folderGone(ctx, p)
			if err != nil {
				return nil, err
			}
			if lacks {
				gone = append(gone, lostPart{name, p})
			} else {
				there = append(there, p)
			}
		}
		t.parts = there
	}
	return gone, nil
}

// folderGone says whether a part that the engine still counts on has no folder. One that
// was merged or dropped meanwhile doesn't count.
func (s *Store) folderGone(ctx context.Context, p part) (bool, error) {
	if _, err := os.Lstat(filepath.Join(p.path, "checksums.txt")); !errors.Is(err, fs.ErrNotExist) {
		return false, nil // also when it cannot be told
	}
	var active uint64
	row := s.conn.QueryRow(ctx, "SELECT count() FROM system.parts WHERE active AND path = {path:String}",
		TextArg("path", p.path))
	if err := row.Scan(&active); err != nil {
		return false, fmt.Errorf("look for the part %s: %w", p.path, err)
	}
	return active > 0, nil
}
