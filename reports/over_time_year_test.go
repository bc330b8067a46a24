package reports_test

import (
	"fmt"
	"testing"
	"time"

	"statewire/reports"
	"statewire/reports/summary"
)

// A year of 2,000 clients, asked 200 times while it goes on: each answer is that of its moment, also when everything was
// loaded again, retention dropped the history and the days were made anew. Moments before the history are refused then.
func TestAYearOfASite(t *testing.T) {
	if !thorough {
		t.Skip("make long plays a year")
	}
	const clients, asked, window = 2000, 200, 44 * time.Hour
	s := newRuleSite(t)
	begin := s.Now.Add(-asked * window).Truncate(time.Microsecond)
	const events = `SELECT reinterpret(sipHash128(number), 'UUID') AS client_id,
		if(h %% 20 = 0, greatest(1, %[1]d - 3), %[1]d + 1) AS serial,
		fromUnixTimestamp64Micro(%[2]d + toInt64(h %% %[3]d), 'UTC') AS received_time,
		toUnixTimestamp64Micro(received_time) - toInt64(h %% 600000000) AS message_us,
		[500, 402, 501][1 + h %% 3] AS topic_type, if(topic_type = 501, 'apt', concat('u', toString(intDiv(h, 10) %% 4))) AS topic_id,
		multiIf(topic_type = 402, [5, 9, 10, 11][1 + intDiv(h, 1000) %% 4], topic_type = 501, 3,
			1 + intDiv(h, 1000) %% 3) AS state_id, h AS payload_hash
		FROM (SELECT number, sipHash64(number, %[1]d) AS h FROM numbers(%[4]d)) WHERE h %% 2 = 0`
	columns := "client_id, serial, received_time, message_us, topic_type, topic_id, state_id, payload_hash"
	chunk := func(n int) string {
		return fmt.Sprintf(events, n, begin.Add(time.Duration(n)*window).UnixMicro(), window.Microseconds(), clients)
	}
	params := map[string]string{"subject": "update/u1"}
	answered := map[time.Time]string{}
	for n := range asked {
		s.Exec("INSERT INTO state_messages (" + columns + ") " + chunk(n))
		s.Exec("INSERT INTO client_reports (client_id, received_time, source_file) SELECT client_id, received_time, " +
			"toString(payload_hash) FROM (" + chunk(n) + ")")
		answered[begin.Add(time.Duration(n+1)*window-time.Microsecond)] = s.said("subject", params)
	}
	check := func(when string, from time.Time) {
		t.Helper()
		for at, want := range answered {
			params["as_of"] = at.Format(time.RFC3339Nano)
			if at.Before(from) {
				rows, err := s.runner.Run(t.Context(), "subject", params, reports.Page{})
				if err == nil && rows.Moment != nil && rows.Close() == nil {
					t.Errorf("%s: as of %s is answered", when, at)
				}
				continue
			}
			if got := s.said("subject", params); got != want {
				t.Errorf("%s: as of %s it is %s, the site said %s", when, at, got, want)
			}
		}
	}
	check("at the end", time.Time{})
	for n := range asked {
		s.Exec("INSERT INTO state_messages (" + columns + ") SELECT client_id, serial, now64(6), message_us, topic_type, topic_id, " +
			"state_id, payload_hash FROM (" + chunk(asked-1-n) + ")")
	}
	made := summary.New(time.Second, summary.Deps{Store: s.Store})
	if err := made.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("loaded again", time.Time{})
	if _, err := made.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	const kept = 100 * 24
	s.Exec(fmt.Sprintf("ALTER TABLE state_messages MODIFY TTL toDateTime(received_time) + INTERVAL %d HOUR DELETE", kept))
	s.Exec(fmt.Sprintf("ALTER TABLE topic_history MODIFY TTL toDateTime(received_time) + INTERVAL %d HOUR "+
		"GROUP BY topic_type, topic_id, client_id SET place = max(place), state_id = argMax(state_id, place), "+
		"received_time = argMax(received_time, place), earliest = argMax(earliest, place)", kept))
	s.Exec(fmt.Sprintf("INSERT INTO retention_notes (noted_time, hours, in_force) VALUES (now64(6), %d, true)", kept))
	s.Exec("OPTIMIZE TABLE state_messages FINAL")
	s.Exec("OPTIMIZE TABLE topic_history FINAL")
	check("after retention", s.Now.Add(-kept*time.Hour+time.Minute))
}
