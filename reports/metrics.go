package reports

import "github.com/prometheus/client_golang/prometheus"

// metrics counts what readers asked and what it cost. Report names are a small fixed set; no client is ever a label.
type metrics struct {
	queries  *prometheus.CounterVec   // by report and result: ok, refused, failed
	seconds  *prometheus.HistogramVec // by report, until the first row
	problems prometheus.Gauge         // user-added report files that could not be read
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		queries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statewire_report_queries_total", Help: "Report queries by report and result (ok, refused, failed).",
		}, []string{"report", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "statewire_report_query_seconds", Help: "Time until a report's first row.",
			Buckets: []float64{0.005, 0.02, 0.1, 0.5, 2, 10, 30},
		}, []string{"report"}),
		problems: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "statewire_report_files_refused", Help: "User-added report files that could not be read.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.queries, m.seconds, m.problems)
	}
	return m
}
