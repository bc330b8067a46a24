package summary

import "github.com/prometheus/client_golang/prometheus"

// metrics tell what summaries cost and how old they are.
type metrics struct {
	seconds *prometheus.HistogramVec
	behind  *prometheus.GaugeVec
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
	}
	if reg != nil {
		reg.MustRegister(m.seconds, m.behind)
	}
	return m
}
