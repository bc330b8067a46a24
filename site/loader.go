package site

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"statewire/inbox"
)

// LoaderGrace is how long files may wait while no loader runs before a person has to act: one that is being started
// again needs nobody.
const LoaderGrace = 30 * time.Second

// NoLoader says that files wait and that no process of the site loads them; it is empty when they are loaded, or have
// just come.
func NoLoader(waiting inbox.Box, now time.Time, loader bool) string {
	if loader || waiting.Files == 0 || waiting.Age(now) < LoaderGrace {
		return ""
	}
	files := fmt.Sprint(waiting.Files, " files")
	if waiting.Files == 1 {
		files = "1 file"
	}
	return fmt.Sprintf("no loader runs: %s waiting since %s, and nothing that they hold is stored; `statewire serve "+
		"--roles ingest` loads them",
		files, waiting.Oldest.UTC().Format(time.DateTime+" UTC"))
}

// HasLoader says that a process loads what waits in the inbox of a data directory.
func HasLoader(data string) bool { return Holder(data, "ingest") != 0 }

// noLoader is the same of a running site. An inbox that can't be read has an alarm of its own.
func (s *Site) noLoader() string {
	stats, err := s.inbox.Stats()
	if err != nil {
		return ""
	}
	return NoLoader(stats.Waiting(), time.Now(), HasLoader(s.cfg.Data))
}

// noLoaderGauge is 1 while the site has no loader for what waits.
func (s *Site) noLoaderGauge() prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "statewire_inbox_no_loader", Help: "1 while files wait in the inbox and no process of the site loads them.",
	}, func() float64 {
		if s.noLoader() != "" {
			return 1
		}
		return 0
	})
}
