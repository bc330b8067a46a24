package inbox

import (
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// counters counts what happened to files. Events: put, put_failed, copied, copied_failed, replayed, replayed_failed,
// claimed, done, vanished, changed, set_aside, record_set_aside, grown, bad_removed, postponed, undeleted,
// watch_overflow.
type counters struct {
	mu     sync.Mutex
	events map[string]int // Guarded by mu.
}

func (c *counters) add(event string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.events == nil {
		c.events = map[string]int{}
	}
	c.events[event] += n
}

func (c *counters) count(event string, err error) {
	if err != nil {
		event += "_failed"
	}
	c.add(event, 1)
}

func (c *counters) each(do func(event string, n int)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for event, n := range c.events {
		do(event, n)
	}
}

var (
	filesDesc = prometheus.NewDesc("statewire_inbox_files",
		"Files in the inbox: waiting by lane, claimed (process), set aside (corrupt), stored but not deletable (loaded), "+
			"bad but not movable (stuck).", []string{"box"}, nil)
	bytesDesc = prometheus.NewDesc("statewire_inbox_bytes", "Bytes of those files.", []string{"box"}, nil)
	ageDesc   = prometheus.NewDesc("statewire_inbox_oldest_age_seconds", "Age of the oldest of those files.",
		[]string{"box"}, nil)
	otherDesc = prometheus.NewDesc("statewire_inbox_foreign_entries", "Entries in the lanes that are no SMX files.",
		[]string{"kind"}, nil)
	faultDesc = prometheus.NewDesc("statewire_inbox_fault",
		"1 while the inbox refuses files for a storage fault, or its folders are gone.", nil, nil)
	eventDesc = prometheus.NewDesc("statewire_inbox_events_total", "What this process did with files.", []string{"event"},
		nil)
)

// Collector yields the metrics statewire_inbox_files, _bytes and _oldest_age_seconds by box, _foreign_entries by kind,
// _fault, and _events_total by event.
func (d *Dir) Collector() prometheus.Collector { return collector{d} }

type collector struct{ dir *Dir }

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{filesDesc, bytesDesc, ageDesc, otherDesc, faultDesc, eventDesc} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	c.dir.counts.each(func(event string, n int) {
		out <- prometheus.MustNewConstMetric(eventDesc, prometheus.CounterValue, float64(n), event)
	})
	s, err := c.dir.Stats()
	fault := 0.0
	if _, open := c.dir.health.begin(); open != nil || errors.Is(err, ErrMoved) {
		fault = 1
	}
	gauge(faultDesc, fault)
	if errors.Is(err, ErrMoved) {
		return // nothing to count; the other metrics go on
	}
	if err != nil {
		out <- prometheus.NewInvalidMetric(filesDesc, err)
		return
	}
	at := time.Now()
	for name, b := range map[string]Box{"high": s.High, "normal": s.Normal, "low": s.Low, "process": s.Process,
		"corrupt": s.Corrupt, "loaded": s.Loaded,
		"stuck": s.Stuck} {
		gauge(filesDesc, float64(b.Files), name)
		gauge(bytesDesc, float64(b.Bytes), name)
		gauge(ageDesc, b.Age(at).Seconds(), name)
	}
	for kind, n := range s.Foreign {
		gauge(otherDesc, float64(n), kind)
	}
}
