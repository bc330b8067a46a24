package store

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
)

//go:embed dbo.sql
var dboSQL string

// linkDBO makes the views that queries written for ConfigMgr look for in the
// database dbo. They point to this store's tables, whatever its database is called.
func (s *Store) linkDBO(ctx context.Context) error {
	there, err := s.names(ctx)
	if err != nil {
		return err
	}
	text := strings.NewReplacer("{cluster}", s.onCluster(), "{database}", s.cfg.Database).Replace(dboSQL)
	for _, statement := range strings.Split(text, ";\n") {
		statement = strings.TrimRight(statement, ";\n")
		_, of, isView := strings.Cut(statement, "FROM "+s.cfg.Database+".")
		if statement == "" || isView && !there[of] { // there is no such thing before a later step
			continue
		}
		if err := s.conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("make the views of database dbo: %w", err)
		}
	}
	return nil
}

// names are the tables and views that there are.
func (s *Store) names(ctx context.Context) (map[string]bool, error) {
	there := map[string]bool{}
	err := s.each(ctx, "SELECT name FROM system.tables WHERE database = currentDatabase()",
		func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			there[name] = true
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	return there, nil
}
