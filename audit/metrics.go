package audit

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	lines    prometheus.Counter
	failures prometheus.Counter
}

// newMetrics counts on where a log that was open before counted.
func newMetrics(to prometheus.Registerer) *metrics {
	return &metrics{
		lines: counter(to, "statewire_audit_lines_total",
			"Lines of the audit log that are on the disk: actions and their outcomes."),
		failures: counter(to, "statewire_audit_failures_total",
			"Lines and signed heads that could not be written. An action without its line was refused."),
	}
}

func counter(to prometheus.Registerer, name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	if to == nil {
		return c
	}
	var had prometheus.AlreadyRegisteredError
	if err := to.Register(c); errors.As(err, &had) {
		if before, ok := had.ExistingCollector.(prometheus.Counter); ok {
			return before
		}
	} else if err != nil {
		panic(err) // two things of one name: a mistake in the program
	}
	return c
}
