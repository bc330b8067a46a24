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

const (
	firstPause = 2 * time.Second
	longPause  = 5 * time.Minute
)

// Pause is the time before the next attempt after so many that came to nothing: doubling from 2 seconds to 5 minutes,
// at random between half and whole, and never less than what was asked for.
func Pause(failures int, after time.Duration) time.Duration {
	wait := min(firstPause<<min(failures, 20), longPause)
	wait = Jitter(wait/2, wait/2)
	if after > 0 {
		wait = max(wait, Jitter(after, after/4+time.Second))
	}
	return wait
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
