package cache

import (
	"slices"
	"testing"
	"time"

	"statewire/smx/policy"
)

// A title stays with its state: over a restart, in the answer to a resync, and in the halves of a refused report.
// States without one are written as they were before there were titles.
func TestATitleStaysWithItsState(t *testing.T) {
	eachStore(t, func(t *testing.T, s *opened) {
		named := detected("a", 1)
		named.Title = "A & B"
		put(t, s, named, detected("b", 1))
		s.reopen()
		if report, err := s.Pack(testPacking); err != nil || report.States[0].Title != named.Title {
			t.Fatalf("the first report is %+v, %v; want the title in it", report, err)
		}
		if err := s.Halve(testPacking.Build); err != nil {
			t.Fatal(err)
		}
		s.reopen()
		report, err := s.Pending()
		if err != nil || len(report.States) != 1 || report.States[0].Title != named.Title {
			t.Fatalf("its first half is %+v, %v", report, err)
		}
		settle(t, s, Accepted)
		settle(t, s, Accepted)
		if _, err := s.Adopt(PolicyState{ETag: "1", Document: []byte("p")},
			&policy.Resync{Number: 1, NextSerial: 10, Issued: testPacking.Time.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if report, err = s.Pack(testPacking); err != nil || !slices.ContainsFunc(report.States,
			func(s State) bool { return s.Title == named.Title }) {
			t.Errorf("the answer to a resync is %+v, %v; want the title in it", report, err)
		}
	})
	plain := detected("a", 1)
	before := stateRecord(&plain)
	if plain.Title = "x"; len(stateRecord(&plain)) != len(before)+2 {
		t.Errorf("a title of one byte makes a record of %d bytes one of %d", len(before), len(stateRecord(&plain)))
	}
}
