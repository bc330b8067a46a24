package ingest

import (
	"context"
	"fmt"
	"os"
	"time"
)

// component is the loader's name in the component status, the classic one.
const component = "SMS_STATE_SYSTEM"

// heartbeats records every HeartbeatInterval that the loader is alive, and how long reaching the store took. A store
// that is away misses heartbeats; that they are missing is what they tell.
func (l *Loader) heartbeats(ctx context.Context) {
	ticker := time.NewTicker(l.cfg.HeartbeatInterval)
	defer ticker.Stop()
	for {
		if err := l.heartbeat(ctx); err != nil && ctx.Err() == nil {
			l.log.Warn("heartbeat not recorded", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (l *Loader) heartbeat(ctx context.Context) error {
	at, began := l.now(), time.Now()
	if err := l.store.Conn().Ping(ctx); err != nil {
		return fmt.Errorf("reach the store: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("name this machine: %w", err)
	}
	totals := l.Totals()
	text := fmt.Sprintf("loaded %d files with %d messages since start", totals.Files, totals.Messages)
	return l.insertTable(ctx, table{
		name: "component_status",
		sql:  `INSERT INTO component_status (time, component, host, pid, event, text, processing_ms)`,
		rows: 1,
		blocks: [][]any{{[]time.Time{at}, []string{component}, []string{host}, []uint32{uint32(os.Getpid())},
			[]string{"heartbeat"}, []string{text}, []uint64{uint64(time.Since(began).Milliseconds())}}},
	})
}
