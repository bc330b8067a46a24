package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the store itself. Inserts are counted by who makes them.
type metrics struct {
	brokenParts prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		brokenParts: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "statewire_store_broken_parts",
			Help: "Parts that the engine found broken and set aside, as of the last start. Not zero: rows are missing.",
		}),
	}
	if reg == nil {
		return m
	}
	var earlier prometheus.AlreadyRegisteredError
	if err := reg.Register(m.brokenParts); errors.As(err, &earlier) { // Open is tried again while the engine is in use
		m.brokenParts, _ = earlier.ExistingCollector.(prometheus.Gauge)
	}
	return m
}

// reportBroken makes it known when the engine set parts aside by itself: nothing may
// disappear silently.
func (s *Store) reportBroken(ctx context.Context) error {
	var broken uint64
	row := s.conn.QueryRow(ctx, "SELECT count() FROM system.detached_parts WHERE database = currentDatabase() AND reason LIKE '%broken%'")
	if err := row.Scan(&broken); err != nil {
		return fmt.Errorf("look for broken parts: %w", err)
	}
	s.metrics.brokenParts.Set(float64(broken))
	if broken > 0 {
		s.log.Error("the store lost rows: parts are broken and set aside", "parts", broken, "table", "system.detached_parts")
	}
	return nil
}
