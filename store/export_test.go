package store

import (
	"context"
	"time"
)

// ForCluster shows the tests what a cluster gets.
var ForCluster = forCluster

// HistoryStep is one look at the retention.
var HistoryStep = (*Store).historyStep

// PruneAtOnce sets how many rows one mutation removes.
func PruneAtOnce(s *Store, rows int) { s.pruneRows = rows }

// SetRetention is a restart with another configuration.
func SetRetention(s *Store, keep time.Duration) { s.cfg.Retention = keep }

// LookNow compares a store with its mark now.
func LookNow(ctx context.Context, s *Store) error { return s.look(ctx) }

// What the busy tables are given.
var (
	Steady     = steady
	Thrift     = thrift
	HasSetting = hasSetting
)
