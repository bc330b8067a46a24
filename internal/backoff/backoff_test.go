package backoff

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestJitterStaysInItsSpread(t *testing.T) {
	low, high := time.Hour, time.Duration(0)
	for range 10_000 {
		d := Jitter(time.Minute, 10*time.Second)
		low, high = min(low, d), max(high, d)
	}
	if low < time.Minute || high >= 70*time.Second || high-low < 9*time.Second {
		t.Errorf("from %v to %v, want a minute and up to ten seconds more", low, high)
	}
	for _, spread := range []time.Duration{0, -time.Second} {
		if d := Jitter(time.Second, spread); d != time.Second {
			t.Errorf("with a spread of %v: %v", spread, d)
		}
	}
}

func TestASleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := Sleep(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("slept %v, %v", time.Since(began), err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := Sleep(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 61*time.Second {
			t.Errorf("slept %v, %v", time.Since(began), err)
		}
	})
}
