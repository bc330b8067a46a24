package audit

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	lines    prometheus.Counter
	failures prometheus.Counter
}

func newMetrics(to prometheus.Registerer) *metrics {
	m := &metrics{
		lines: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "statewire_audit_lines_total",
			Help: "Lines of the audit log that are on the disk: actions and their outcomes.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "statewire_audit_failures_total",
			Help: "Lines and signed heads that could not be written. An action without its line was refused.",
		}),
	}
	if to != nil {
		to.MustRegister(m.lines, m.failures)
	}
	return m
}
