package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Share opens another database of the engine that owner runs, migrated like the
// first. Closing it leaves the engine to owner.
func Share(ctx context.Context, owner *Store, cfg Config, opt Options) (*Store, error) {
	if owner.engine == nil {
		return nil, errors.New("share a store: the owner runs no engine")
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	opt = opt.withDefaults()
	s := &Store{cfg: cfg, log: opt.Log, clock: opt.Clock, metrics: newMetrics(opt.Registerer)}
	s.options = cfg.transportOptions(owner.engine)
	if err := s.ready(ctx, opt); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// ready connects, migrates and fills what every store has.
func (s *Store) ready(ctx context.Context, opt Options) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if err := s.loadCatalog(ctx, opt.Catalog); err != nil {
		return err
	}
	if err := s.reportBroken(ctx); err != nil {
		return err
	}
	var err error
	if s.readOnly, err = clickhouse.Open(s.readOnlyOptions()); err != nil {
		return fmt.Errorf("open the read-only connections: %w", err)
	}
	return nil
}
