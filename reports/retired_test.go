package reports_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/collections"
	"statewire/reports"
	"statewire/reports/reportstest"
	"statewire/reports/summary"
	"statewire/resync"
	"statewire/resync/gaps"
)

// history are the reports that tell of what was, and of one client by its name: retired clients stay in them.
var history = []string{"account", "bad-files", "bad-records", "client-operations", "client-states",
	"component-messages", "freshness", "gap-checks",
	"messages", "presence-history", "refused-reports", "resync-steps", "resyncs", "retired-clients", "set-aside",
	"set-aside-ends", "state-names", "task-steps", "throughput", "volume"}

// oddOnes gives clients what the crowd has none of: a clock that is wrong, a claim that jumped, states that only the
// site holds; and a client that only ever polled.
func oddOnes(s *reportstest.Site, poller int, clients ...int) {
	s.Polled(poller, 7, 1, 1, 3*hour)
	for _, n := range append(clients, poller) {
		s.Exec(fmt.Sprintf("INSERT INTO claims_aside (client_id, last_serial, seen_serial, claimed_time) VALUES ('%s', "+
			"9000000000, 10, '%s')", id(n), s.Micros(hour)))
	}
	for _, n := range clients {
		s.Exec(fmt.Sprintf(`INSERT INTO state_messages (client_id, serial, message_us, received_time, loaded_time, topic_type,
			topic_id, state_id, flags, source_file, payload_hash) VALUES ('%[1]s', 31, 0, '%[2]s', '%[2]s', 500, 'clock', 2, 1, 'w', 1)`, id(n),
			s.Micros(2*hour)))
	}
	var silent []message
	for _, n := range clients {
		silent = append(silent, message{Client: n, Ago: 9 * hour, Topic: 300, ID: "instant", State: 2})
	}
	s.Messages(silent...)
}

// retire marks clients as retired, or as taken back.
func retire(s *reportstest.Site, state string, version int, clients ...int) {
	for _, n := range clients {
		s.Exec(fmt.Sprintf("INSERT INTO client_retirements (client_id, state, retired_time, retired_by, reason, version) "+
			"VALUES ('%s', '%s', '%s', 'anna', 'sold', %d)", id(n), state, s.Micros(time.Hour), version))
	}
}

// population is what every report but those of history says, by name.
func population(s *reportstest.Site) map[string]string {
	r := s.Runner(func(_ *reports.Config, d *reports.Deps) { d.Now = s.Clock })
	out := map[string]string{}
	for _, rep := range r.Catalog().List() {
		params := maps.Clone(reportstest.Asked[rep.Name])
		if rep.Name == "silent-clients" {
			params = map[string]string{"hours": "1"}
		}
		rows, _ := paged(s, r, rep.Name, params, 0)
		if len(rep.Order) == 0 {
			slices.Sort(rows)
		}
		out[rep.Name] = strings.Join(rows, "\n")
	}
	return out
}

func summed(t *testing.T, s *reportstest.Site) (rows []string) {
	t.Helper()
	if err := summary.New(30*time.Second, summary.Deps{Store: s.Store}).Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.Store.EachRow(t.Context(), "SELECT topic_type, topic_id, arraySum(clients) FROM subject_now FINAL "+
		"ORDER BY topic_type, topic_id", nil, func(scan func(...any) error) error {
		var topic uint32
		var name string
		var clients uint64
		err := scan(&topic, &name, &clients)
		rows = append(rows, fmt.Sprint(topic, name, clients))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// A site with retired clients says the same as one that never had them, report by report, whether or not summaries were
// made; and the same as before when they are back.
func TestRetiredClientsAreInNoCount(t *testing.T) {
	if os.Getenv("STATEWIRE_TEST_LONG") == "" {
		t.Skip("each report five times: make long")
	}
	now := time.Now()
	all, left := crowdOf(t, now, 1, 2, 3, 4, 5, 6), crowdOf(t, now, 1, 3, 6)
	oddOnes(all, 7, 1, 2, 3, 4)
	oddOnes(all, 8)
	oddOnes(left, 8, 1, 3)
	gone := []int{2, 4, 5, 7}
	for _, n := range gone[:3] { // the servers are the same ones
		left.NotificationServer(n, fmt.Sprintf("push%d", n), hour)
	}
	all.Presence(reportstest.Presence{Client: 5, Server: 5, Online: true, HTTP: true, Since: hour, Heard: hour,
		Reason: "signin",
		Why:    "timeout"})
	all.Exec("ALTER TABLE client_presence DELETE WHERE client_id = '" + id(4).String() + "' SETTINGS mutations_sync = 2")
	compare := func(when string, got, want map[string]string) {
		t.Helper()
		for name := range want {
			if !slices.Contains(history, name) && got[name] != want[name] {
				t.Errorf("%s, %s:\n%s\nwant\n%s", when, name, got[name], want[name])
			}
		}
	}
	summed(t, left)
	whole := summed(t, all) // machines are counted by summaries alone
	before, want := population(all), population(left)
	for name := range want {
		if !slices.Contains(history, name) && before[name] == want[name] {
			t.Errorf("%s says the same of both: the test tells nothing of it", name)
		}
	}
	retire(all, "retired", 1, gone...)
	compare("retired", population(all), want)
	if got, want := summed(t, all), summed(t, left); !slices.Equal(got, want) {
		t.Errorf("summaries hold %v, want %v", got, want)
	}
	compare("retired and summed", population(all), want)
	retire(all, "unretired", 2, gone...)
	compare("taken back", population(all), before)
	if got := summed(t, all); !slices.Equal(got, whole) {
		t.Errorf("summaries hold %v, want %v", got, whole)
	}

	erase(t, all, gone...)
	for _, when := range []string{"erased", "erased and summed"} {
		for name, got := range population(all) {
			if !slices.Contains(ofNoClient, name) && got != want[name] {
				t.Errorf("%s, %s:\n%s\nwant\n%s", when, name, got, want[name])
			}
		}
		if got, want := summed(t, all), summed(t, left); !slices.Equal(got, want) {
			t.Errorf("summaries hold %v, want %v", got, want)
		}
	}
}

// ofNoClient are the reports about what goes by no client: nothing of them is erased.
var ofNoClient = []string{"bad-files", "component-messages", "gap-checks", "account", "freshness", "set-aside",
	"throughput"}

// erase removes clients from the store.
func erase(t *testing.T, s *reportstest.Site, clients ...int) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	service, err := resync.New(resync.DefaultConfig(), resync.Deps{Store: s.Store, Denier: nobody{},
		Collections: collections.New(s.Store, log, time.Now),
		Unread:      func(context.Context) (gaps.Unread, error) { return gaps.Unread{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range clients {
		if _, err := service.Erase(t.Context(), id(n), "sold"); err != nil {
			t.Fatal(err)
		}
	}
}

// nobody has a certificate.
type nobody struct{}

func (nobody) Deny(context.Context, uuid.UUID) error { return nil }

// A report ends a retirement, and only that of its client; what is known of it stays.
func TestAReportBringsARetiredClientBack(t *testing.T) {
	s := crowdOf(t, time.Now(), 1, 2)
	retire(s, "retired", 1, 1, 2)
	list := func() string {
		return reportstest.Lines(s.All(s.Runner(), "retired-clients", nil), "netbios_name", "retired_by", "reason",
			"retired_time")
	}
	expect(t, list(), fmt.Sprintf("PC-1 | anna | sold | %[1]s\nPC-2 | anna | sold | %[1]s", s.At(hour)))
	s.Polled(1, 46, 9, 3, 0)
	expect(t, list(), fmt.Sprintf("PC-1 | anna | sold | %[1]s\nPC-2 | anna | sold | %[1]s", s.At(hour)))
	s.Reports(report{Client: 1, Name: "PC-1", File: "again", Messages: 1}, report{Client: 1, Name: "PC-1", File: "more"},
		report{Client: 3, Name: "PC-3", File: "new"})
	expect(t, list(), fmt.Sprintf("PC-2 | anna | sold | %s", s.At(hour)))
	var rows []string
	err := s.Store.EachRow(t.Context(), "SELECT CAST(state, 'String'), retired_by, reason, toString(ended_time) "+
		"FROM client_retirements FINAL WHERE client_id = '"+id(1).String()+"'", nil, func(scan func(...any) error) error {
		var state, by, reason, ended string
		err := scan(&state, &by, &reason, &ended)
		rows = append(rows, state, by, reason, ended)
		return err
	})
	if want := []string{"returned", "anna", "sold", s.Micros(0)}; err != nil || !slices.Equal(rows, want) {
		t.Errorf("%v, %v, want %v", rows, err, want)
	}
	retire(s, "retired", 3, 1)
	expect(t, list(), fmt.Sprintf("PC-1 | anna | sold | %[1]s\nPC-2 | anna | sold | %[1]s", s.At(hour)))
}
