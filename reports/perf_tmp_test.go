package reports

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestPerfTmp(t *testing.T) {
	s := newSite(t)
	idOf := "toUUID(concat('00000000-0000-4000-8000-', leftPad(toString(number), 12, '0')))"
	ins := func(q string) {
		b := time.Now()
		i := strings.LastIndex(q, "numbers(")
		total, _ := strconv.Atoi(strings.TrimSuffix(q[i+8:], ")"))
		for from := 0; from < total; from += 100000 {
			s.exec(fmt.Sprintf("%snumbers(%d, %d)", q[:i], from, min(100000, total-from)))
		}
		t.Logf("%.60s %v", q, time.Since(b))
	}
	const n = 1000000
	ins(fmt.Sprintf("INSERT INTO client_reports (client_id, received_time, source_file, report_index, netbios_name, client_version, client_type, messages, first_serial, last_serial) SELECT %s, now64(6) - toIntervalSecond(number %% 500000), concat('f', toString(number)), 0, concat('PC', toString(number)), '5', 1, 10, 1, 100 FROM numbers(%d)", idOf, n))
	ins(fmt.Sprintf("INSERT INTO serial_ranges (client_id, first_serial, last_serial) SELECT %s, 1, 100 FROM numbers(%d)", idOf, n))
	ins(fmt.Sprintf("INSERT INTO client_claims (client_id, last_serial, claimed_time) SELECT %s, 100, now64(6) - 100 FROM numbers(%d)", idOf, n))
	ins(fmt.Sprintf("INSERT INTO client_caches (client_id, last_serial, states, digest, unsent, claimed_time) SELECT %s, 100, 10, 1, 0, now64(6) - 100 FROM numbers(%d)", idOf, n))
	ins(fmt.Sprintf("INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed) SELECT %s, 50, 60, now64(6) - number, now64(6), 0 FROM numbers(200000)", idOf))
	ins(fmt.Sprintf("INSERT INTO resyncs (client_id, number, issued_time, reason, issued_by, next_serial) SELECT %s, 1, now64(6) - 20000 - number, 'missing', '', 101 FROM numbers(100000)", idOf))
	ins(fmt.Sprintf("INSERT INTO resync_pickups (client_id, number, picked_up_time) SELECT %s, 1, now64(6) - 19000 - number FROM numbers(95000)", idOf))
	ins(fmt.Sprintf("INSERT INTO state_messages (client_id, serial, message_us, received_time, topic_type, topic_id, state_id, params, payload_hash) SELECT %s, 101, 0, now64(6) - 18000 - number, 700, 'x', 2, ['90'], number FROM numbers(90000)", idOf))
	ins(fmt.Sprintf("INSERT INTO state_messages (client_id, serial, message_us, received_time, topic_type, topic_id, state_id, params, payload_hash) SELECT toUUID(concat('00000000-0000-4000-8000-', leftPad(toString(intDiv(number,10)), 12, '0'))), 1 + number %% 10, 0, now64(6) - 18000 - number %% 1000, 500, toString(number %% 10), 2, [], number FROM numbers(2000000)"))
	r := s.detective()
	_ = r
	for _, c := range []struct {
		name string
		p    map[string]string
	}{
		{"completeness", nil}, {"client-completeness", nil}, {"client-completeness", map[string]string{"only": "all"}}, {"client-completeness", map[string]string{"client": "PC77"}}, {"open-ranges", nil}, {"missing-ranges", nil}, {"missing-ranges", map[string]string{"client": id(77).String()}},
		{"resyncs", nil}, {"resyncs", map[string]string{"step": "any"}}, {"resync-steps", nil}, {"outstanding-resyncs", nil}, {"unconfirmed-states", nil}, {"silent-clients", nil}, {"silent-clients", map[string]string{"verdict": "silent"}}, {"conflicts", nil}, {"differing-clients", nil}, {"unconfirmed-states", map[string]string{"client": "PC77"}},
	} {
		b := time.Now()
		rows, err := r.Run(t.Context(), c.name, c.p, Page{Limit: 100})
		if err != nil {
			t.Errorf("%s: %v after %v", c.name, err, time.Since(b))
			continue
		}
		readRows(t, rows)
		t.Logf("%s %v: %v", c.name, c.p, time.Since(b))
	}
	params := map[string]string{"client": id(77).String(), "most": "100", "serial": "55", "since": micros(time.Now()), "floor": "90", "type": "-1", "id": "", "at": micros(time.Now()), "name": "PC77"}
	files, _ := clientSQL.ReadDir("sql/client")
	for _, f := range files {
		if f.Name() == "topic.sql" {
			continue
		}
		name := strings.TrimSuffix(f.Name(), ".sql")
		b := time.Now()
		if _, err := r.ask(t.Context(), name, params); err != nil {
			t.Logf("%s %v", name, err)
		}
		t.Logf("%s %v", name, time.Since(b))
	}
}
