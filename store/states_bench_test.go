package store_test

import (
	"fmt"
	"testing"

	"statewire/store/storetest"
)

const (
	benchClients = 20_000
	benchTopics  = 200
)

// BenchmarkCurrentStates asks the view what reports ask it, over four million
// states in a dozen parts that overlap, as a running site has them, and merged.
func BenchmarkCurrentStates(b *testing.B) {
	s := storetest.New(b)
	exec(b, s, "SYSTEM STOP MERGES")
	for part := range benchTopics / 2 {
		exec(b, s, fmt.Sprintf(`INSERT INTO current_states_data
			SELECT 500 + intDiv(number, %[1]d) %% 4, concat('ScopeId_8A4D7C11/Config_', toString(%[2]d * 2 + intDiv(number, %[1]d))), reinterpret(sipHash128(number %% %[1]d), 'UUID'), 3,
				number %% 7, 0, ['0'], epoch, epoch, number, '', 0, toUInt256(number)
			FROM (SELECT *, toDateTime64('2026-01-01 00:00:00', 6, 'UTC') AS epoch FROM numbers(%[1]d * 2))`, benchClients, part))
		exec(b, s, fmt.Sprintf(`INSERT INTO current_states_data SELECT * REPLACE (serial + 1000000000 AS serial, rank + toUInt256(1000000000) AS rank)
			FROM current_states_data WHERE cityHash64(client_id) %% %d = %d`, benchTopics*5, part))
	}
	exec(b, s, "INSERT INTO state_messages (client_id, serial, received_time, topic_type, topic_id, state_id, "+
		"payload_hash) SELECT reinterpret(sipHash128(number), 'UUID'), 0, '2026-01-01 00:00:00', 9003, 'x', 1, number "+
		"FROM numbers(1000)")
	const client = "reinterpret(sipHash128(toUInt64(77)), 'UUID')"
	questions := []struct{ name, sql string }{
		{"topic", "SELECT state_id, count() FROM current_states WHERE topic_type = 502 AND topic_id = " +
			"'ScopeId_8A4D7C11/Config_5' GROUP BY state_id FORMAT Null"},
		{"type", "SELECT state_id, count() FROM current_states WHERE topic_type = 501 GROUP BY state_id FORMAT Null"},
		{"client", "SELECT * FROM current_states WHERE client_id = " + client + " FORMAT Null"},
		{"page", "SELECT * FROM current_states WHERE topic_type = 502 AND topic_id = 'ScopeId_8A4D7C11/Config_5' ORDER BY " +
			"client_id LIMIT 100 FORMAT Null"},
		{"all", "SELECT topic_type, state_id, count() FROM current_states GROUP BY ALL FORMAT Null"},
	}
	for _, parts := range []string{"parts", "merged"} {
		if parts == "merged" {
			exec(b, s, "SYSTEM START MERGES", "OPTIMIZE TABLE current_states_data FINAL")
		}
		for _, q := range questions {
			b.Run(q.name+"/"+parts, func(b *testing.B) {
				for b.Loop() {
					exec(b, s, q.sql)
				}
			})
		}
	}
}
