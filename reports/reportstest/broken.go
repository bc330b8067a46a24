package reportstest

import (
	"fmt"
	"testing"
	"time"

	"statewire/reports/explain"
)

// LastBroken is the number of the last of the broken clients.
const LastBroken = 25

// BrokenClients prepares clients that are each broken in a way of their own; the table below says how.
func BrokenClients(t testing.TB) *Site {
	s := NewSite(t)
	s.Together(s.brokenClients)
	return s
}

func (s *Site) brokenClients() {
	s.Checked(20 * time.Minute)
	waiting := func(box, name string, ago time.Duration, names bool) explain.Held {
		return explain.Held{Files: []explain.HeldFile{{Box: box, Name: name, Since: s.Now.Add(-ago), Names: names}}}
	}

	s.Polled(2, 9, 9, 9, 10*time.Minute) // asks, but never reported

	s.Held[ID(3)] = waiting("low", "first.SMX", 4*time.Minute, true) // its first report waits

	s.Client(4, 12, 2*Hour) // a record was set aside
	s.Exec(fmt.Sprintf(`INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, serial, code,
		reason, line, column, received_time, set_aside_time)
		VALUES ('%s', 'latest-4.SMX', 0, 3, 11, 'bad_date', 'MessageTime 20110230000000.000000+000 is no date', 3, 77, '%s',
		'%s')`, ID(4), s.Micros(2*Hour), s.Micros(2 * Hour)[:23]))

	s.Client(5, 11, Hour) // a gap, too young for a resync
	s.Arrived(5, 20, 31)
	s.Missing(5, 12, 19, 20*Hour)
	s.Polled(5, 31, 20, 0, 30*time.Minute)

	s.Client(6, 11, 4*Day) // asked, and silent since before
	s.Arrived(6, 20, 31)
	s.Missing(6, 12, 19, 6*Day)
	s.Issued(6, 1, "missing", 32, 2*Day)

	s.Client(7, 11, 3*Hour) // the flaw of seed 003: the answer waits in the inbox
	s.Arrived(7, 20, 31)
	s.Missing(7, 12, 19, 6*Day)
	s.Issued(7, 2, "missing", 32, 4*Day)
	s.PickedUp(7, 2, 3*Day+20*Hour)
	s.Polled(7, 90, 58, 0, 40*time.Minute)
	s.Held[ID(7)] = waiting("process", "answer.SMX", 2*Hour, true)

	s.Client(8, 40, Hour) // reinstalled: its counter went back
	s.Exec(fmt.Sprintf("INSERT INTO serial_conflicts (client_id, serial, kind, received_time, detected_time) VALUES "+
		"('%s', 3, 'reused', '%s', '%s')", ID(8), s.Micros(Hour), s.Micros(20*time.Minute)))
	s.Polled(8, 40, 4, 0, 30*time.Minute)

	s.Client(9, 40, Hour) // nothing missing, and yet it holds something else
	s.Polled(9, 40, 22, 0, 50*time.Minute)
	s.Exec(fmt.Sprintf("INSERT INTO differing_clients (client_id, differs, detected_time, checked_time, client_states, "+
		"client_digest, site_states, site_digest) VALUES ('%s', 1, '%s', '%s', 22, 1, 23, 2)",
		ID(9), s.Micros(20*time.Minute), s.Micros(20*time.Minute)))

	s.Client(10, 59, Hour) // a resync left out what the site still holds
	s.Issued(10, 1, "requested", 40, 3*Hour)
	s.PickedUp(10, 1, 2*Hour)
	s.Polled(10, 59, 18, 0, 30*time.Minute)
	s.Messages(Message{Client: 10, Serial: 12, Ago: 30 * Day, Topic: 500, ID: "gone", State: 2},
		Message{Client: 10, Serial: 13, Ago: 20 * Day, Topic: 500, ID: "here", State: 3},
		Message{Client: 10, Serial: 41, Ago: 20 * Day, Received: 90 * time.Minute, Topic: 500, ID: "here", State: 3},
		Message{Client: 10, Serial: 59, Ago: 80 * time.Minute, Topic: 700, ID: ID(10).String(), State: 2,
			Params: []string{"40"}})

	s.Client(11, 40, 9*Day) // connected, but what it holds does not come
	s.Polled(11, 40, 30, 12, 20*time.Minute)

	s.Client(12, 40, 3*Hour) // its last message was lost
	s.Polled(12, 42, 30, 0, 25*time.Minute)
	s.Missing(12, 41, 42, 2*Hour)

	s.Client(13, 40, 30*time.Minute) // healthy
	s.Polled(13, 40, 30, 0, 20*time.Minute)
	s.Messages(Message{Client: 13, Serial: 33, Ago: 30 * time.Minute, Topic: 500, ID: "here", State: 2})

	// came from another site; accepted as it was
	s.Reports(Report{Client: 14, Name: "PC-0014", Received: Hour, File: "latest.SMX"})
	s.Arrived(14, 1431, 1440)
	s.Exec(fmt.Sprintf("INSERT INTO baselines (client_id, serial, accepted_time) VALUES ('%s', 1430, '%s')", ID(14),
		s.Micros(30*time.Minute)))

	s.Client(15, 11, Hour) // a person asked; its turn is to come
	s.Arrived(15, 20, 31)
	s.Missing(15, 12, 19, 3*Hour)
	s.Exec(fmt.Sprintf("INSERT INTO resync_requests (client_id, requested_time, requested_by, after_number) VALUES "+
		"('%s', '%s', 'anna', 0)", ID(15), s.Micros(5*time.Minute)))
	s.Held[ID(15)] = waiting("normal", "dropped.smx", 3*time.Minute, false)

	s.Client(16, 40, 40*Day) // gone for good

	s.Client(17, 40, Hour) // a policy pauses a topic
	s.Exec("INSERT INTO collections (name, revision, kind, query, changed_time, deleted) VALUES ('calm', 2, 'list', " +
		"'', now64(6), 0)")
	s.Exec(fmt.Sprintf("INSERT INTO collection_clients (name, revision, client_id) VALUES ('calm', 2, '%s'), ('calm', "+
		"1, '%s')", ID(17), ID(13)))
	s.Exec("INSERT INTO policies (collection, revision, priority, topic_types, topic_paused, topic_interval_s, " +
		"changed_time, deleted) VALUES ('calm', 1, 1, [402, 500], [0, 1], [60, 0], now64(6), 0)")
	s.strangeClients()
}

// strangeClients are clients 18 to 25 of the broken ones: nothing of them was lost, and yet they mislead.
func (s *Site) strangeClients() {
	for n := 18; n <= LastBroken; n++ {
		if n != 23 {
			s.Client(n, 10, Hour)
		}
	}
	stored := func(client int, serial uint64, ago time.Duration, named string, flags int, topic, hash string) {
		s.Exec(fmt.Sprintf(`INSERT INTO state_messages (client_id, serial, message_us, received_time, loaded_time,
			topic_type, topic_id, state_id, flags, source_file, payload_hash)
			VALUES ('%s', %d, toUnixTimestamp64Micro(toDateTime64('%s', 6, 'UTC')), '%s', '%s', 500, '%s', 2, %d, 'latest.SMX',
			%s)`,
			ID(client), serial, named, s.Micros(ago), s.Micros(ago)[:23], topic, flags, hash))
	}
	stored(18, 9, 2*Hour, "2000-01-01 00:00:00", 1, "old", "1") // a clock that was wrong twice
	stored(18, 10, Hour, s.Micros(-400 * Day)[:19], 1, "ahead", "2")

	s.Arrived(19, 5_000_000, 5_000_000) // a counter that jumped
	stored(19, 5_000_000, Hour, s.Micros(Hour)[:19], 128, "far", "3")
	s.Missing(19, 11, 4_999_999, 5*Hour)

	s.Issued(20, 1, "requested", 11, 5*Hour) // it has the resync and sends news, and nothing of what it holds
	s.PickedUp(20, 1, 4*Hour)
	s.Arrived(20, 11, 12)
	stored(20, 3, 9*Day, s.Micros(9 * Day)[:19], 0, "held", "4")
	stored(20, 11, 3*Hour, s.Micros(3 * Hour)[:19], 0, "news", "5")

	s.Exec(fmt.Sprintf("INSERT INTO serial_conflicts (client_id, serial, kind, received_time, detected_time) VALUES "+
		"('%s', 7, 'reused', '%s', '%s')",
		ID(21), s.Micros(Hour), s.Micros(20*time.Minute))) // one serial for two topics
	stored(21, 7, 2*Hour, s.Micros(2 * Hour)[:19], 0, "one", "6")
	stored(21, 7, Hour, s.Micros(Hour)[:19], 0, "two", "7")

	s.Exec(fmt.Sprintf("INSERT INTO claims_aside (client_id, last_serial, seen_serial, claimed_time) VALUES ('%s', "+
		"9000000, 10, '%s')", ID(22), s.Micros(2*Hour)))

	// no loader runs
	s.Held[ID(23)] = explain.Held{Stopped: true, Files: []explain.HeldFile{{Box: "normal", Name: "unloaded.SMX",
		Since: s.Now.Add(-2 * time.Minute), Names: true}}}

	s.Issued(24, 1, "missing", 5, 90*Hour) // two resyncs, and neither was answered in time
	s.Issued(24, 2, "missing", 5, 80*Hour)
	s.PickedUp(24, 2, 79*Hour)
	for number, ago := range map[int]time.Duration{1: 85 * Hour, 2: 2 * Hour} {
		s.Exec(fmt.Sprintf("INSERT INTO resync_expiries (client_id, number, expired_time, interval_s) VALUES ('%s', %d, "+
			"'%s', 259200)", ID(24), number, s.Micros(ago)))
	}

	// loaded late
	s.Reports(Report{Client: 25, Name: "PC-0025", Received: 40 * time.Minute, Lag: 35 * time.Minute, File: "copied.SMX"})
}

// TracedSite is the broken clients, with messages to follow.
func TracedSite(t testing.TB) *Site {
	s := NewSite(t)
	s.Together(func() {
		s.brokenClients()
		s.traced()
	})
	// Message 39 of client 10 never came before its answer began.
	s.Exec(fmt.Sprintf("ALTER TABLE serial_ranges DELETE WHERE client_id = '%s' SETTINGS mutations_sync = 2", ID(10)))
	s.Arrived(10, 1, 38, 40, 59)
	s.Exec(fmt.Sprintf("INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, "+
		"closed) VALUES ('%s', 39, 39, '%s', '%s', 1)", ID(10), s.Micros(20*Day), s.Micros(Hour)))
	return s
}

func (s *Site) traced() {
	s.Messages(
		Message{Client: 13, Serial: 32, Ago: 2 * Day, Topic: 500, ID: "here", State: 3, File: "older.SMX"},
		Message{Client: 5, Serial: 11, Ago: 31 * Hour, Topic: 500, ID: "a", State: 2, File: "before.SMX"},
		Message{Client: 5, Serial: 20, Ago: 30 * Hour, Topic: 500, ID: "b", State: 2, File: "after.SMX"},
		Message{Client: 8, Serial: 3, Ago: 20 * Day, Topic: 500, ID: "a", State: 3, File: "old.SMX"},
		Message{Client: 8, Serial: 3, Ago: Hour, Topic: 500, ID: "a", State: 2, File: "latest-8.SMX"},
	)
	// Message 31 of client 13 came with a receipt, was missing before, and its report came again.
	at, again := s.Micros(3*Hour), s.Micros(2*Hour)
	s.Exec(fmt.Sprintf(`INSERT INTO client_reports (client_id, received_time, loaded_time, source_file, report_index,
		receipt, netbios_name, client_version, client_type, report_time, messages, first_serial, last_serial)
		VALUES ('%[1]s', '%[2]s', '%[2]s', 'relay-31.SMX', 0, 'R-31', 'PC-0013', '', 1, '%[2]s', 2, 30, 31), ('%[1]s',
		'%[3]s', '%[3]s', 'again-31.SMX', 0, 'R-32', 'PC-0013', '', 1, '%[2]s', 2, 30, 31)`,
		ID(13), at, again))
	s.Exec(fmt.Sprintf(`INSERT INTO state_messages (client_id, serial, message_us, received_time, loaded_time, topic_type,
		topic_id, state_id, params, source_file, receipt, payload_hash)
		VALUES ('%s', 31, %d, '%s', '%s', 402, 'x', 10, [], 'relay-31.SMX', 'R-31', 5)`,
		ID(13), s.Now.Add(-4*Hour).UnixMicro(), at, s.Micros(3*Hour-time.Second)))
	s.Exec(fmt.Sprintf("INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, "+
		"closed) VALUES ('%s', 30, 31, '%s', '%s', 1)", ID(13), s.Micros(5*Hour), s.Micros(2*Hour)))
}
