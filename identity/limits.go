package identity

import (
	"net/netip"
	"sync"
	"time"
)

const (
	guessesAllowed = 5 // wrong tokens of one address in guessTime
	guessTime      = time.Minute
	guessersKept   = 65_536
)

// guesses counts wrong tokens by the address that they came from.
type guesses struct {
	mu sync.Mutex
	of map[netip.Addr]*guesser // Guarded by mu.
}

type guesser struct {
	since time.Time
	wrong int
}

func newGuesses() *guesses { return &guesses{of: map[netip.Addr]*guesser{}} }

// network is what one caller may be free to choose an address in.
func network(from netip.Addr) netip.Addr {
	from = from.Unmap()
	if !from.Is6() {
		return from
	}
	prefix, err := from.WithZone("").Prefix(64)
	if err != nil {
		return from
	}
	return prefix.Addr()
}

// wait is how long an address has to wait before its next token is looked at.
func (g *guesses) wait(from netip.Addr, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	who, ok := g.of[network(from)]
	if !ok || who.wrong < guessesAllowed || now.Sub(who.since) >= guessTime || now.Before(who.since) {
		return 0
	}
	return who.since.Add(guessTime).Sub(now)
}

// wrong counts a wrong token. Who is forgotten for want of room are those whose minute is over, and then anybody.
func (g *guesses) wrong(from netip.Addr, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	from = network(from)
	who, ok := g.of[from]
	if !ok || now.Sub(who.since) >= guessTime || now.Before(who.since) {
		g.makeRoom(now)
		who = &guesser{since: now}
		g.of[from] = who
	}
	who.wrong++
}

func (g *guesses) makeRoom(now time.Time) {
	if len(g.of) < guessersKept {
		return
	}
	for from, who := range g.of {
		if now.Sub(who.since) >= guessTime || now.Before(who.since) {
			delete(g.of, from)
		}
	}
	for from := range g.of {
		if len(g.of) < guessersKept {
			return
		}
		delete(g.of, from)
	}
}

// hourly bounds how many certificates are given to new clients within an hour.
type hourly struct {
	most int // 0: no limit

	mu    sync.Mutex
	since time.Time // Guarded by mu, as the rest.
	count int
}

// take counts one, or says how long to wait.
func (h *hourly) take(now time.Time) time.Duration {
	if h.most == 0 {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.since) >= time.Hour || now.Before(h.since) {
		h.since, h.count = now, 0
	}
	if h.count >= h.most {
		return h.since.Add(time.Hour).Sub(now)
	}
	h.count++
	return 0
}

// giveBack takes one back that came to nothing.
func (h *hourly) giveBack() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count = max(0, h.count-1)
}
