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
	text := strings.NewReplacer("{cluster}", s.onCluster(), "{database}", s.cfg.Database).Replace(dboSQL)
	for _, statement := range strings.Split(text, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if err := s.conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("make the views of database dbo: %w", err)
		}
	}
	return nil
}
