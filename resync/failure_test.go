package resync

import (
	"context"
	"errors"
	"testing"
	"time"

	"statewire/smx"
)

// brittle is a ledger whose writes break, before or after they are done: the service cannot tell which.
type brittle struct {
	ledger
	at     string // the write that breaks; empty for none
	before bool
}

func (b *brittle) write(at string, do func() error) error {
	if b.at != at {
		return do()
	}
	if !b.before {
		if err := do(); err != nil {
			return err
		}
	}
	return errAway
}

func (b *brittle) issue(ctx context.Context, list []resync) error {
	return b.write("issue", func() error { return b.ledger.issue(ctx, list) })
}

func (b *brittle) note(ctx context.Context, claims map[smx.ClientID]claim, pickups []pickup) error {
	return b.write("note", func() error { return b.ledger.note(ctx, claims, pickups) })
}

func (b *brittle) keepClock(ctx context.Context, row clockRow) error {
	return b.write("clock", func() error { return b.ledger.keepClock(ctx, row) })
}

func (b *brittle) keepCheck(ctx context.Context, r Result) error {
	return b.write("check", func() error { return b.ledger.keepCheck(ctx, r) })
}

// Whatever write of a check breaks, before or after it was done: afterwards each client with a gap was asked once, is
// offered the request, and nothing that clients said is lost.
func TestACheckThatBreaksIsMadeUpFor(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MinMissingMessageAge = 0
	for _, at := range []string{"note", "issue", "clock", "check"} {
		for _, before := range []bool{true, false} {
			name := at + " after it was done"
			if before {
				name = at + " before it was done"
			}
			t.Run(name, func(t *testing.T) {
				b := newBench(t, cfg)
				b.arrive(client(1), 5, 9)
				broken := &brittle{ledger: b.ledger, before: before}
				b.ledger = broken
				b.check(CheckOptions{})
				b.arrive(client(2), 5, 9)
				b.poll(client(1), 9)
				b.wait(time.Minute)
				broken.at = at
				if _, err := b.Check(t.Context(), CheckOptions{}); !errors.Is(err, errAway) {
					t.Errorf("the check ended with %v", err)
				}
				b.wait(time.Minute)
				broken.at = ""
				b.check(CheckOptions{})
				b.check(CheckOptions{})
				b.equal("requests", b.count("SELECT count() FROM resyncs FINAL"), 2)
				b.equal("the greatest number", b.count("SELECT max(number) FROM resyncs"), 1)
				for n := 1; n <= 2; n++ {
					if r := b.poll(client(n), 9).Resync; r == nil || r.Number != 1 {
						t.Errorf("client %d is offered %v", n, r)
					}
				}
				b.equal("pickups", b.count("SELECT count() FROM resync_pickups FINAL"), 1)
				b.equal("claims", b.count("SELECT count() FROM client_caches FINAL"), 1)
				again := newBenchOn(t, b.db, cfg, b.now)
				b.equal("issued by another process", again.check(CheckOptions{}).IssuedTotal, 0)
			})
		}
	}
}
