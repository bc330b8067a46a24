package notifier

import (
	"github.com/prometheus/client_golang/prometheus"

	"statewire/notifier/wire"
)

// Limits that are refused by.
const (
	limitConnections     = "connections"          // notifier.max_connections
	limitHTTP            = "http"                 // notifier.max_http
	limitUnsigned        = "unsigned"             // the oldest connection that has not signed in gave way
	limitUnsignedAddress = "unsigned_per_address" // the same of one address
	limitSignIn          = "sign_in"              // no sign-in in time
	limitFrames          = "frames"               // too many in a minute
)

// metrics counts every outcome of a connection, and of what is told.
type metrics struct {
	clients  [2]prometheus.Gauge
	unsigned prometheus.Gauge
	refused  *prometheus.CounterVec
	failed   *prometheus.CounterVec
	ended    *prometheus.CounterVec
	frames   *prometheus.CounterVec
	wakes    *prometheus.CounterVec
	waiting  prometheus.Gauge

	pushes        *prometheus.CounterVec
	pushed        prometheus.Counter // of pushes, those sent
	cancels       *prometheus.CounterVec
	pushesWaiting prometheus.Gauge
	results       *prometheus.CounterVec
	resultFiles   *prometheus.CounterVec
	spooled       prometheus.Gauge
	reports       *prometheus.CounterVec
	selfTest      *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	clients := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "statewire_channel_clients",
		Help: "Clients that are online at this server, by channel: tcp, http."}, []string{"channel"})
	m := &metrics{
		clients: [2]prometheus.Gauge{wire.TCP: clients.WithLabelValues("tcp"), wire.HTTP: clients.WithLabelValues("http")},
		unsigned: prometheus.NewGauge(prometheus.GaugeOpts{Name: "statewire_channel_unsigned_connections",
			Help: "Open connections that have not signed in."}),
		refused: counters("statewire_channel_refused_total", "limit",
			"Refused by a limit: connections (notifier.max_connections), http (notifier.max_http), unsigned and "+
				"unsigned_per_address (the oldest connection before its sign-in gave way), sign_in (none in 10 seconds), "+
				"frames (more than 1000 in a minute)."),
		failed: counters("statewire_channel_handshake_failures_total", "class", "TLS handshakes that failed, by class."),
		ended:  counters("statewire_channel_sessions_ended_total", "reason", "Sessions that ended, by reason."),
		frames: counters("statewire_channel_frames_total", "type", "Frames from clients, by type."),
		wakes: counters("statewire_channel_wakes_total", "result",
			"Wakes that were worked on: sent, or kept for a client that is offline."),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "statewire_channel_wakes_waiting",
			Help: "Wakes that wait for notifier.throttle."}),
		reports: counters("statewire_channel_presence_reports_total", "result",
			"Presence reports: written, or failed and told again by the next one."),
		selfTest: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "statewire_channel_self_test",
			Help: "1 when the server's own client could sign in at the last try, by channel."}, []string{"channel"}),
		pushes: counters("statewire_channel_pushes_total", "result",
			"Tasks that were worked on: sent, or handed back to the manager: away (the client is not connected), expired, "+
				"duplicate (several machines have its identity), cancelled, replaced (by a later push), unwritten (the "+
				"connection ended)."),
		cancels: counters("statewire_channel_cancels_total", "result", "Cancellations, likewise."),
		pushesWaiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "statewire_channel_pushes_waiting",
			Help: "Tasks that wait for notifier.throttle, or while tasks are stopped."}),
		results: counters("statewire_channel_results_total", "step",
			"What clients said of tasks, by step; refused: there was no room, and the client keeps it."),
		resultFiles: counters("statewire_channel_result_files_total", "result",
			"Result files: written, or failed and tried again."),
		spooled: prometheus.NewGauge(prometheus.GaugeOpts{Name: "statewire_channel_spool_bytes",
			Help: "Results on the disk that are in no result file yet."}),
	}
	m.pushed = m.pushes.WithLabelValues("sent")
	if reg != nil {
		reg.MustRegister(m.pushes, m.cancels, m.pushesWaiting, m.results, m.resultFiles, m.spooled)
		reg.MustRegister(clients, m.unsigned, m.refused, m.failed, m.ended, m.frames, m.wakes, m.waiting, m.reports,
			m.selfTest)
	}
	return m
}

func counters(name, label, help string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
}

// limit counts what a limit refused, and tells of it.
func (s *Server) limit(limit string, most int) {
	s.metrics.refused.WithLabelValues(limit).Inc()
	s.messages.say(wire.LimitReached, limit, "The notification server reached its limit of %s: %d.", limit, most)
}

var frameNames = map[wire.Kind]string{wire.SignIn: "sign_in", wire.KeepAlive: "keep_alive", wire.Received: "received",
	wire.Response: "response", wire.Close: "close"}

// nameOf is a type of frame as metrics name it.
func nameOf(k wire.Kind) string {
	if name, ok := frameNames[k]; ok {
		return name
	}
	return "other"
}
