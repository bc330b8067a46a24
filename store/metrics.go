package store

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the store itself. Inserts are counted by who makes them.
type metrics struct {
	detachedParts prometheus.Gauge
	lostRows      prometheus.Gauge
	restored      prometheus.Gauge
	restoredGaps  prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{}
	m.detachedParts = gauge(reg, "detached_parts",
		"Parts that the engine found damaged and set aside. Not zero: rows are missing.")
	m.lostRows = gauge(reg, "lost_rows", "Rows that were counted and are gone, until `store accept-loss`.")
	m.restored = gauge(reg, "restored",
		"1 from when an older copy of the store was put back until every gap since is closed or accepted.")
	m.restoredGaps = gauge(reg, "restored_gap_clients",
		"Clients with a gap of what came between the copy and its being put back.")
	return m
}

// metricsRegisterer is where the gauges go: only the keeper knows them of every minute.
func (o Options) metricsRegisterer() prometheus.Registerer {
	if !o.Keep {
		return nil
	}
	return o.Registerer
}

// gauge registers one; a store that is opened again takes the one that is there.
func gauge(reg prometheus.Registerer, name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "statewire_store_" + name, Help: help})
	if reg == nil {
		return g
	}
	var earlier prometheus.AlreadyRegisteredError
	if err := reg.Register(g); errors.As(err, &earlier) {
		g, _ = earlier.ExistingCollector.(prometheus.Gauge)
	}
	return g
}

// show sets them all.
func (m *metrics) show(c Condition) {
	m.detachedParts.Set(float64(len(c.Detached)))
	m.lostRows.Set(float64(c.LostRows))
	m.restored.Set(0)
	m.restoredGaps.Set(0)
	if c.Restored != nil {
		m.restored.Set(1)
		m.restoredGaps.Set(float64(c.Restored.Gaps))
	}
}

// reportCondition makes it known at every start when rows are lost: nothing may
// disappear silently.
func (s *Store) reportCondition(ctx context.Context) error {
	c, err := s.Condition(ctx)
	if err != nil {
		return err
	}
	s.metrics.show(c)
	if text := c.Lost(); text != "" {
		s.log.Error("the store is damaged", "found", text)
	}
	if text := c.Warning(); text != "" {
		s.log.Warn("the store is restored", "found", text)
	}
	return nil
}
