// Package storetest gives a test its own migrated database on the real engine: at
// most one engine runs per test process, and no test sees another's rows.
package storetest

import (
	"sync"
	"sync/atomic"
	"testing"

	"statewire/store"
)

var (
	numbers atomic.Int64
	shared  = sync.OnceValues(startEngine)
)

// New returns an open store with an empty database of its own, emptied for another
// test when this one ends. The engine library must be there: `make engine`.
func New(t testing.TB) *store.Store { return NewWith(t, store.DefaultConfig(), store.Options{}) }

// NewWith is New with settings of the test's own; the database and the data
// directory are chosen here, and the test owns the store.
func NewWith(t testing.TB, cfg store.Config, opt store.Options) *store.Store {
	t.Helper()
	owner := Owner(t)
	like, err := migrated()
	if err != nil {
		t.Fatalf("read the template of test databases: %v", err)
	}
	database, copied := "", fits(cfg, opt)
	if !copied {
		database = newName()
	} else if database, err = like.take(t.Context(), owner); err != nil {
		t.Fatalf("make a test database: %v", err)
	}
	cfg.Database, opt.Access = database, store.Own
	s, err := store.Share(t.Context(), owner, cfg, opt)
	if err != nil {
		t.Fatalf("open a test database: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the test store: %v", err)
		}
		if err := like.leave(owner, database, copied && !t.Failed()); err != nil {
			t.Errorf("leave the test database: %v", err)
		}
	})
	return s
}

// Again opens the database of s once more, as a second start of the program does.
func Again(t testing.TB, s *store.Store) (*store.Store, error) {
	return AgainWith(t, s, store.DefaultConfig(), store.Options{})
}

// AgainWith is Again with settings of the test's own. Without an access it owns the store.
func AgainWith(t testing.TB, s *store.Store, cfg store.Config, opt store.Options) (*store.Store, error) {
	t.Helper()
	owner, err := shared()
	if err != nil {
		return nil, err
	}
	cfg.Database = s.Database()
	if opt.Access == store.Look {
		opt.Access = store.Own
	}
	again, err := store.Share(t.Context(), owner, cfg, opt)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := again.Close(); err != nil {
			t.Errorf("close the test store: %v", err)
		}
	})
	return again, nil
}

// Owner is the store that runs the engine of this test process. With -short there is none, and the test is skipped.
func Owner(t testing.TB) *store.Store {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the engine")
	}
	owner, err := shared()
	if err != nil {
		t.Fatalf("start the engine for tests: %v", err)
	}
	return owner
}
