package store_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/store"
	"statewire/store/storetest"
)

const day = 24 * time.Hour

// keeper is a store as the process with the ingest role has it, at a time and with a
// retention of its own.
type keeper struct {
	*store.Store
	log strings.Builder
	now time.Time
}

func (k *keeper) step(t *testing.T, atOnce bool) {
	t.Helper()
	k.log.Reset()
	if err := store.HistoryStep(k.Store, t.Context(), atOnce); err != nil {
		t.Fatal(err)
	}
}

// keep opens the database of s again.
func keep(t *testing.T, s *store.Store, retention time.Duration, now time.Time) *keeper {
	t.Helper()
	k := &keeper{now: now}
	cfg := store.DefaultConfig()
	cfg.Retention = retention
	var err error
	k.Store, err = storetest.AgainWith(t, s, cfg, store.Options{
		Clock: func() time.Time { return k.now }, Log: slog.New(slog.NewTextHandler(&k.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// historyTables are all that retention empties, and nothing else: the current states, the clients and what arrived
// outlive it.
var historyTables = []string{"bad_files", "client_reports", "component_status", "refused_reports", "resync_checks",
	"set_aside_ends", "set_aside_records", "state_messages", "topic_history"}

// inForce is the retention of every table of history, which must be one. No other table may have any.
func inForce(t *testing.T, s *store.Store) string {
	t.Helper()
	var tables, all []string
	row := s.Conn().QueryRow(t.Context(), `SELECT arraySort(groupArray(name)), groupUniqArray(extract(create_table_query, 'TTL .*? \+ (toInterval\\w+\\(\\d+\\))')) FROM system.tables
		WHERE database = currentDatabase() AND create_table_query LIKE '% TTL %'
		AND name NOT IN ('presence_history', 'task_steps')`) // which have a life of their own
	if err := row.Scan(&tables, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) > 0 && !slices.Equal(tables, historyTables) {
		t.Errorf("a retention is on the tables %v, want %v", tables, historyTables)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// received stores messages that came so long before now.
func received(t *testing.T, s *store.Store, now time.Time, ago ...time.Duration) {
	t.Helper()
	for i, d := range ago {
		insert(t, t.Context(), s, message{Client: 1, Serial: uint64(i + 1), Hash: uint64(i + 1),
			Received: now.Add(-d).Sub(epoch).Microseconds()})
	}
}

func TestAShorterRetentionWaitsForADay(t *testing.T) {
	s := storetest.New(t)
	now := time.Now()
	received(t, s, now, 5*day, 3*day, time.Hour)
	const old, short = "toIntervalDay(400)", "toIntervalHour(48)"
	messages := func() uint64 { return count(t, s, "SELECT count() FROM state_messages") }
	k := keep(t, s, 0, now)
	for _, step := range []struct {
		name  string
		keep  time.Duration
		after time.Duration // since the first step
		now   bool
		want  string
		says  string
		rows  uint64
	}{
		{"the one in force says nothing", 400 * day, 0, false, old, "", 3},
		{"a shorter one is announced with both values and the rows", 2 * day, 0, false, old, "from=400d to=2d rows_to_drop=2",
			3},
		{"and not again", 2 * day, time.Hour, false, old, "", 3},
		{"another one begins anew", day, 2 * time.Hour, false, old, "from=400d to=1d rows_to_drop=2", 3},
		{"the first one too, when it comes back", 2 * day, 23 * time.Hour, false, old, "to=2d", 3},
		{"a day after another one was seen, which was taken back", 2 * day, 26*time.Hour - time.Second, false, old, "", 3},
		{"just before a day is over", 2 * day, 47*time.Hour - time.Second, false, old, "", 3},
		{"a day after it was seen", 2 * day, 47 * time.Hour, false, short,
			"level=WARN msg=\"retention shortened: older history is dropped\" from=400d to=2d rows=2", 1},
		{"in force", 2 * day, 48 * time.Hour, false, short, "", 1},
		{"a longer one at once", 3 * day, 48 * time.Hour, false, "toIntervalHour(72)", "from=2d to=3d", 1},
		{"at once where a person says so", 36 * time.Hour, 48 * time.Hour, true, "toIntervalHour(36)", "from=3d to=36h", 1},
		{"for ever", 0, 48 * time.Hour, false, "", "from=36h to=\"for ever\"", 1},
		{"whatever is shorter than for ever waits", 9000 * day, 48 * time.Hour, false, "",
			"from=\"for ever\" to=9000d rows_to_drop=0", 1},
	} {
		// each step is a restart: all that is known of the earlier ones is in the store
		store.SetRetention(k.Store, step.keep)
		k.now = now.Add(step.after)
		k.step(t, step.now)
		if got := inForce(t, s); got != step.want {
			t.Errorf("%s: in force %q, want %q", step.name, got, step.want)
		}
		if text := k.log.String(); !strings.Contains(text, step.says) || step.says == "" && text != "" {
			t.Errorf("%s: it said %q, want %q", step.name, text, step.says)
		}
		waitFor(t, func() bool {
			return count(t, s, "SELECT countIf(NOT is_done) FROM system.mutations WHERE database = currentDatabase()") == 0
		})
		if n := messages(); n != step.rows {
			t.Errorf("%s: %d messages, want %d", step.name, n, step.rows)
		}
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not come true")
}

// The engine drops a part whose end is noted as past, whatever the definition says by
// then: a longer retention has to reach the parts that are there.
func TestALongerRetentionReachesTheRowsThatAreThere(t *testing.T) {
	cfg := store.DefaultConfig()
	cfg.Retention = 48 * time.Hour
	s := storetest.NewWith(t, cfg, store.Options{})
	now := time.Now()
	received(t, s, now, time.Hour)
	keep(t, s, 400*day, now).step(t, false)
	waitFor(t, func() bool {
		return count(t, s, fmt.Sprintf(
			"SELECT countIf(delete_ttl_info_max < toDateTime(%d)) FROM system.parts WHERE database = currentDatabase() AND "+
				"table = 'state_messages' AND active",
			now.Add(390*day).Unix())) == 0
	})
}

// A crash between the definition and the rows is made good by the next start.
func TestARetentionThatWasCutShortIsFinished(t *testing.T) {
	s := storetest.New(t)
	now := time.Now()
	received(t, s, now, 5*day, time.Hour)
	keep(t, s, 2*day, now).step(t, true)
	waitFor(t, func() bool { return count(t, s, "SELECT count() FROM state_messages") == 1 })
	exec(t, s, "ALTER TABLE retention_notes DELETE WHERE in_force AND hours = 48 SETTINGS mutations_sync = 1")
	received(t, s, now.Add(-10*day), 0)
	keep(t, s, 2*day, now).step(t, false)
	const mutations = "SELECT count() FROM system.mutations WHERE database = currentDatabase() AND table = " +
		"'state_messages'"
	if n := count(t, s, mutations); n != 2 {
		t.Errorf("%d mutations, want one for each time", n)
	}
	keep(t, s, 2*day, now).step(t, false)
	if n := count(t, s, mutations); n != 2 {
		t.Errorf("%d mutations after a step that has nothing to do", n)
	}
}

// Where one table keeps its rows for less long than the others, a retention between the two still takes from those: it
// waits.
func TestARetentionIsMeasuredByTheLongestLife(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "ALTER TABLE bad_files MODIFY TTL toDateTime(set_aside_time) + INTERVAL 240 HOUR DELETE SETTINGS "+
		"materialize_ttl_after_modify = 0")
	k := keep(t, s, 20*day, time.Now())
	k.step(t, false)
	if text := k.log.String(); !strings.Contains(text, "a shorter retention waits for a day") ||
		!strings.Contains(text, "from=400d to=20d") {
		t.Errorf("it said %q", text)
	}
}

func TestRetentionKeepsTheLatestMessageWithoutASerial(t *testing.T) {
	s := storetest.New(t)
	topics := []string{"x", `it's \ "q", (1)`, "\t\n\x00é"}
	for i := range 5 {
		for n, topic := range topics {
			insert(t, t.Context(), s, message{Client: 1, Topic: 9003, TopicID: topic, State: uint32(i), Hash: uint64(10*i + n),
				Received: int64(i)})
		}
	}
	want := currentStates(t, t.Context(), s, "")
	k := keep(t, s, 0, time.Now())
	store.PruneAtOnce(k.Store, 7)
	k.step(t, false)
	if n := count(t, s, "SELECT count() FROM instant_states_data"); n != 15 {
		t.Errorf("without a retention %d messages are kept, want all 15", n)
	}
	k = keep(t, s, 48*time.Hour, time.Now())
	store.PruneAtOnce(k.Store, 7)
	for _, atOnce := range []bool{false, true, false} {
		k.step(t, atOnce)
		kept := map[bool]uint64{false: 15, true: 3}[inForce(t, s) != ""]
		if n := count(t, s, "SELECT count() FROM instant_states_data"); n != kept {
			t.Errorf("%d messages are kept, want %d", n, kept)
		}
	}
	if got := currentStates(t, t.Context(), s, ""); !slices.Equal(got, want) {
		t.Errorf("current states %v, want %v", got, want)
	}
	const mutations = "SELECT count() FROM system.mutations WHERE database = currentDatabase() AND table = " +
		"'instant_states_data'"
	if n := count(t, s, mutations); n != 2 {
		t.Errorf("%d removals, want 2: 7 rows and 5", n)
	}
	// A replicated table refuses a mutation with a subquery.
	if n := count(t, s, mutations+" AND command ILIKE '%select%'"); n != 0 {
		t.Errorf("%d removals have a subquery", n)
	}
}

// Retention leaves the last message of each client on a topic: whoever asks for a moment after its end finds what was said
// before. A copy, a conflict and what is younger change nothing of that.
func TestRetentionFoldsTheHistoryOfTopics(t *testing.T) {
	cfg := store.DefaultConfig()
	cfg.Retention = 48 * time.Hour
	s := storetest.NewWith(t, cfg, store.Options{})
	hours := func(n int) int64 { return time.Since(epoch).Microseconds() - int64(n)*time.Hour.Microseconds() }
	insert(t, t.Context(), s,
		message{Client: 1, Serial: 3, Topic: 500, TopicID: "u", State: 3, Hash: 3, Received: hours(90)},
		message{Client: 1, Serial: 1, Topic: 500, TopicID: "u", State: 1, Hash: 9, Received: hours(95)},
		message{Client: 1, Serial: 3, Topic: 500, TopicID: "u", State: 2, Hash: 2, Received: hours(80)}, // a serial used twice
		message{Client: 1, Serial: 2, Topic: 500, TopicID: "u", State: 1, Hash: 8, Received: hours(70)}, // came late
		message{Client: 1, Serial: 4, Topic: 500, TopicID: "u", State: 1, Hash: 1, Received: hours(10)},
		message{Client: 2, Serial: 7, Topic: 500, TopicID: "u", State: 2, Hash: 1, Received: hours(99)})
	exec(t, s, "OPTIMIZE TABLE topic_history FINAL")
	var got string
	row := s.Conn().QueryRow(t.Context(), `SELECT toString(arraySort(groupArray((bitShiftRight(place, 128), state_id,
		dateDiff('hour', received_time, now64(3)))))) FROM topic_history`)
	if err := row.Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := "[(3,3,90),(4,1,10),(7,2,99)]"; got != want {
		t.Errorf("serial, state and age in hours are %s, want %s", got, want)
	}
}
