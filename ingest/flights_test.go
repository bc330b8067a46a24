package ingest

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestInFlightIsTheAgeOfTheOldestInsert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Loader
		if got := l.InFlight(); got != 0 {
			t.Errorf("%v without an insert", got)
		}
		first := l.flights.begin()
		time.Sleep(2 * time.Second)
		second := l.flights.begin()
		time.Sleep(3 * time.Second)
		if got := l.InFlight(); got != 5*time.Second {
			t.Errorf("%v, want the age of the first insert", got)
		}
		first()
		if got := l.InFlight(); got != 3*time.Second {
			t.Errorf("%v, want the age of the second", got)
		}
		second()
		if got := l.InFlight(); got != 0 {
			t.Errorf("%v when all have ended", got)
		}
	})
}
