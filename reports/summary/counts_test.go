package summary

import (
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"statewire/reports/reportstest"
	"statewire/store/storetest"
)

// modelState is a state as a client told of it.
type modelState struct {
	serial, ms int64
	state      uint32
}

// modelClient is what decides about a client of the model.
type modelClient struct {
	seen, retired, silent, waiting, gap, aside, unsent, scanned bool

	scan, wrong int64 // µs
	states      map[topic]modelState
}

// model says how clients stand by the rule of docs/compliance.md, one client and subject at a time.
type model struct {
	*site
	clients []*modelClient
	seen    map[topic]int64 // first arrival, µs
	classes map[[2]uint32]string
	targets map[string]string // by topic id
	groups  map[string]string // by topic id
	members map[string]map[int]bool
	now     time.Time
	serial  int64
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{site: &site{t: t, store: storetest.New(t), rand: rand.New(rand.NewPCG(seed, 14)), dies: -1},
		seen: map[topic]int64{}, classes: map[[2]uint32]string{}, targets: map[string]string{}, groups: map[string]string{},
		members: map[string]map[int]bool{}, now: time.Now().UTC().Truncate(time.Second)}
	m.start()
	m.loadClasses()
	for range 14 {
		m.clients = append(m.clients, &modelClient{states: map[topic]modelState{}})
	}
	return m
}

func (m *model) loadClasses() {
	text, err := os.ReadFile("../../configs/state-classes.csv")
	if err != nil {
		m.t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(text) + "9003,2,good\n9003,3,bad\n")).ReadAll()
	if err != nil {
		m.t.Fatal(err)
	}
	var values []string
	for _, row := range rows[1:] {
		values = append(values, fmt.Sprintf("(14, %s, %s, '%s')", row[0], row[1], row[2]))
		var key [2]uint32
		if _, err := fmt.Sscan(row[0], &key[0]); err != nil {
			m.t.Fatal(err)
		}
		if _, err := fmt.Sscan(row[1], &key[1]); err != nil {
			m.t.Fatal(err)
		}
		m.classes[key] = row[2]
	}
	m.exec("INSERT INTO state_classes (classes_hash, topic_type, state_id, class) VALUES " + strings.Join(values, ", "))
	m.exec("INSERT INTO class_loads (classes_hash, loaded_time) VALUES (14, now64(6, 'UTC') + INTERVAL 1 HOUR)")
}

func uuidOf(client int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", client) }

func stamp(us int64) string { return time.UnixMicro(us).UTC().Format("2006-01-02 15:04:05.000000") }

// ago is a time of the model, some whole hours back: scans and first arrivals meet at the same moments.
func (m *model) ago(most int) int64 {
	return m.now.Add(-time.Duration(m.rand.IntN(most)+1) * time.Hour).UnixMicro()
}

// report makes a client known; a silent one reported weeks ago.
func (m *model) report(n int) {
	c := m.clients[n]
	at := m.now.Add(-time.Hour)
	if !c.seen {
		c.silent = m.rand.IntN(3) == 0
	}
	if c.silent {
		at = m.now.Add(-20 * 24 * time.Hour)
	}
	c.seen = true
	m.exec(fmt.Sprintf(`INSERT INTO client_reports (client_id, received_time, source_file, netbios_name) VALUES ('%s', '%s',
		'%d.SMX', 'PC')`, uuidOf(n), stamp(at.UnixMicro()), m.rand.IntN(9)))
}

// messages loads some at once, and half of the time once more.
func (m *model) messages(count int) {
	var values []string
	for range count {
		types := []uint32{500, 500, 500, 400, 402, 402, 300, 301, 302, 401, 501, 501, 9003, 20002}
		kind := types[m.rand.IntN(len(types))]
		values = append(values, m.message(m.rand.IntN(len(m.clients)), topic{kind, m.id("udb")}, uint32(m.rand.IntN(8))))
	}
	statement := `INSERT INTO state_messages (client_id, serial, received_time, message_us, topic_type, topic_id, state_id,
		payload_hash) VALUES ` + strings.Join(values, ", ")
	m.exec(statement)
	if m.rand.IntN(2) == 0 {
		m.exec(statement)
	}
}

// id is one of a few that begin with one of these letters, and that nobody should take for a part of a statement.
func (m *model) id(letters string) string {
	return fmt.Sprintf("%c'\\\t%d", letters[m.rand.IntN(len(letters))], m.rand.IntN(3))
}

// message is one with a serial above all before, told earlier than it arrived or, by a clock that is wrong, later.
func (m *model) message(n int, t topic, state uint32) string {
	m.serial++
	received := m.ago(300)
	told := received - 3_600_000_000*int64(m.rand.IntN(3))
	if m.rand.IntN(8) == 0 {
		told = received + 3_600_000_000*int64(1+m.rand.IntN(3))
	}
	c := m.clients[n]
	c.states[t] = modelState{m.serial, told / 1000, state}
	if before, has := m.seen[t]; !has || received < before {
		m.seen[t] = received
	}
	if t.kind == 501 && state == 3 {
		c.scanned = true
		if told > received+300_000_000 {
			c.wrong = max(c.wrong, received)
		} else {
			c.scan = max(c.scan, told)
		}
	}
	id := strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\t", `\t`).Replace(t.id)
	return fmt.Sprintf("('%s', %d, '%s', %d, %d, '%s', %d, %d)", uuidOf(n), m.serial, stamp(received), told, t.kind, id, state,
		m.rand.Uint64())
}

// happens changes something that no message tells of.
func (m *model) happens() {
	n := m.rand.IntN(len(m.clients))
	c, version := m.clients[n], m.serial+1
	m.serial++
	switch m.rand.IntN(9) {
	case 0:
		c.retired = !c.retired
		state := map[bool]string{true: "retired", false: "unretired"}[c.retired]
		m.exec(fmt.Sprintf("INSERT INTO client_retirements (client_id, state, version) VALUES ('%s', '%s', %d)", uuidOf(n),
			state, version))
	case 1:
		c.waiting = !c.waiting
		m.exec(fmt.Sprintf("INSERT INTO clients_waiting (client_id, waiting, version) VALUES ('%s', %t, %d)", uuidOf(n),
			c.waiting, version))
	case 2:
		c.gap = !c.gap
		m.exec(fmt.Sprintf(`INSERT INTO missing_ranges (client_id, first_serial, last_serial, checked_time, closed)
			VALUES ('%s', 1, 2, '%s', %t)`, uuidOf(n), stamp(m.now.UnixMicro()+version), !c.gap))
	case 3:
		c.aside = true
		m.exec(fmt.Sprintf(`INSERT INTO set_aside_records (client_id, source_file, code, received_time, set_aside_time)
			VALUES ('%s', 'f%d', 'bad_date', '%s', '%s')`, uuidOf(n), n, stamp(m.ago(9)), stamp(m.ago(9))[:23]))
	case 4:
		c.aside = false
		m.exec(fmt.Sprintf(`INSERT INTO set_aside_ends (name, until, how, received_time, time) VALUES ('f%d.0.SMX', '%s', 'dropped',
			'%[2]s', '%[3]s')`, n, stamp(m.now.UnixMicro()), stamp(m.now.UnixMicro())[:23]))
	case 5:
		c.unsent = !c.unsent
		m.exec(fmt.Sprintf("INSERT INTO client_caches (client_id, unsent, claimed_time) VALUES ('%s', %t, '%s')", uuidOf(n),
			c.unsent, stamp(m.now.UnixMicro()+version)))
	case 6, 7:
		m.target(m.id("ud"))
	case 8:
		m.collection("t"+fmt.Sprint(m.rand.IntN(2)), uint64(version))
	}
}

func (m *model) target(id string) {
	m.serial++
	m.targets[id] = []string{"", "t0", "t1", "none"}[m.rand.IntN(4)]
	m.groups[id] = []string{"", "g", "h"}[m.rand.IntN(3)]
	escaped := strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\t", `\t`).Replace(id)
	m.exec(fmt.Sprintf("INSERT INTO topic_titles (topic_id, source, target, grp, version) VALUES ('%s', 'file', '%s', '%s', %d)",
		escaped, m.targets[id], m.groups[id], m.serial))
}

func (m *model) collection(name string, revision uint64) {
	m.members[name] = map[int]bool{}
	values := []string{fmt.Sprintf("('%s', %d, '%s')", name, revision, uuidOf(99))}
	for n := range m.clients {
		if m.rand.IntN(2) == 0 {
			m.members[name][n] = true
			values = append(values, fmt.Sprintf("('%s', %d, '%s')", name, revision, uuidOf(n)))
		}
	}
	m.exec("INSERT INTO collection_clients (name, revision, client_id) VALUES " + strings.Join(values, ", "))
	m.exec(fmt.Sprintf("INSERT INTO collections (name, revision, kind) VALUES ('%s', %d, 'list')", name, revision))
}

// kindOf is the kind of a topic type of an id.
func (m *model) kindOf(t topic) string {
	has := func(kind uint32) bool { _, ok := m.seen[topic{kind, t.id}]; return ok }
	switch t.kind {
	case 400, 401, 402, 500:
		if has(401) && !has(400) && !has(500) {
			return "baseline"
		}
		return "update"
	case 300, 301, 302:
		return "deployment"
	case 501:
		return "scan"
	}
	return "other"
}

// class is the first line of the rule that applies to a client, and its cause.
func (m *model) class(n int, kind string, t topic) string {
	c, target := m.clients[n], m.targets[t.id]
	said := m.said(c, kind, t)
	inside := target == "" || m.members[target][n]
	seen := int64(0)
	for other, at := range m.seen {
		if other.id == t.id && m.kindOf(other) == kind && (kind != "other" || other.kind == t.kind) &&
			(seen == 0 || at < seen) {
			seen = at
		}
	}
	asked := target != "" || kind == "update" && c.scanned
	switch {
	case !inside && said != "":
		return "outside_spoke"
	case !inside:
		return "outside"
	case said != "":
		return said
	case target == "" && kind == "update" && c.scanned && c.scan >= seen && !c.gap:
		return "implied"
	case !asked:
		return "outside"
	case c.waiting:
		return "waiting"
	case c.gap:
		return "gap"
	case c.aside:
		return "set_aside"
	case c.unsent:
		return "unsent"
	case c.silent:
		return "silent"
	case c.wrong > c.scan:
		return "clock"
	case kind == "update" && c.scan < seen:
		return "not_scanned"
	}
	return "never_told"
}

// said is the class of what a client said of a subject; empty where it said nothing.
func (m *model) said(c *modelClient, kind string, t topic) string {
	classOf := func(kind2 uint32) string {
		s, ok := c.states[topic{kind2, t.id}]
		if !ok {
			return ""
		}
		if class := m.classes[[2]uint32{kind2, s.state}]; class != "" {
			return class
		}
		return map[bool]string{true: "other", false: "said_unknown"}[kind == "other"]
	}
	leading, detail := "", ""
	types := []uint32{t.kind}
	details := []uint32{}
	switch kind {
	case "update":
		types, details = []uint32{400, 500}, []uint32{402}
	case "deployment":
		types, details = []uint32{300}, []uint32{301, 302}
	case "baseline":
		types, details = []uint32{401}, []uint32{402, 500, 400}
	}
	for _, one := range types {
		if class := classOf(one); class != "" {
			leading = class
		}
	}
	latest, furthest, progress := int64(-1), int64(-1), ""
	for _, one := range details {
		s, class := c.states[topic{one, t.id}], classOf(one)
		if class != "" && s.serial > latest {
			latest, detail = s.serial, class
		}
		if slices.Contains([]string{"pending", "restart", "failed"}, class) && s.serial > furthest {
			furthest, progress = s.serial, class
		}
	}
	switch {
	case leading == "":
		return detail
	case leading == "bad" && progress != "":
		return progress
	}
	return leading
}

// lines are the rows that there should be.
func (m *model) lines() (out []string) {
	kinds := map[subjectKey]topic{}
	for t := range m.seen {
		kind := m.kindOf(t)
		switch {
		case kind != "other":
			kinds[subjectKey{kind: kind, id: t.id}] = topic{0, t.id}
		case t.kind == 9003:
			kinds[subjectKey{kind, t.id, t.kind}] = t
		}
	}
	for key, t := range kinds {
		if key.kind == "scan" {
			t.kind = 501
		}
		counts := map[string]int{}
		for n, c := range m.clients {
			if c.seen && !c.retired {
				counts[m.class(n, key.kind, t)]++
			}
		}
		delete(counts, "outside")
		line := fmt.Sprintf("%s %d %q", key.kind, key.topic, key.id)
		for _, class := range slices.Sorted(maps.Keys(counts)) {
			line += fmt.Sprintf(" %s:%d", class, counts[class])
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

// counted are the rows that there are, in the same words.
func (m *model) counted() (out []string) {
	rows, _, err := m.s.counts.stored(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	for key, r := range rows {
		counts := maps.Clone(r.notKnown)
		for class, n := range map[string]uint64{"good": r.good, "bad": r.bad, "pending": r.pending, "restart": r.restart,
			"failed": r.failed, "not_applicable": r.naSaid, "implied": r.naImplied, "said_unknown": r.saidUnknown,
			"other": r.other, "outside_spoke": r.outside} {
			if n > 0 {
				counts[class] = n
			}
		}
		if key.kind != "other" {
			key.topic = 0
		}
		line := fmt.Sprintf("%s %d %q", key.kind, key.topic, key.id)
		for _, class := range slices.Sorted(maps.Keys(counts)) {
			line += fmt.Sprintf(" %s:%d", class, counts[class])
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

// counts steps until nothing dies.
func (m *model) count(dies int) {
	m.t.Helper()
	m.dies, m.before = dies, m.rand.IntN(2) == 0
	m.s.counts.job.rests = time.Time{}
	if err := m.s.counts.step(m.t.Context()); err != nil {
		if !errors.Is(err, errDied) {
			m.t.Fatal(err)
		}
		m.start()
		m.count(-1)
	}
}

// The counts of many subjects at once, of slices and parts as small as can be, are those of the rule.
func TestCountsOfSubjectsAreThoseOfTheRule(t *testing.T) {
	for seed := range uint64(1) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			m := newModel(t, seed)
			m.s.counts.slicePairs, m.s.counts.partClients = 20, 8
			for n := range 12 {
				m.report(n)
			}
			for i := range uint64(2) {
				m.collection(fmt.Sprint("t", i), i+1)
			}
			for round := range 3 {
				m.messages(40)
				for range 6 {
					m.happens()
				}
				m.target(m.id("u"))
				m.target(m.id("d"))
				m.count(m.rand.IntN(6) - 2)
				m.same(fmt.Sprint("round ", round), m.counted(), m.lines())
				m.machines()
				for _, collection := range []string{"", "t1"} {
					m.same(fmt.Sprintf("round %d, updates of %q", round, collection), m.asks("updates", collection),
						m.standings("update", collection))
					m.same(fmt.Sprintf("round %d, deployments of %q", round, collection), m.asks("deployments", collection),
						m.standings("deployment", collection))
					m.same(fmt.Sprintf("round %d, groups of %q", round, collection), m.asksGroups(collection), m.grouped(collection))
				}
			}
			m.writesNothing()
		})
	}
}

// writesNothing holds that another step, and one that counts all anew, leaves every row.
func (m *model) writesNothing() {
	m.t.Helper()
	m.count(-1)
	const written = "SELECT toString(count()) || ' ' || toString(max(version)) FROM subject_counts"
	before := m.rows(written)
	m.count(-1)
	m.s.counts.again()
	m.count(-1)
	if after := m.rows(written); !slices.Equal(before, after) {
		m.t.Errorf("a step without a change wrote: %v, then %v", before, after)
	}
}

func (m *model) same(what string, got, want []string) {
	m.t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			m.t.Fatalf("%s:\n%s\nwant\n%s", what, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		m.t.Fatalf("%s: %d subjects, want %d\n%q\n%q", what, len(got), len(want), got, want)
	}
}

// columns are those of a report whose sum is the scope, in one order.
var columns = map[string][]string{
	"updates":     {"compliant", "bad", "pending", "restart", "failed", "not_applicable", "not_known", "outside"},
	"deployments": {"success", "bad", "in_progress", "restart", "error", "not_applicable", "not_known", "outside"},
}

// asks are the rows of a report.
func (m *model) asks(report, collection string) (out []string) {
	seed := &reportstest.Seed{T: m.t, Store: m.store, Now: m.now}
	for _, row := range seed.All(seed.Runner(), report, map[string]string{"collection": collection}) {
		line := fmt.Sprintf("%q", row["topic_id"])
		for _, column := range columns[report] {
			line += " " + row[column]
		}
		out = append(out, line+" "+row["percent"])
	}
	slices.Sort(out)
	return out
}

// standings are the rows that a report should have.
func (m *model) standings(kind, collection string) (out []string) {
	for id := range m.idsOf(kind) {
		counts := map[string]int{}
		for n, c := range m.clients {
			if c.seen && !c.retired && (collection == "" || m.members[collection][n]) {
				counts[m.class(n, kind, topic{0, id})]++
			}
		}
		notKnown := counts["said_unknown"]
		for _, cause := range causes {
			notKnown += counts[cause]
		}
		needs := counts["good"] + counts["bad"] + counts["pending"] + counts["restart"] + counts["failed"]
		percent := ""
		if needs > 0 {
			percent = strconv.FormatFloat(float64(1000*counts["good"]/needs)/10, 'f', -1, 64)
		}
		out = append(out, fmt.Sprintf("%q %d %d %d %d %d %d %d %d %s", id, counts["good"], counts["bad"], counts["pending"],
			counts["restart"], counts["failed"], counts["not_applicable"]+counts["implied"], notKnown,
			counts["outside"]+counts["outside_spoke"], percent))
	}
	slices.Sort(out)
	return out
}

func (m *model) idsOf(kind string) map[string]bool {
	ids := map[string]bool{}
	for t := range m.seen {
		if m.kindOf(t) == kind {
			ids[t.id] = true
		}
	}
	return ids
}

// machines counts all machines.
func (m *model) machines() {
	m.t.Helper()
	s := New(time.Second, Deps{Store: m.store})
	for _, j := range s.jobs {
		if j.name == "machines" {
			if err := j.run(m.t.Context(), j); err != nil {
				m.t.Fatal(err)
			}
		}
	}
}

func (m *model) asksGroups(collection string) (out []string) {
	seed := &reportstest.Seed{T: m.t, Store: m.store, Now: m.now}
	for _, row := range seed.All(seed.Runner(), "groups", map[string]string{"collection": collection}) {
		out = append(out, fmt.Sprint(row["group"], " ", row["compliant"], " ", row["required"], " ", row["not_known"], " ",
			row["not_applicable"]))
	}
	slices.Sort(out)
	return out
}

// grouped are the machines by where they stand on each group: required, else not known, else compliant.
func (m *model) grouped(collection string) (out []string) {
	counts := map[string]*[4]int{}
	for n, c := range m.clients {
		stands := map[string]int{}
		for _, kind := range []string{"update", "deployment", "baseline"} {
			for id := range m.idsOf(kind) {
				group := m.groups[id]
				if group == "" {
					continue
				}
				if counts[group] == nil {
					counts[group] = &[4]int{}
				}
				if !c.seen || c.retired || collection != "" && !m.members[collection][n] {
					continue
				}
				place := 3
				switch m.class(n, kind, topic{0, id}) {
				case "outside", "outside_spoke":
					place = 0
				case "not_applicable", "implied":
					place = 1
				case "good":
					place = 2
				case "bad", "pending", "restart", "failed":
					place = 4
				}
				stands[group] = max(stands[group], place)
			}
		}
		for group, worst := range stands {
			if worst > 0 {
				counts[group][worst-1]++
			}
		}
	}
	for group, n := range counts {
		out = append(out, fmt.Sprint(group, " ", n[1], " ", n[3], " ", n[2], " ", n[0]))
	}
	slices.Sort(out)
	return out
}
