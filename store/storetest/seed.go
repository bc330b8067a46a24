package storetest

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// Seed is what decides everything a test leaves to chance: STATEWIRE_TEST_SEED where it is set, as `make test` does, so
// that the same tree gives the same result; otherwise another number each time, so that long runs find what no run has
// met.
func Seed(t testing.TB) uint64 {
	t.Helper()
	return SeedOr(t, uint64(time.Now().UnixNano()))
}

// SeedOr is Seed with the number that decides where the variable is not set.
func SeedOr(t testing.TB, seed uint64) uint64 {
	t.Helper()
	const env = "STATEWIRE_TEST_SEED"
	if text := os.Getenv(env); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s is %q: want a whole number", env, text)
		}
	}
	t.Logf("repeat with %s=%d", env, seed)
	return seed
}
