package main

import (
	"fmt"
	"strings"
	"testing"

	"statewire/cmd/statewire/cli"
	"statewire/store/storetest"
)

// What a policy pauses and whose clock is wrong explain what a site shows: status says both, and stays ok.
func TestStatusSaysWhatIsPausedAndWhoseClockIsWrong(t *testing.T) {
	db := storetest.New(t)
	exec := func(sql string, args ...any) {
		t.Helper()
		if err := db.Conn().Exec(db.InsertContext(t.Context()), fmt.Sprintf(sql, args...)); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(when, topics, clocks string) {
		t.Helper()
		checks := factChecks(t.Context(), db)
		if len(checks) != 2 || checks[0].health != cli.HealthOK || checks[1].health != cli.HealthOK ||
			!strings.HasPrefix(checks[0].detail, topics) || !strings.HasPrefix(checks[1].detail, clocks) {
			t.Errorf("%s: %+v; want %q, %q", when, checks, topics, clocks)
		}
	}
	policy := func(collection string, revision int, types, paused string, deleted int) {
		t.Helper()
		exec("INSERT INTO policies (collection, revision, priority, topic_types, topic_paused, topic_interval_s, deleted) "+
			"VALUES ('%s', %d, 100, %s, %s, [], %d)",
			collection, revision, types, paused, deleted)
	}
	message := func(client, flags int, ago string) {
		t.Helper()
		exec("INSERT INTO state_messages (client_id, serial, received_time, topic_type, topic_id, state_id, payload_hash, "+
			"flags) VALUES ('%08d-0000-0000-0000-000000000001', 1, now64(6) - INTERVAL %s, 500, 'a', 2, 7, %d)",
			client, ago, flags)
	}
	message(1, 0, "1 MINUTE")
	message(2, 1<<7|2, "1 MINUTE") // other flags
	message(3, 1, "25 HOUR")
	expect("nothing", "no topic is paused", "no message of the last 24 hours")

	exec("INSERT INTO collections (name, revision) VALUES ('a', 1), ('b', 1), ('c', 1)")
	policy("a", 1, "[500, 501]", "[1, 0]", 0)
	policy("b", 1, "[500, 700]", "[1, 1]", 0)
	policy("c", 1, "[502]", "[1]", 0)
	policy("c", 2, "[502]", "[1]", 1)
	policy("gone", 1, "[503]", "[1]", 0) // nobody is in it
	message(4, 1, "23 HOUR")
	message(5, 3, "1 MINUTE")
	message(5, 3, "2 MINUTE")
	message(3, 0, "1 MINUTE") // its clock is right again
	expect("some", `policies pause 2 topic types: 500 for "a", "b"; 700 for "b"; `+"`",
		"2 clients sent messages in the last 24 hours")
}
