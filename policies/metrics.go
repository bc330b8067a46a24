package policies

import "github.com/prometheus/client_golang/prometheus"

// metrics says what polls were answered and what is paused. No client is ever a label.
type metrics struct {
	polls        *prometheus.CounterVec // by result: resync, settings, nothing, failed
	pausedTopics prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "statewire_policy_polls_total",
			Help: "Policy polls by what they were answered (resync, settings, nothing, failed)."}, []string{"result"}),
		pausedTopics: prometheus.NewGauge(prometheus.GaugeOpts{Name: "statewire_paused_topics",
			Help: "Topic types that the policy of a collection pauses: its clients keep what they have on them."}),
	}
	if reg != nil {
		reg.MustRegister(m.polls, m.pausedTopics)
	}
	return m
}
