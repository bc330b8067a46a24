package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Whoever reads an older store hears what to do, not the engine's word for a table that is not there yet.
func TestAnOlderStoreIsExplained(t *testing.T) {
	older := errors.New(
		"the site's store has schema 58, this program knows 82: start the site, or run `statewire store migrate`")
	for _, tc := range []struct {
		name      string
		g         globals
		code      int32
		explained bool
	}{
		{"a table that is not there yet", globals{older: older}, 60, true},
		{"a column", globals{older: older}, 47, true},
		{"a column of an insert", globals{older: older}, 16, true},
		{"something else", globals{older: older}, 241, false},
		{"this program's store", globals{}, 60, false},
		{"the user's own SQL", globals{older: older, ownSQL: true}, 60, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			was := fmt.Errorf("ask: %w", &clickhouse.Exception{Code: tc.code, Name: "NAME", Message: "made up"})
			said := tc.g.explainOlder(was).Error()
			if strings.Contains(said, "statewire store migrate") != tc.explained ||
				strings.Contains(said, "made up") == tc.explained {
				t.Errorf("said %q", said)
			}
		})
	}
	if (&globals{older: older}).explainOlder(nil) != nil {
		t.Error("a command that did well fails")
	}
}
