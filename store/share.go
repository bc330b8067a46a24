package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Share opens another database of the engine that owner runs, with the access that
// opt says. Closing it leaves the engine to owner.
func Share(ctx context.Context, owner *Store, cfg Config, opt Options) (*Store, error) {
	if owner.engine == nil {
		return nil, errors.New("share a store: the owner runs no engine")
	}
	s, opt, err := newStore(cfg, opt)
	if err != nil {
		return nil, err
	}
	s.options, s.shares = cfg.transportOptions(owner.engine), true
	if err := s.ready(ctx, opt); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// ready connects, and does to the schema what the access allows.
func (s *Store) ready(ctx context.Context, opt Options) (err error) {
	if s.found, err = s.Schema(ctx); err != nil {
		return err
	}
	if s.found.Found == 0 {
		if err := s.makeDatabase(ctx, opt); err != nil {
			return err
		}
	}
	if err := s.connect(); err != nil {
		return err
	}
	standing, err := s.compare(ctx, opt)
	if err != nil {
		return err
	}
	migrates, err := s.admit(ctx, opt.Access)
	if err == nil && migrates {
		err = s.bringUp(ctx, opt)
	}
	if err == nil {
		err = s.settle(ctx, opt, standing)
	}
	if err != nil {
		return err
	}
	if err := s.reportCondition(ctx); err != nil {
		return err
	}
	if s.readOnly, err = clickhouse.Open(s.readOnlyOptions()); err != nil {
		return fmt.Errorf("open the read-only connections: %w", err)
	}
	return nil
}

// bringUp leads the schema to the last step and fills what every store has.
func (s *Store) bringUp(ctx context.Context, opt Options) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if err := s.tune(ctx); err != nil {
		return err
	}
	if s.found.Found == 0 { // nothing is there that a retention could drop
		if err := s.applyRetention(ctx, s.cfg.Retention); err != nil {
			return err
		}
	}
	if err := s.linkDBO(ctx); err != nil {
		return err
	}
	if err := s.loadCatalog(ctx, opt.Catalog); err != nil {
		return err
	}
	return s.loadClasses(ctx, opt.Classes)
}
