package storetest

import (
	"flag"
	"os"
	"strconv"
	"testing"
)

// Checks makes rapid draw n times in this test, because every time asks the engine dozens of things, and
// STATEWIRE_TEST_LONG times as often where that is set. A number that somebody gave with -rapid.checks stays.
func Checks(t testing.TB, n int) {
	t.Helper()
	const usual = "100"
	have := flag.Lookup("rapid.checks")
	if have == nil || have.Value.String() != usual {
		return
	}
	if long := os.Getenv("STATEWIRE_TEST_LONG"); long != "" {
		times, err := strconv.Atoi(long)
		if err != nil {
			t.Fatalf("STATEWIRE_TEST_LONG is %q: want a whole number", long)
		}
		n *= times
	}
	if err := flag.Set("rapid.checks", strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", usual) })
}
