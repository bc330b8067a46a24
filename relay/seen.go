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
	// strangerPause is how long a caller that spoke for another client is not told of again.
	strangerPause = time.Hour
	strangersKept = 1000
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
	// strangers are by the caller's key, when each was told of last.
	strangers *simplelru.LRU[string, time.Time]
	untold    []identity.Stranger
}

func newSeen(cfg Config, told Enrolment, m *metrics, log *slog.Logger) *seen {
	from, err := simplelru.NewLRU[uint64, netip.Addr](max(1, cfg.ClientsTracked), nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	strangers, err := simplelru.NewLRU[string, time.Time](strangersKept, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &seen{told: told, metrics: m, log: log, from: from, strangers: strangers}
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

// stranger takes note of a caller that spoke for another client. Whoever does it all day is told of once an hour.
func (s *seen) stranger(caller identity.Caller, claimed, remote string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.strangers.Get(caller.Key()); ok && now.Sub(last) < strangerPause || s.told == nil ||
		len(s.untold) >= strangersKept {
		return
	}
	s.strangers.Add(caller.Key(), now)
	s.untold = append(s.untold, identity.Stranger{Caller: caller, Claimed: claimed, From: remote})
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
	untold := s.untold
	s.untold = nil
	s.mu.Unlock()
	s.tellStrangers(ctx, untold)
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

// tellStrangers tells who spoke for another client. What does not get through stays for the next time.
func (s *seen) tellStrangers(ctx context.Context, untold []identity.Stranger) {
	if len(untold) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.told.Strangers(ctx, untold); err != nil {
		s.log.Debug("callers that spoke for others are noted later", "count", len(untold), "err", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.untold = append(untold, s.untold...)
	}
}
