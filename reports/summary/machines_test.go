package summary

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"statewire/store"
	"statewire/store/storetest"
)

// told is what the model keeps of one message that counts: nothing later came on its topic.
type told struct{ serial, state, at int }

// topicID is one topic of one machine.
type topicID struct {
	topic int
	id    string
}

// fleet is a site of a few machines, and what the rule needs to know of it, written down beside it.
type fleet struct {
	*site
	classes map[[2]int]string
	states  [6]map[topicID]told
	seen    map[topicID]int // minute in which the id was first told of
	scans   [6]int          // minute of the last completed scan; 0: none
	gap     [6]bool
	retired [6]bool
	member  [6]bool
	targets map[string]bool // by kind and id: aimed at the collection
	minute  int             // the relay's clock
	serial  int
	changes int
}

// idsOf are the ids of the fleet by kind: an id has the types of one kind only.
var idsOf = map[string][]string{
	"update": {"u1", "u2", "u3"}, "deployment": {"d1", "d2"}, "baseline": {"b1"}, "scan": {"apt"},
}

// spokenOn are the leading types of a kind, the one that wins first, then its details.
var spokenOn = map[string][2][]int{
	"update": {{500, 400}, {402}}, "deployment": {{300}, {301, 302}}, "baseline": {{401}, {402}}, "scan": {{501}, nil},
}

func newFleet(t *testing.T, seed uint64) *fleet {
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "state-classes.csv"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := store.ParseClasses(text)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{classes: map[[2]int]string{}, seen: map[topicID]int{}, targets: map[string]bool{}, minute: 10}
	for _, c := range list {
		f.classes[[2]int{int(c.TopicType), int(c.StateID)}] = c.Class
	}
	opt := store.Options{Classes: list}
	f.site = &site{t: t, store: storetest.NewWith(t, store.DefaultConfig(), opt), rand: rand.New(rand.NewPCG(seed, 5)),
		dies: -1}
	f.start()
	f.exec("INSERT INTO collections (name, revision, kind) VALUES ('servers', 1, 'query')")
	for n := range f.states {
		f.states[n] = map[topicID]told{}
		f.exec("INSERT INTO client_reports (client_id, received_time) VALUES ('" + idOf(n) + "', '2026-05-01 00:00:00')")
	}
	return f
}

func idOf(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n+1) }

func at(minute int) string { return fmt.Sprintf("2026-05-01 %02d:%02d:00", minute/60, minute%60) }

// tell lets a machine say a state on a random type of a random subject, a completed scan the more often.
func (f *fleet) tell() {
	kind := []string{"update", "update", "deployment", "baseline", "scan", "scan"}[f.rand.IntN(6)]
	id := idsOf[kind][f.rand.IntN(len(idsOf[kind]))]
	types := slices.Concat(spokenOn[kind][0], spokenOn[kind][1])
	topic := types[f.rand.IntN(len(types))]
	if kind == "baseline" && f.seen[topicID{401, id}] == 0 {
		topic = 401 // an enforcement (402) alone makes it an update
	}
	state := []int{0, 1, 2, 3, 5, 6, 9, 10, 99}[f.rand.IntN(9)]
	if topic == 501 && f.rand.IntN(2) == 0 {
		state = 3
	}
	f.say(f.rand.IntN(len(f.states)), topicID{topic, id}, state)
}

func (f *fleet) say(n int, on topicID, state int) {
	f.minute++
	f.serial++
	scanned := f.minute - f.rand.IntN(9) // its own clock
	f.exec(fmt.Sprintf(`INSERT INTO state_messages (client_id, serial, received_time, message_us, topic_type, topic_id,
		state_id, payload_hash)
		VALUES ('%s', %d, '%s', toUnixTimestamp64Micro(toDateTime64('%s', 6, 'UTC')), %d, '%s', %d, %[2]d)`,
		idOf(n), f.serial, at(f.minute), at(scanned), on.topic, on.id, state))
	f.states[n][on] = told{f.serial, state, scanned}
	if f.seen[on] == 0 {
		f.seen[on] = f.minute
	}
	if on.topic == 501 && state == 3 {
		f.scans[n] = max(f.scans[n], scanned)
	}
}

// turn changes what decides without a message: a target, a member, a gap, a retirement.
func (f *fleet) turn() {
	n := f.rand.IntN(len(f.states))
	f.changes++
	switch f.rand.IntN(4) {
	case 0:
		kind := []string{"update", "deployment"}[f.rand.IntN(2)]
		id := idsOf[kind][f.rand.IntN(len(idsOf[kind]))]
		f.targets[kind+id] = !f.targets[kind+id]
		target := map[bool]string{true: "servers"}[f.targets[kind+id]]
		f.exec(fmt.Sprintf("INSERT INTO topic_titles (topic_id, source, kind, target, version) "+
			"VALUES ('%s', 'file', '%s', '%s', %d)", id, kind, target, f.changes))
	case 1:
		f.member[n] = !f.member[n]
		f.exec(fmt.Sprintf("INSERT INTO collection_now (name, client_id, member, version) VALUES ('servers', '%s', %t, %d)",
			idOf(n), f.member[n], f.changes))
	case 2:
		f.gap[n] = !f.gap[n]
		f.exec(fmt.Sprintf("INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, "+
			"closed) VALUES ('%s', 900000, 900001, now64(6), now64(6), %t)", idOf(n), !f.gap[n]))
	case 3:
		f.retired[n] = !f.retired[n]
		f.exec(fmt.Sprintf("INSERT INTO client_retirements (client_id, state, version) VALUES ('%s', '%s', %d)", idOf(n),
			map[bool]string{true: "retired", false: "unretired"}[f.retired[n]], f.changes))
	}
}

// stands is a machine's class on a subject by what it said, and since when; an empty class where it said nothing.
func (f *fleet) stands(n int, kind, id string) (class string, since int) {
	classOf := func(topic int) (string, told, bool) {
		s, ok := f.states[n][topicID{topic, id}]
		return cmp.Or(f.classes[[2]int{topic, s.state}], "said_unknown"), s, ok
	}
	led, latest, works := false, -1, -1
	for _, topic := range spokenOn[kind][0] {
		if c, s, ok := classOf(topic); ok && !led {
			class, since, led = c, s.at, true
		}
	}
	for _, topic := range spokenOn[kind][1] {
		c, s, ok := classOf(topic)
		if ok && !led && s.serial > latest {
			class, since, latest = c, s.at, s.serial
		}
		if busy := slices.Contains([]string{"pending", "restart", "failed"}, c); ok && led && busy && s.serial > works &&
			(class == "bad" || works >= 0) {
			class, since, works = c, s.at, s.serial
		}
	}
	return class, since
}

// firstSeen is when a subject was first told of; 0 when never.
func (f *fleet) firstSeen(kind, id string) (first int) {
	for _, topic := range slices.Concat(spokenOn[kind][0], spokenOn[kind][1]) {
		if at := f.seen[topicID{topic, id}]; at > 0 && (first == 0 || at < first) {
			first = at
		}
	}
	return first
}

// row is what a machine's row has to be.
func (f *fleet) row(n int) string {
	var required, pending, failed, restart, unknown, notKnown, good, subjects, oldest, since int
	restartFor, failedFor := []string{}, []string{}
	for kind, ids := range idsOf {
		for _, id := range ids {
			aimed, first := f.targets[kind+id], f.firstSeen(kind, id)
			if aimed && (!f.member[n] || f.retired[n]) || first == 0 && !aimed {
				continue
			}
			class, at := f.stands(n, kind, id)
			if kind == "scan" {
				if class == "failed" {
					failed++
					failedFor = append(failedFor, id)
				} else if class == "said_unknown" {
					unknown++
				}
				if f.scans[n] > 0 {
					subjects++
				}
				continue
			}
			if class == "" && !aimed && (kind != "update" || f.scans[n] == 0) {
				continue
			}
			subjects++
			switch class {
			case "":
				if aimed || f.gap[n] || f.scans[n] < first {
					notKnown++
				}
				continue
			case "good":
				good++
				continue
			case "said_unknown":
				unknown++
				continue
			case "not_applicable":
				continue
			case "pending":
				pending++
			case "restart":
				restart++
				restartFor = append(restartFor, id)
				if since == 0 || at < since {
					since = at
				}
			case "failed":
				failed++
				failedFor = append(failedFor, id)
			}
			required++
			if oldest == 0 || at < oldest {
				oldest = at
			}
		}
	}
	notKnown += unknown
	slices.Sort(restartFor)
	slices.Sort(failedFor)
	class := "compliant"
	switch {
	case failed > 0:
		class = "failed"
	case restart > 0:
		class = "restart"
	case required > 0:
		class = "required"
	case notKnown > 0 || subjects == 0:
		class = "not_known"
	}
	time := func(minute int) string {
		if minute == 0 {
			return "-"
		}
		return at(minute)
	}
	return fmt.Sprintf("%d%s %v %s %s %v %v %s", n+1, class, []int{required, pending, failed, restart, unknown, notKnown,
		good, subjects}, time(oldest), time(since), restartFor, failedFor, time(f.scans[n]))
}

func (f *fleet) want() (all []string) {
	for n := range f.states {
		if !f.retired[n] {
			all = append(all, f.row(n))
		}
	}
	return all
}

const machineRows = `SELECT concat(toString(toUInt32(right(toString(client_id), 3))), class, ' [', arrayStringConcat(
	[required, pending, failed, restart, said_unknown, not_known, good, subjects], ' '), '] ',
	ifNull(toString(oldest_required), '-'), ' ', ifNull(toString(restart_since), '-'), ' [', arrayStringConcat(restart_for,
	' '),
	'] [', arrayStringConcat(failed_for, ' '), '] ', ifNull(toString(last_scan), '-'))
	FROM machine_states ORDER BY client_id`

// A machine's row is what the rule says of it, whatever happened before, in any order, and wherever a process died.
func TestMachinesStandWhereTheRulePutsThem(t *testing.T) {
	seeds, steps := uint64(1), 4
	if os.Getenv("STATEWIRE_TEST_LONG") != "" {
		seeds, steps = 8, 14
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { machinesStand(t, seed, steps) })
	}
}

func machinesStand(t *testing.T, seed uint64, steps int) {
	f := newFleet(t, seed)
	for step := range steps {
		for range 6 + f.rand.IntN(12) {
			f.tell()
		}
		for range f.rand.IntN(3) {
			f.turn()
		}
		if f.rand.IntN(3) == 0 {
			f.step(f.rand.IntN(6))
		}
		if f.rand.IntN(4) == 0 {
			f.exec("OPTIMIZE TABLE machine_now FINAL")
		}
		f.step(-1)
		got, want := f.rows(machineRows), f.want()
		for i := range want {
			if len(got) != len(want) || got[i] != want[i] {
				t.Fatalf("seed %d, step %d: machines are\n%q\nwant\n%q", seed, step, got, want)
			}
		}
	}
	const written = "SELECT toString((SELECT count() FROM machine_now)) || ' ' || " +
		"toString((SELECT max(version) FROM machine_now))"
	before := f.rows(written)
	f.start()
	f.step(-1)
	f.step(-1)
	if after := f.rows(written); !slices.Equal(before, after) {
		t.Errorf("a step without a change wrote: %v, then %v", before, after)
	}
}
