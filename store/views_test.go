package store_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/store"
	"statewire/store/storetest"
)

// modelled are the views that are held against the model, with what is compared of their rows.
var modelled = []struct {
	name, columns string // TIME(x) is x in microseconds after the epoch of the test
	want          func(life) []string
}{
	{"clients", "client_id, netbios_name, client_version, client_type, TIME(first_report_time), TIME(last_report_time)",
		life.clientRow},
	{"SR_ClientMessageStats",
		"ClientID, LastSerialNumber, toUnixTimestamp64Milli(LastMessageTime), TIME(LastResyncIssuedTime), " +
			"TIME(LastResyncClientCompletedTime)", life.statsRow},
	{"client_floors", "client_id, floor, completion_floor, baseline_floor, TIME(completion_time), TIME(settled_time)",
		life.floorRow},
	{"unconfirmed_states", "client_id, topic_type, topic_id, state_id, serial, floor, TIME(since)", life.unconfirmedRows},
	{"open_conflicts", "client_id, serial, CAST(kind, 'String'), TIME(received_time), TIME(detected_time)",
		life.conflictRows},
	{"SR_MissingMessageRanges", "ClientID, FirstSerial, LastSerial, TIME(DetectedTime), SerialJump", life.missingRows},
	{"SMS_CN_ClientStatus", "ClientID, OnlineStatus, ChannelType, TIME(LastStatusTime), ServerID", life.presenceRows},
}

// Some hundred short lives, drawn so that their edges meet: each view has the rows that a plain model of its rule has,
// merged or not.
func TestViewsAreThoseOfAModel(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "SYSTEM STOP MERGES")
	r := rand.New(rand.NewPCG(52, 1))
	var lives []life
	for client := range 250 {
		lives = append(lives, drawLife(r, byte(client)))
	}
	storeLives(t, s, lives)
	for _, state := range []string{"not merged", "merged"} {
		for _, v := range modelled {
			var want []string
			for _, l := range lives {
				want = append(want, v.want(l)...)
			}
			slices.Sort(want)
			if got := view(t, s, v.name, v.columns); !slices.Equal(got, want) {
				t.Errorf("%s, %s: has\n%sand lacks\n%s", v.name, state, diff(got, want), diff(want, got))
			}
			if len(want) < 40 {
				t.Errorf("%s has %d rows: too few to tell anything", v.name, len(want))
			}
		}
		exec(t, s, "SYSTEM START MERGES")
		for _, table := range mergeTrees(t, s) {
			exec(t, s, "OPTIMIZE TABLE "+table.Name+" FINAL")
		}
	}
}

// storeLives stores everything, with one insert per table.
func storeLives(t *testing.T, s *store.Store, lives []life) {
	t.Helper()
	rows := map[string][]string{}
	add := func(table, format string, values ...any) {
		rows[table] = append(rows[table], fmt.Sprintf(format, values...))
	}
	at := func(us int64) string { return after(time.Duration(us) * time.Microsecond) }
	var messages []message
	for _, l := range lives {
		id := clientID(l.client)
		messages = append(messages, l.messages...)
		for _, r := range l.reports {
			add("client_reports (client_id, received_time, source_file, report_index, netbios_name, client_version, client_type)",
				"('%s', %s, '%s', %d, '%s', '%s', %d)", id, at(r.at), r.file, r.index, r.name, r.version, r.kind)
		}
		for _, run := range l.runs {
			add("serial_ranges (client_id, first_serial, last_serial)", "('%s', %d, %d)", id, run[0], run[1])
		}
		for _, r := range l.resyncs {
			add("resyncs (client_id, number, issued_time)", "('%s', %d, %s)", id, r.number, at(r.issued))
		}
		for _, b := range l.baselines {
			add("baselines (client_id, serial, accepted_time)", "('%s', %d, %s)", id, b.serial, at(b.accepted))
		}
		for _, m := range l.missing {
			add("missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed, jump)",
				"('%s', %d, %d, %s, %s, %d, %d)", id, m.first, m.last, at(m.detected), at(m.checked), m.closed, m.jump)
		}
		for _, c := range l.conflicts {
			add("serial_conflicts (client_id, serial, kind, received_time, detected_time)",
				"('%s', %d, '%s', %s, %s)", id, c.serial, c.kind, at(c.received), at(c.detected))
		}
		for _, p := range l.presence {
			add("client_presence (client_id, online_status, channel_type, last_status_time, server_id, version)",
				"('%s', %d, %d, %s, 1, %d)", id, p.status, p.channel, at(p.at), p.version)
		}
	}
	insert(t, t.Context(), s, messages...)
	for into, values := range rows {
		exec(t, s, "INSERT INTO "+into+" VALUES "+strings.Join(values, ","))
	}
}

var timeOf = regexp.MustCompile(`TIME\((\w+)\)`)

// view are the rows of a view as text, in order.
func view(t *testing.T, s *store.Store, name, columns string) (out []string) {
	t.Helper()
	columns = timeOf.ReplaceAllString(columns, fmt.Sprintf("toUnixTimestamp64Micro($1) - %d", epoch.UnixMicro()))
	rows, err := s.Conn().Query(t.Context(), "SELECT toString(tuple("+columns+")) AS row FROM "+name+" ORDER BY row")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
