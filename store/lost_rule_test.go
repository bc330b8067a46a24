package store

import (
	"testing"
	"time"
)

// A mutation may have taken the rows of parts that it has not rewritten yet, and of no other.
func TestAMutationExcusesOnlyPartsOfBeforeIt(t *testing.T) {
	for _, tc := range []struct {
		name    string
		version int64
		lost    int
	}{
		{"written before the mutation", 4, 0},
		{"written by the mutation", 5, 1},
		{"written after it", 6, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := tableParts{mutated: 5}
			marked := []part{{Partition: "all", Min: tc.version, Max: tc.version, Rows: 1, Version: tc.version}}
			if gone := table.lost(marked, time.Unix(1, 0)); len(gone) != tc.lost {
				t.Errorf("%d parts are lost, want %d", len(gone), tc.lost)
			}
		})
	}
}
