package identity

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// collector counts who has certificates, at each look.
type collector struct {
	s *Service

	clients, pending, tokens, paused *prometheus.Desc
}

// Collector shows how many clients have which state, what waits for approval, and whether enrolments are paused.
func (s *Service) Collector() prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("statewire_identity_"+name, help, labels, nil)
	}
	return &collector{s: s,
		clients: desc("clients", "Clients that enrolled, by state: enrolled, expired, revoked, shared (a superseded "+
			"certificate asked for a renewal).", "state"),
		pending: desc("enrolments_pending", "Enrolments that wait for somebody's approval."),
		tokens:  desc("enroll_tokens", "Enrolment tokens that can be used."),
		paused:  desc("enrolment_paused", "1 while enrolments are paused."),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.clients, c.pending, c.tokens, c.paused} {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	sum, err := c.s.Summary(context.Background())
	if err != nil {
		to <- prometheus.NewInvalidMetric(c.clients, err)
		return
	}
	gauge := func(desc *prometheus.Desc, value int, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
	}
	for _, state := range []string{"enrolled", "expired", "revoked", "shared"} {
		gauge(c.clients, sum.States[state], state)
	}
	paused := 0
	if sum.Paused {
		paused = 1
	}
	gauge(c.pending, sum.Pending)
	gauge(c.tokens, sum.Tokens)
	gauge(c.paused, paused)
}
