package main

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"statewire/inbox"
)

// loaderGrace is how long files may wait while no loader runs before a person has to act: one that is being started again needs nobody.
const loaderGrace = 30 * time.Second

// noLoader says that files wait and that no process of the site loads them; it is empty when they are loaded, or have just come.
func noLoader(waiting inbox.Box, now time.Time, loader bool) string {
	if loader || waiting.Files == 0 || waiting.Age(now) < loaderGrace {
		return ""
	}
	files := fmt.Sprint(waiting.Files, " files")
	if waiting.Files == 1 {
		files = "1 file"
	}
	return fmt.Sprintf("no loader runs: %s waiting since %s, and nothing that they hold is stored; `statewire serve --roles ingest` loads them",
		files, waiting.Oldest.UTC().Format(time.DateTime+" UTC"))
}

// hasLoader says that a process loads what waits in the inbox of a data directory.
func hasLoader(data string) bool { return roleHolder(data, "ingest") != 0 }

// noLoader is the same of a running site. An inbox that can't be read has an alarm of its own.
func (s *site) noLoader() string {
	stats, err := s.inbox.Stats()
	if err != nil {
		return ""
	}
	return noLoader(stats.Waiting(), time.Now(), hasLoader(s.cfg.Data))
}

// noLoaderGauge is 1 while the site has no loader for what waits.
func (s *site) noLoaderGauge() prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "statewire_inbox_no_loader", Help: "1 while files wait in the inbox and no process of the site loads them.",
	}, func() float64 {
		if s.noLoader() != "" {
			return 1
		}
		return 0
	})
}
