package manager

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts every outcome of a file and of a row.
type metrics struct {
	rows         *prometheus.CounterVec // result: stored, same, old, bad
	files        *prometheus.CounterVec // result: loaded, late, bad
	mirrored     *prometheus.CounterVec // table
	mirrorFailed prometheus.Counter
	historyLost  prometheus.Counter
	wakesDropped prometheus.Counter
	created      *prometheus.CounterVec // class
	results      *prometheus.CounterVec // result: taken, same, late, unsolicited, bad
	handed       prometheus.Counter
	resultFiles  *prometheus.CounterVec   // result: loaded, bad
	answered     *prometheus.HistogramVec // channel
}

func newMetrics(reg prometheus.Registerer, m *Manager) *metrics {
	vec := func(name, label, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "statewire_manager_" + name, Help: help}, []string{label})
		reg.MustRegister(c)
		return c
	}
	one := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "statewire_manager_" + name, Help: help})
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string, value func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "statewire_manager_" + name, Help: help}, value))
	}
	gauge("servers_silent", "Notification servers that have sent no presence file for two intervals.", m.countSilent)
	gauge("mirror_behind", "Clients whose latest presence is not in the table yet.", m.countBehind)
	gauge("tasks_behind", "Steps of tasks that are not in their table yet.", m.countTasksBehind)
	gauge("mirror_lag_seconds", "For how long the oldest of them has waited.", m.mirrorLag)
	gauge("wakes_waiting", "Clients that are to be woken and have not been.", m.countWakes)
	gauge("task_steps_open", "Clients that have not come to an end of a task, over all tasks.", m.countOpen)
	gauge("pushes_unwritten", "Pushes that are handed out, and that no server has written.", m.countUnwritten)
	return &metrics{
		rows: vec("rows_total", "result",
			"Rows of presence, by result: stored, same (known already), old (something greater "+
				"is known), bad (cannot be read)."),
		files: vec("files_total", "result", "Presence files, by result: loaded, late (one with a greater version came "+
			"before), bad (set aside)."),
		mirrored:     vec("mirrored_rows_total", "table", "Rows written into the tables."),
		mirrorFailed: one("mirror_failures_total", "Times that the tables could not be written; it is tried again."),
		historyLost:  one("history_dropped_total", "Times of being connected that waited for the table, and were too many."),
		resultFiles:  vec("result_files_total", "result", "Result files, by result: loaded, bad (set aside)."),
		answered:     newAnswered(reg),
		wakesDropped: one("wakes_dropped_total", "Wakes that were not kept, because too many waited."),
		created:      vec("tasks_created_total", "class", "Tasks that were created, by class."),
		results: vec("results_total", "result", "Results of clients, by result: taken, same (known already), late (the "+
			"site did not wait any more), unsolicited (nobody asked the client), bad."),
		handed: one("pushes_handed_out_total", "Tasks that were handed to a server for a client; again with each return."),
	}
}

func (m *Manager) countSilent() float64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n := 0
	for _, s := range m.servers {
		if s.Silent {
			n++
		}
	}
	return float64(n)
}

func (m *Manager) countBehind() float64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return float64(len(m.unmirrored))
}

func (m *Manager) mirrorLag() float64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if len(m.unmirrored) == 0 || m.behindSince.IsZero() {
		return 0
	}
	return max(0, m.now().Sub(m.behindSince).Seconds())
}

func (m *Manager) countWakes() float64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return float64(len(m.wakes))
}

func (m *Manager) countOpen() float64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return float64(m.openSteps)
}

func (m *Manager) countUnwritten() float64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n := 0
	for _, q := range m.queues {
		n += len(q.unwritten)
	}
	return float64(n)
}

// serverStatus is every server with its counts. m.mu is held.
func (m *Manager) serverStatus() []ServerStatus {
	at := map[uint32]int{}
	var out []ServerStatus
	for _, id := range slices.Sorted(maps.Keys(m.servers)) {
		s := m.servers[id]
		at[id] = len(out)
		out = append(out, ServerStatus{Server: s.Name, ServerID: id, Epoch: s.Epoch, Version: s.Version, Reported: s.Reported,
			Silent: s.Silent, Owes: s.Owes})
	}
	for _, c := range m.clients {
		i, ok := at[c.Server]
		if !ok || !c.online() {
			continue
		}
		out[i].Online++
		if c.Channel == 0 {
			out[i].TCP++
		} else {
			out[i].HTTP++
		}
	}
	return out
}
