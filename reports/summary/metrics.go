package summary

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics tell what summaries cost and how old they are.
type metrics struct {
	seconds  *prometheus.HistogramVec
	behind   *prometheus.GaugeVec
	clients  *prometheus.GaugeVec
	untold   prometheus.Gauge
	machines *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "statewire_summary_seconds",
			Help:    "Duration of bringing a summary up to date after something changed.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 14),
		}, []string{"summary"}),
		behind: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "statewire_summary_behind_seconds",
			Help: "Age of the oldest change that a summary may not hold yet; 0 when it holds all. Questions count what is " +
				"little for themselves.",
		}, []string{"summary"}),
		clients: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "statewire_subject_machines",
			Help: "Machines in a class of compliance, summed over the subjects of a kind: a machine counts once for each. " +
				"not_known holds those that said state 0, and all causes.",
		}, []string{"kind", "class"}),
		untold: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "statewire_titles_missing",
			Help: "Updates, deployments and baselines that nothing gives a title: they are shown by their id.",
		}),
		machines: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "statewire_machines",
			Help: "Machines of the site by the one class that each is in: failed, restart, required, not_known, compliant.",
		}, []string{"class"}),
	}
	if reg != nil {
		reg.MustRegister(m.seconds, m.behind, m.clients, m.untold, m.machines)
	}
	return m
}

// gauge tells how the counts stand.
func (s *Summarizer) gauge(ctx context.Context) error {
	s.metrics.clients.Reset()
	err := s.each(ctx, "counts_gauges", nil, func(scan func(...any) error) error {
		var kind, class string
		var clients uint64
		err := scan(&kind, &class, &clients)
		s.metrics.clients.WithLabelValues(kind, class).Set(float64(clients))
		return err
	})
	if err != nil {
		return err
	}
	return s.each(ctx, "titles_missing", nil, func(scan func(...any) error) error {
		var n uint64
		err := scan(&n)
		s.metrics.untold.Set(float64(n))
		return err
	})
}
