package relay

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"statewire/identity"
)

const (
	seenInterval = time.Second
	seenAtOnce   = 1000
)

// seen tells whoever gives out certificates which of them are in use: what came before is superseded then. It tells
// each once, as far as it remembers.
type seen struct {
	// Constant after newSeen.
	told    Enrolment
	metrics *metrics
	log     *slog.Logger

	mu   sync.Mutex
	from *simplelru.LRU[uint64, netip.Addr] // Guarded by mu, as the rest: by number of a certificate
	news []identity.Caller
}

func newSeen(cfg Config, told Enrolment, m *metrics, log *slog.Logger) *seen {
	from, err := simplelru.NewLRU[uint64, netip.Addr](max(1, cfg.ClientsTracked), nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &seen{told: told, metrics: m, log: log, from: from}
}

// note takes note of a caller. A certificate that comes from another address than before is counted: two machines may
// share it.
func (s *seen) note(caller identity.Caller, from netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := s.from.Get(caller.Number)
	if known && before == from {
		return
	}
	s.from.Add(caller.Number, from)
	if known {
		s.metrics.shared.Inc()
		return
	}
	if s.told != nil {
		s.news = append(s.news, caller)
	}
}

// run tells what is new every second until ctx is done.
func (s *seen) run(ctx context.Context) error {
	if s.told == nil {
		return nil
	}
	tick := time.NewTicker(seenInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.tell(ctx)
		}
	}
}

// tell tells what is new. What does not get through is told when the caller comes again.
func (s *seen) tell(ctx context.Context) {
	s.mu.Lock()
	n := min(len(s.news), seenAtOnce)
	news := s.news[:n:n]
	if s.news = s.news[n:]; len(s.news) == 0 {
		s.news = nil
	}
	s.mu.Unlock()
	if n == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := s.told.Seen(ctx, news)
	if err == nil {
		return
	}
	s.log.Debug("certificates in use are noted later", "count", n, "err", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, caller := range news {
		s.from.Remove(caller.Number)
	}
}
