package ingest

import "github.com/prometheus/client_golang/prometheus"

// metrics counts every outcome of a message and of a file.
type metrics struct {
	messages    *prometheus.CounterVec // result: stored, duplicate, set_aside, dropped
	dropped     *prometheus.CounterVec // reason: hourly_bound, limit
	conflicts   prometheus.Counter
	files       *prometheus.CounterVec // result: loaded, bad, vanished, postponed
	badReports  prometheus.Counter
	wrongTimes  prometheus.Counter
	titles      *prometheus.CounterVec // result: new, bad, limit
	lag         prometheus.Histogram
	insert      prometheus.Histogram
	insertRows  prometheus.Histogram
	insertFails *prometheus.CounterVec // reason: away, data
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statewire_loader_messages_total",
			Help: "Messages by what became of them: stored, duplicate, set_aside, or dropped (bad, and only counted).",
		}, []string{"result"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statewire_loader_dropped_records_total",
			Help: "Bad records that are only counted: beyond ingest.set_aside_per_hour (hourly_bound) or removed from " +
				"corrupt (limit).",
		}, []string{"reason"}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "statewire_loader_conflicts_total",
			Help: "Messages that came under a serial number already taken by a different message; both are kept.",
		}),
		files: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statewire_loader_files_total",
			Help: "Inbox files by what became of them: loaded, bad, vanished, or postponed.",
		}, []string{"result"}),
		badReports: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "statewire_loader_bad_reports_total",
			Help: "Reports set aside whole out of files whose other reports loaded.",
		}),
		wrongTimes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "statewire_loader_wrong_times_total",
			Help: "Messages whose time can't be right, before 2000 or more than a day after they came, copies included; the " +
				"report wrong-clocks names the clients.",
		}),
		titles: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statewire_loader_titles_total",
			Help: "Titles that clients gave to topic ids, by what became of them: new (stored), bad (too long, or with " +
				"control characters) or limit (a client or an id has too many). One that is known is not counted.",
		}, []string{"result"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "statewire_loader_lag_seconds",
			Help:    "Time from a report's arrival to its rows being stored.",
			Buckets: []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 86400},
		}),
		insert: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "statewire_store_insert_seconds",
			Help:    "Duration of one batch's insert.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 13),
		}),
		insertRows: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "statewire_store_insert_rows",
			Help:    "Messages in one batch's insert.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 11),
		}),
		insertFails: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statewire_store_insert_failures_total",
			Help: "Inserts that failed: the store was away (tried again) or refused the data (split and tried again).",
		}, []string{"reason"}),
	}
	if reg != nil {
		reg.MustRegister(m.messages, m.dropped, m.conflicts, m.files, m.badReports, m.wrongTimes, m.titles, m.lag, m.insert,
			m.insertRows, m.insertFails)
	}
	for _, result := range []string{"stored", "duplicate", "set_aside", "dropped"} {
		m.messages.WithLabelValues(result)
	}
	for _, reason := range []string{"hourly_bound", "limit"} {
		m.dropped.WithLabelValues(reason)
	}
	for _, result := range []string{"new", "bad", "limit"} {
		m.titles.WithLabelValues(result)
	}
	for _, result := range []string{"loaded", "bad", "vanished", "postponed"} {
		m.files.WithLabelValues(result)
	}
	return m
}
