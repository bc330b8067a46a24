package reports

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// site is a seed with an inbox and the shipped schedule.
type site struct {
	*seed
	held map[uuid.UUID]Held
}

func newSite(t testing.TB) *site {
	return &site{seed: newSeed(t), held: map[uuid.UUID]Held{}}
}

// detective is a runner that sees the site's inbox and settings, at the seed's own time.
func (s *site) detective(change ...func(*Deps)) *Runner {
	return s.runner(func(_ *Config, d *Deps) { s.deps(d, change...) })
}

func (s *site) deps(d *Deps, change ...func(*Deps)) {
	d.Now = func() time.Time { return s.now }
	d.Holding = func(_ context.Context, client uuid.UUID) (Held, error) { return s.held[client], nil }
	d.Schedule = shippedSchedule
	for _, c := range change {
		c(d)
	}
}

func shippedSchedule() Schedule {
	return Schedule{CheckInterval: hour, MinMissingAge: 48 * hour, MergeInterval: 72 * hour, MaxOutstanding: 1000,
		PolicyInterval: hour, SendInterval: 15 * time.Minute, PollInterval: 15 * time.Minute}
}

// arrived says which serials of a client arrived, as the loader does.
func (s *site) arrived(client int, ranges ...uint64) {
	s.t.Helper()
	for i := 0; i < len(ranges); i += 2 {
		s.exec(fmt.Sprintf("INSERT INTO serial_ranges (client_id, first_serial, last_serial) VALUES ('%s', %d, %d)", id(client), ranges[i], ranges[i+1]))
	}
}

func (s *site) micros(ago time.Duration) string { return micros(s.now.Add(-ago)) }

// missing is a range that a gap check found so long ago.
func (s *site) missing(client int, first, last uint64, ago time.Duration) {
	s.t.Helper()
	s.exec(fmt.Sprintf("INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, closed) VALUES ('%s', %d, %d, '%s', '%s', 0)",
		id(client), first, last, s.micros(ago), s.micros(30*time.Minute)))
}

// polled is a client that asked for its policy.
func (s *site) polled(client int, last uint64, states, unsent int, ago time.Duration) {
	s.t.Helper()
	s.exec(fmt.Sprintf("INSERT INTO client_claims (client_id, last_serial, claimed_time) VALUES ('%s', %d, '%s')", id(client), last, s.micros(ago)))
	s.exec(fmt.Sprintf("INSERT INTO client_caches (client_id, last_serial, states, digest, unsent, claimed_time) VALUES ('%s', %d, %d, 7, %d, '%s')",
		id(client), last, states, unsent, s.micros(ago)))
}

func (s *site) issued(client int, number uint32, reason string, next uint64, ago time.Duration) {
	s.t.Helper()
	s.exec(fmt.Sprintf("INSERT INTO resyncs (client_id, number, issued_time, reason, issued_by, next_serial) VALUES ('%s', %d, '%s', '%s', '%s', %d)",
		id(client), number, s.micros(ago), reason, map[bool]string{true: "anna"}[reason == "requested"], next))
}

func (s *site) pickedUp(client int, number uint32, ago time.Duration) {
	s.t.Helper()
	s.exec(fmt.Sprintf("INSERT INTO resync_pickups (client_id, number, picked_up_time) VALUES ('%s', %d, '%s')", id(client), number, s.micros(ago)))
}

func (s *site) checked(ago time.Duration) {
	s.t.Helper()
	s.exec(fmt.Sprintf("INSERT INTO resync_checks (time, kind, watermark, clients) VALUES ('%s', 'incremental', '%s', 12)", s.micros(ago), s.micros(ago)[:23]))
}

// client is one that reported once, so long ago, with all serials up to last.
func (s *site) client(n int, last uint64, ago time.Duration) {
	s.t.Helper()
	s.reports(report{client: n, name: fmt.Sprintf("PC-%04d", n), received: 60 * day, file: fmt.Sprintf("first-%d.SMX", n)},
		report{client: n, name: fmt.Sprintf("PC-%04d", n), received: ago, lag: 2 * time.Second, file: fmt.Sprintf("latest-%d.SMX", n), messages: 3})
	if last > 0 {
		s.arrived(n, 1, last)
	}
}

// lastBroken is the number of the last of the broken clients.
const lastBroken = 25

// brokenClients prepares clients that are each broken in a way of their own; the table below says how.
func brokenClients(t testing.TB) *site {
	s := newSite(t)
	s.checked(20 * time.Minute)
	waiting := func(box, name string, ago time.Duration, names bool) Held {
		return Held{Files: []HeldFile{{Box: box, Name: name, Since: s.now.Add(-ago), Names: names}}}
	}

	s.polled(2, 9, 9, 9, 10*time.Minute) // asks, but never reported

	s.held[id(3)] = waiting("low", "first.SMX", 4*time.Minute, true) // its first report waits

	s.client(4, 12, 2*hour) // a record was set aside
	s.exec(fmt.Sprintf(`INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, serial, code, reason, line, column, received_time, set_aside_time)
		VALUES ('%s', 'latest-4.SMX', 0, 3, 11, 'bad_date', 'MessageTime 20110230000000.000000+000 is no date', 3, 77, '%s', '%s')`, id(4), s.micros(2*hour), s.micros(2 * hour)[:23]))

	s.client(5, 11, hour) // a gap, too young for a resync
	s.arrived(5, 20, 31)
	s.missing(5, 12, 19, 20*hour)
	s.polled(5, 31, 20, 0, 30*time.Minute)

	s.client(6, 11, 4*day) // asked, and silent since before
	s.arrived(6, 20, 31)
	s.missing(6, 12, 19, 6*day)
	s.issued(6, 1, "missing", 32, 2*day)

	s.client(7, 11, 3*hour) // the flaw of seed 003: the answer waits in the inbox
	s.arrived(7, 20, 31)
	s.missing(7, 12, 19, 6*day)
	s.issued(7, 2, "missing", 32, 4*day)
	s.pickedUp(7, 2, 3*day+20*hour)
	s.polled(7, 90, 58, 0, 40*time.Minute)
	s.held[id(7)] = waiting("process", "answer.SMX", 2*hour, true)

	s.client(8, 40, hour) // reinstalled: its counter went back
	s.exec(fmt.Sprintf("INSERT INTO serial_conflicts (client_id, serial, kind, received_time, detected_time) VALUES ('%s', 3, 'reused', '%s', '%s')", id(8), s.micros(hour), s.micros(20*time.Minute)))
	s.polled(8, 40, 4, 0, 30*time.Minute)

	s.client(9, 40, hour) // nothing missing, and yet it holds something else
	s.polled(9, 40, 22, 0, 50*time.Minute)
	s.exec(fmt.Sprintf("INSERT INTO differing_clients (client_id, differs, detected_time, checked_time, client_states, client_digest, site_states, site_digest) VALUES ('%s', 1, '%s', '%s', 22, 1, 23, 2)",
		id(9), s.micros(20*time.Minute), s.micros(20*time.Minute)))

	s.client(10, 59, hour) // a resync left out what the site still holds
	s.issued(10, 1, "requested", 40, 3*hour)
	s.pickedUp(10, 1, 2*hour)
	s.polled(10, 59, 18, 0, 30*time.Minute)
	s.messages(message{client: 10, serial: 12, ago: 30 * day, topic: 500, id: "gone", state: 2},
		message{client: 10, serial: 13, ago: 20 * day, topic: 500, id: "here", state: 3},
		message{client: 10, serial: 41, ago: 20 * day, received: 90 * time.Minute, topic: 500, id: "here", state: 3},
		message{client: 10, serial: 59, ago: 80 * time.Minute, topic: 700, id: id(10).String(), state: 2, params: []string{"40"}})

	s.client(11, 40, 9*day) // connected, but what it holds does not come
	s.polled(11, 40, 30, 12, 20*time.Minute)

	s.client(12, 40, 3*hour) // its last message was lost
	s.polled(12, 42, 30, 0, 25*time.Minute)
	s.missing(12, 41, 42, 2*hour)

	s.client(13, 40, 30*time.Minute) // healthy
	s.polled(13, 40, 30, 0, 20*time.Minute)
	s.messages(message{client: 13, serial: 33, ago: 30 * time.Minute, topic: 500, id: "here", state: 2})

	s.reports(report{client: 14, name: "PC-0014", received: hour, file: "latest.SMX"}) // came from another site; accepted as it was
	s.arrived(14, 1431, 1440)
	s.exec(fmt.Sprintf("INSERT INTO baselines (client_id, serial, accepted_time) VALUES ('%s', 1430, '%s')", id(14), s.micros(30*time.Minute)))

	s.client(15, 11, hour) // a person asked; its turn is to come
	s.arrived(15, 20, 31)
	s.missing(15, 12, 19, 3*hour)
	s.exec(fmt.Sprintf("INSERT INTO resync_requests (client_id, requested_time, requested_by, after_number) VALUES ('%s', '%s', 'anna', 0)", id(15), s.micros(5*time.Minute)))
	s.held[id(15)] = waiting("normal", "dropped.smx", 3*time.Minute, false)

	s.client(16, 40, 40*day) // gone for good

	s.client(17, 40, hour) // a policy pauses a topic
	s.exec("INSERT INTO collections (name, revision, kind, query, changed_time, deleted) VALUES ('calm', 2, 'list', '', now64(6), 0)")
	s.exec(fmt.Sprintf("INSERT INTO collection_clients (name, revision, client_id) VALUES ('calm', 2, '%s'), ('calm', 1, '%s')", id(17), id(13)))
	s.exec("INSERT INTO policies (collection, revision, priority, topic_types, topic_paused, topic_interval_s, changed_time, deleted) VALUES ('calm', 1, 1, [402, 500], [0, 1], [60, 0], now64(6), 0)")
	s.strangeClients()
	return s
}

var clockForm = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`)

// relative writes each time as its distance from the seed's now, so that a golden text holds at any time.
func (s *site) relative(text string) string {
	return clockForm.ReplaceAllStringFunc(text, func(clock string) string {
		at, err := time.Parse("2006-01-02 15:04:05Z", clock)
		if err != nil {
			s.t.Fatal(err)
		}
		switch d := at.Sub(s.now.Truncate(time.Second)); {
		case d < 0:
			return "[now-" + (-d).String() + "]"
		default:
			return "[now+" + d.String() + "]"
		}
	})
}

// golden compares with a file of testdata; UPDATE_GOLDEN=1 rewrites it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, file, got)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s; UPDATE_GOLDEN=1 rewrites it\n%s", file, got)
	}
}

// TestEachBrokenClientIsExplained asks once about each: an explanation takes long.
func TestEachBrokenClientIsExplained(t *testing.T) {
	s, explained := brokenClients(t), map[int]*Explanation{}
	r := s.detective()
	for n := 1; n <= lastBroken; n++ {
		e, err := r.Explain(t.Context(), id(n).String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		explained[n] = e
	}
	t.Run("in words of its own", func(t *testing.T) { s.explainedInWords(t, explained) })
	t.Run("and each sentence rests on a stored fact", func(t *testing.T) { s.sentencesRest(t, explained) })
}

// explainedInWords holds the first sixteen against the golden text.
func (s *site) explainedInWords(t *testing.T, explained map[int]*Explanation) {
	var all strings.Builder
	causes := map[int]string{
		1: "unknown_client", 2: "never_reported", 3: "not_loaded", 4: "set_aside", 5: "gap", 6: "silent", 7: "waiting", 8: "conflict", 9: "differs",
		10: "unconfirmed", 11: "connected_silent", 12: "gap_claimed", 13: "complete", 14: "settled", 15: "resync_requested", 16: "silent",
	}
	for n := 1; n <= len(causes); n++ {
		e, found := explained[n], false
		for _, fact := range e.Facts {
			found = found || fact.Code == causes[n]
		}
		if !found {
			t.Errorf("client %d: no fact %s in\n%s", n, causes[n], e)
		}
		fmt.Fprintf(&all, "%s\n", s.relative(e.String()))
	}
	golden(t, "explain.golden", all.String())
}

func TestATopicIsExplained(t *testing.T) {
	s := brokenClients(t)
	r := s.detective()
	var all strings.Builder
	for _, c := range []struct {
		client, topic, code string
	}{
		{"pc-0013", "500/here", "topic_state"}, {"PC-0013", "500/other", "topic_never_told"}, {"PC-0010", "500/gone", "topic_unconfirmed"},
		{"PC-0005", "500/here", "topic_in_gap"}, {"PC-0004", "500/here", "topic_set_aside"}, {"PC-0007", "501/WSUS/a", "topic_not_loaded"},
		{id(2).String(), "500/here", "topic_never_reported"}, {"PC-0011", "402/x", "topic_unsent"}, {"PC-0017", "500/here", "topic_paused"}, {"PC-0017", "402/here", "topic_never_told"},
	} {
		topic, err := ParseTopic(c.topic)
		if err != nil {
			t.Fatal(err)
		}
		e, err := r.Explain(t.Context(), c.client, topic)
		if err != nil {
			t.Fatal(err)
		}
		text := e.Summary + "\n"
		for _, fact := range e.Facts {
			if strings.HasPrefix(fact.Code, "topic_") {
				text += "  " + fact.Code + ": " + fact.Text + "\n"
			}
		}
		if !strings.Contains(text, c.code) {
			t.Errorf("%s %s: no fact %s in\n%s", c.client, c.topic, c.code, text)
		}
		all.WriteString(s.relative(text))
	}
	golden(t, "explain-topic.golden", all.String())
	for _, bad := range []string{"", "500", "x/1", "-1/x", "4294967296/x"} {
		if _, err := ParseTopic(bad); err == nil {
			t.Errorf("%q is a topic", bad)
		}
	}
}
