package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"statewire/agent/cache"
	"statewire/fleet"
	"statewire/smx"
)

// madeUp is rows that a test makes up.
type madeUp struct {
	driver.Rows
	rows   []string
	at     int
	fault  error
	closed bool
}

func (l *madeUp) Next() bool   { l.at++; return l.at <= len(l.rows) }
func (l *madeUp) Err() error   { return l.fault }
func (l *madeUp) Close() error { l.closed = true; return nil }

func scanMadeUp(rows driver.Rows) (client, row string, err error) {
	client, row, _ = strings.Cut(rows.(*madeUp).rows[rows.(*madeUp).at-1], " ")
	return client, row, nil
}

func TestRowsAreReadByClient(t *testing.T) {
	source := &madeUp{rows: []string{"a 1", "a 2", "c 3", "d 4", "f 5"}}
	b := &byClient[string]{rows: source, scan: scanMadeUp}
	if err := b.advance(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ client, want string }{
		{"a", "1,2"}, {"b", ""}, {"d", "4"}, {"e", ""}, {"f", "5"}, {"g", ""},
	} {
		rows, err := b.of(c.client)
		if got := strings.Join(rows, ","); err != nil || got != c.want {
			t.Errorf("client %s has %q, %v; want %q", c.client, got, err, c.want)
		}
	}
	if err := b.close(); err != nil || !source.closed {
		t.Errorf("the rows are left open: %v", err)
	}
	broken := &byClient[string]{rows: &madeUp{rows: []string{"a 1"}, fault: errors.New("connection lost")},
		scan: scanMadeUp}
	if err := broken.advance(); err != nil {
		t.Fatal(err)
	}
	if _, err := broken.of("a"); err == nil || !strings.Contains(err.Error(), "connection lost") {
		t.Errorf("a broken read ends with %v", err)
	}
}

// showDifferences is what n clients with one open range each look like in a format.
func showDifferences(t *testing.T, format string, n int) string {
	t.Helper()
	var out bytes.Buffer
	v, err := newVerifier(&out, format)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		held := []cache.Held{{State: cache.State{Message: smx.Message{Time: time.Unix(0, 0), TopicType: 500, TopicID: "x"}}}}
		if err := v.note(v.verdict.Compare(smx.ClientID{byte(i)}, held, fleet.SiteClient{})); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.end(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestDifferencesInEveryFormat(t *testing.T) {
	for _, n := range []int{0, 1, 2, mostDifferences + 7} {
		var object struct {
			Differences []struct{ Client, Difference string }
			Different   int
		}
		if err := json.Unmarshal([]byte(showDifferences(t, "json", n)), &object); err != nil ||
			len(object.Differences) != n || object.Different != n {
			t.Errorf("json of %d: %+v, %v", n, object, err)
		}
		if lines := strings.Count(showDifferences(t, "jsonl", n), "\n"); lines != n {
			t.Errorf("jsonl of %d has %d lines", n, lines)
		}
		rows, err := csv.NewReader(strings.NewReader(showDifferences(t, "csv", n))).ReadAll()
		if err != nil || len(rows) != n+1 || rows[0][1] != "difference" {
			t.Errorf("csv of %d: %q, %v", n, rows, err)
		}
		table := showDifferences(t, "table", n)
		if shown := strings.Count(table, "GUID:"); shown != min(n, mostDifferences) ||
			strings.Contains(table, "7 more") != (n > mostDifferences) {
			t.Errorf("the table of %d shows %d:\n%s", n, shown, table)
		}
	}
}
