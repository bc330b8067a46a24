package relay

import "github.com/prometheus/client_golang/prometheus"

// metrics counts every outcome of a report, of a request and of a connection.
type metrics struct {
	reports        *prometheus.CounterVec // result: accepted, refused, later
	accepted       prometheus.Counter     // of reports, as the next two
	later          prometheus.Counter
	refusedForGood prometheus.Counter
	policies       *prometheus.CounterVec // result: sent, unchanged, refused, later
	messages       prometheus.Counter
	badRecords     prometheus.Counter
	mismatches     prometheus.Counter
	seconds        prometheus.Histogram
	refusals       *prometheus.CounterVec // reason: the codes
	tlsRefused     *prometheus.CounterVec
	connRefused    *prometheus.CounterVec
	connections    prometheus.Gauge
	channels       prometheus.Gauge
	ready          prometheus.Gauge
	batch          prometheus.Histogram
	batchBytes     prometheus.Histogram
	commit         prometheus.Histogram
	commitFailed   *prometheus.CounterVec

	refusalsForgotten prometheus.Counter
	enrolments        *prometheus.CounterVec // kind: enroll, renew; result: issued, pending, refused, later
	shared            prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		reports: counters("statewire_relay_reports_total", "result",
			"Requests to hand in a report, by result: accepted (on disk), refused (for good), later (try again)."),
		policies: counters("statewire_relay_policies_total", "result",
			"Polls for policy, by result: sent, unchanged (the caller has it), refused (for good), later (try again)."),
		messages: counter("statewire_relay_messages_total",
			"State messages in the accepted reports, set-aside ones included."),
		badRecords: counter("statewire_relay_bad_records_total",
			"Messages in accepted reports that the loader will set aside."),
		mismatches: counter("statewire_relay_encoding_mismatch_total",
			"Accepted reports whose declaration named another encoding than their bytes have."),
		seconds: histogram("statewire_relay_request_seconds", "From a request's header to its answer.",
			[]float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 5, 30}),
		refusals: counters("statewire_relay_refusals_total", "reason",
			"Refused requests by code; bad_request are those that net/http refused or gave up by itself."),
		tlsRefused: counters("statewire_relay_tls_refused_total", "reason", "Connections whose TLS handshake failed."),
		connRefused: counters("statewire_relay_connections_refused_total", "reason",
			"Connections closed for want of a place: refused for limit (of all), ip_limit (of one address) or channel_limit; "+
				"gave way to a "+
				"newer one: handshake_limit, handshake_ip_limit, idle_limit, idle_ip_limit."),
		connections: gauge("statewire_relay_connections", "Open connections."),
		channels: gauge("statewire_relay_channels",
			"Open connections on which a client waits for a word of the site; relay.max_connections does not count them."),
		ready: gauge("statewire_relay_ready",
			"1 while reports are taken, 0 while they are refused for disk, backlog or storage."),
		batch: histogram("statewire_relay_commit_reports", "Reports per file written.",
			prometheus.ExponentialBuckets(1, 2, 12)),
		batchBytes: histogram("statewire_relay_commit_bytes", "Bytes per file written.",
			prometheus.ExponentialBuckets(1024, 4, 9)),
		commit: histogram("statewire_relay_commit_seconds", "From the first write of a file to its folder's sync.",
			[]float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .5, 1, 5, 30}),
		commitFailed: counters("statewire_relay_commit_failures_total", "reason",
			"Files that did not reach the disk; none of their reports was acknowledged."),
		refusalsForgotten: counter("statewire_relay_refusals_forgotten_total",
			"Clients whose last refused report gave way to another client's in the list of relay.refusals_kept."),
	}
	m.enrolments = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "statewire_relay_enrolments_total",
		Help: "Requests for certificates, by kind (enroll, renew) and result: issued, pending (somebody has to approve it), " +
			"refused (for good), later (try again)."}, []string{"kind", "result"})
	m.shared = counter("statewire_relay_identity_shared_total",
		"Times that a client's certificate came from another address than the time before.")
	if reg != nil {
		reg.MustRegister(m.enrolments, m.shared, m.reports, m.policies, m.messages, m.badRecords, m.mismatches, m.seconds,
			m.refusals, m.tlsRefused,
			m.connRefused,
			m.connections, m.channels, m.ready, m.batch, m.batchBytes, m.commit, m.commitFailed, m.refusalsForgotten)
	}
	m.accepted = m.reports.WithLabelValues("accepted")
	m.later = m.reports.WithLabelValues("later")
	m.refusedForGood = m.reports.WithLabelValues("refused")
	return m
}

// countRefused shows how many clients' last report was refused.
func (m *metrics) countRefused(reg prometheus.Registerer, clients func() int) {
	if reg != nil {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "statewire_relay_refused_clients", Help: "Clients whose last report was refused, of those in the list of " +
				"relay.refusals_kept.",
		}, func() float64 { return float64(clients()) }))
	}
}

// refused counts a refused request.
func (m *metrics) refused(code string) { m.refusals.WithLabelValues(code).Inc() }

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func counters(name, label, help string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
}
