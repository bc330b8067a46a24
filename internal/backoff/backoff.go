// Package backoff keeps many from acting at the same moment: waits that differ at random, and that end with their
// context.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Jitter is a duration from least up to, not including, least+spread; without a spread it is least.
func Jitter(least, spread time.Duration) time.Duration {
	if spread <= 0 {
		return least
	}
	return least + rand.N(spread)
}

// Sleep waits, or returns the reason why ctx ended.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
