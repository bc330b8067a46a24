package store

import "testing"

// After a power cut the sources of a merge may be there in place of its result.
func TestBlocksAreCoveredByOnePartOrByAllSources(t *testing.T) {
	merged := part{Partition: "all", Min: 1, Max: 6, Rows: 30}
	tests := []struct {
		name  string
		parts []part
		want  bool
	}{
		{"itself", []part{{Partition: "all", Min: 1, Max: 6, Rows: 30}}, true},
		{"a merge that dropped copies", []part{{Partition: "all", Min: 1, Max: 9, Rows: 4}}, true},
		{"its sources", []part{{Partition: "all", Min: 1, Max: 2, Rows: 20}, {Partition: "all", Min: 5, Max: 6, Rows: 20}},
			true},
		{"no first source", []part{{Partition: "all", Min: 3, Max: 4, Rows: 20},
			{Partition: "all", Min: 5, Max: 6, Rows: 20}}, false},
		{"no last source", []part{{Partition: "all", Min: 1, Max: 2, Rows: 20}, {Partition: "all", Min: 3, Max: 4, Rows: 20}},
			false},
		{"no middle source", []part{{Partition: "all", Min: 1, Max: 2, Rows: 10},
			{Partition: "all", Min: 5, Max: 6, Rows: 10}}, false},
		{"another partition", []part{{Partition: "other", Min: 1, Max: 6, Rows: 30}}, false},
		{"the parts on both sides of it", []part{{Partition: "all", Min: 0, Max: 0, Rows: 20},
			{Partition: "all", Min: 7, Max: 9, Rows: 20}}, false},
		{"nothing", nil, false},
	}
	for _, tt := range tests {
		if got := (&tableParts{parts: tt.parts}).covers(merged); got != tt.want {
			t.Errorf("%s: covered %v", tt.name, got)
		}
	}
}
