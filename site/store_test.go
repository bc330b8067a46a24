package site

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"statewire/store"
)

// migrating is a store whose schema is led to the last step at some time, or whose engine goes away.
type migrating struct {
	found store.Schema
	done  time.Time // zero: never
	err   error
}

func (m migrating) SchemaAtOpen() store.Schema { return m.found }

func (m migrating) Schema(context.Context) (store.Schema, error) {
	if !m.done.IsZero() && !time.Now().Before(m.done) {
		m.found.Found = m.found.Known
	}
	return m.found, m.err
}

// A process without the ingest role waits for the schema, two minutes at most, and then takes it as it is.
func TestTheSchemaIsAwaitedForTwoMinutes(t *testing.T) {
	gone := errors.New("the engine is gone")
	tests := []struct {
		name  string
		found int64
		after time.Duration // until it is migrated; 0: never
		err   error
		waits time.Duration
	}{
		{"a schema of this version", 59, 0, nil, 0},
		{"one that is migrated after a while", 58, 7 * time.Second, nil, 7 * time.Second},
		{"one that is migrated in the last second", 58, schemaWait, nil, schemaWait},
		{"one that nobody migrates", 58, 0, nil, schemaWait},
		{"one whose engine goes away", 58, 0, gone, busyRetry},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				m := migrating{found: store.Schema{Found: tt.found, Known: 59}, err: tt.err}
				if tt.after > 0 {
					m.done = began.Add(tt.after)
				}
				err := awaitSchema(t.Context(), m, slog.New(slog.DiscardHandler))
				if waited := time.Since(began); !errors.Is(err, tt.err) || waited != tt.waits {
					t.Errorf("it waited %s and said %v, want %s and %v", waited, err, tt.waits, tt.err)
				}
			})
		})
	}
}

// A person who stops the site does not wait for the schema.
func TestAStopEndsTheWaitForTheSchema(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer stop()
		m := migrating{found: store.Schema{Found: 58, Known: 59}}
		if err := awaitSchema(ctx, m, slog.New(slog.DiscardHandler)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
	})
}
