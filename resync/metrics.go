package resync

import (
	"time"

	"statewire/resync/gaps"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics says what is missing, who owes an answer and who waits to be asked. No client is ever a label.
type metrics struct {
	missingMessages prometheus.Gauge
	missingRanges   prometheus.Gauge
	jumpMessages    prometheus.Gauge
	jumpRanges      prometheus.Gauge
	claimsAside     prometheus.Gauge
	gapClients      prometheus.Gauge
	oldestRange     prometheus.Gauge // seconds
	conflicts       prometheus.Gauge
	differs         prometheus.Gauge
	late            prometheus.Counter
	outstanding     prometheus.Gauge
	waiting         prometheus.Gauge
	held            *prometheus.GaugeVec // by reason: unread, unknown, bound, interval, age
	issued          prometheus.Counter
	issuedBy        *prometheus.CounterVec // by reason: requested, conflict, differs, missing
	completed       prometheus.Counter
	expired         prometheus.Counter
	checks          *prometheus.CounterVec // by result: done, failed
	checkSeconds    *prometheus.HistogramVec
	lastCheck       prometheus.Gauge // unix seconds
	recordsDropped  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "statewire_" + name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "statewire_" + name, Help: help})
	}
	counters := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "statewire_" + name, Help: help}, []string{label})
	}
	m := &metrics{
		missingMessages: gauge("missing_messages", "Messages in open missing ranges, as of the last gap check."),
		missingRanges:   gauge("missing_ranges", "Open missing ranges, as of the last gap check."),
		jumpMessages: gauge("serial_jump_messages",
			"Messages missing below serials that jumped by more than 1,000,000, counted apart from missing_messages."),
		jumpRanges: gauge("serial_jump_ranges",
			"Open ranges below serials that jumped, counted apart from missing_ranges."),
		claimsAside: gauge("claims_aside",
			"Clients with a claim more than 1,000,000 above all that was received, kept aside."),
		gapClients:  gauge("missing_clients", "Clients with an open missing range, as of the last gap check."),
		oldestRange: gauge("missing_oldest_age_seconds", "Age of the open missing range that was detected first."),
		conflicts: gauge("serial_conflicts_open",
			"Conflicts of serials that no completion has settled yet, as of the last gap check."),
		differs: gauge("state_differs_clients",
			"Clients whose states differ from the site's though no serial is missing."),
		late: counter("missing_messages_arrived_late_total",
			"Messages that arrived after a gap check had found them missing."),
		outstanding: gauge("resync_outstanding", "Clients that were asked for a resync and owe the answer."),
		waiting:     gauge("resync_waiting", "Clients that are to be asked and wait for their turn."),
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "statewire_resync_held",
			Help: "Clients not asked at the last look, by reason (unread, unknown, bound, interval, age).",
		}, []string{"reason"}),
		issued: counter("resync_issued_total", "Resyncs issued."),
		issuedBy: counters("resync_issued_by_reason_total",
			"Resyncs issued, by reason (requested, conflict, differs, missing).", "reason"),
		completed: counter("resync_completed_total", "Resyncs that their client completed."),
		expired:   counter("resync_expired_total", "Resyncs that nobody completed within the merge interval."),
		checks:    counters("resync_checks_total", "Gap checks by result (done, failed).", "result"),
		checkSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "statewire_resync_check_seconds", Help: "Time a gap check took, by kind (full, incremental).",
			Buckets: []float64{0.01, 0.05, 0.2, 1, 5, 20, 60, 300},
		}, []string{"kind"}),
		lastCheck: gauge("resync_last_check_timestamp_seconds",
			"When the last gap check ended, in seconds since 1970."),
		recordsDropped: counter("policy_records_dropped_total",
			"Claims of clients not recorded because the store was away too long; clients repeat them."),
	}
	if reg != nil {
		reg.MustRegister(m.missingMessages, m.missingRanges, m.jumpMessages, m.jumpRanges, m.claimsAside, m.gapClients,
			m.oldestRange, m.late, m.conflicts, m.differs, m.outstanding, m.waiting, m.held, m.issued, m.issuedBy,
			m.completed, m.expired, m.checks, m.checkSeconds, m.lastCheck, m.recordsDropped)
	}
	return m
}

// check counts a check.
func (m *metrics) check(r Result, err error) {
	if err != nil {
		m.checks.WithLabelValues("failed").Inc()
		return
	}
	if r.DryRun {
		return
	}
	m.checks.WithLabelValues("done").Inc()
	m.checkSeconds.WithLabelValues(r.Kind).Observe(r.Took.Seconds())
	m.lastCheck.Set(float64(r.At.UnixMilli()) / 1000)
	m.outstanding.Set(float64(r.Outstanding))
	m.found(r.Gaps, r.At)
}

// found says what is missing.
func (m *metrics) found(g gaps.Found, now time.Time) {
	m.missingMessages.Set(g.Messages)
	m.missingRanges.Set(float64(g.Ranges))
	m.jumpMessages.Set(g.JumpMessages)
	m.jumpRanges.Set(float64(g.Jumps))
	m.claimsAside.Set(float64(g.Aside))
	m.gapClients.Set(float64(g.Clients))
	m.late.Add(float64(g.Late))
	m.conflicts.Set(float64(g.Conflicts))
	m.differs.Set(float64(g.Differs))
	m.oldestRange.Set(0)
	if !g.Oldest.IsZero() {
		m.oldestRange.Set(max(now.Sub(g.Oldest).Seconds(), 0))
	}
}

// holds says who waits and why, as of a round that looked at everybody.
func (m *metrics) holds(r Result) {
	m.waiting.Set(float64(r.Waiting))
	for _, reason := range holds {
		m.held.WithLabelValues(reason).Set(float64(r.HeldTotals[reason]))
	}
}
