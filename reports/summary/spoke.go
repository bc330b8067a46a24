package summary

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// spoke is what clients said of a subject.
type spoke struct {
	good, bad, pending, restart, failed, naSaid, saidUnknown, other, outside uint64

	stale       uint64   // of those inside the target, who are silent
	askedSilent uint64   // of those who would be asked, who are silent
	askedAs     []uint64 // by what they would count as, had they said nothing; the first is waiting
	newest      int64    // in ms; 0: nobody spoke
	oldestBad   int64    // in ms; 0: nobody is not compliant
}

func (s *spoke) add(o spoke) {
	for _, sum := range []struct {
		to   *uint64
		more uint64
	}{
		{&s.good, o.good}, {&s.bad, o.bad}, {&s.pending, o.pending}, {&s.restart, o.restart}, {&s.failed, o.failed},
		{&s.naSaid, o.naSaid}, {&s.saidUnknown, o.saidUnknown}, {&s.other, o.other}, {&s.outside, o.outside},
		{&s.stale, o.stale}, {&s.askedSilent, o.askedSilent},
	} {
		*sum.to += sum.more
	}
	if s.askedAs == nil {
		s.askedAs = make([]uint64, implied)
	}
	for i, n := range o.askedAs {
		s.askedAs[i] += n
	}
	s.newest = max(s.newest, o.newest)
	if s.oldestBad == 0 || o.oldestBad != 0 && o.oldestBad < s.oldestBad {
		s.oldestBad = o.oldestBad
	}
}

// moments are the ends of days that are counted at once, ascending, in µs by arrival; none is now. recent says that the one
// day has just ended: what is known of this moment only is taken for it.
type moments struct {
	ends   []int64
	recent bool
}

func (m moments) count() int { return max(1, len(m.ends)) }

// slice counts some subjects at each moment. scope is how many clients the site had then.
func (c *counts) slice(ctx context.Context, sl subjectSlice, m moments, lists map[asking][]*askedClients, scope []uint64,
	parts []part) (rows [][]countsRow, err error) {
	who := asking{sl.kind == "update", sl.target}
	list := lists[who]
	if list == nil {
		clear(lists) // slices of one target follow each other
		if list, err = c.asked(ctx, who, sl.kind, m, parts); err != nil {
			return nil, err
		}
		lists[who] = list
	}
	said := make([][]spoke, m.count())
	for at := range said {
		said[at] = make([]spoke, len(sl.subjects))
	}
	for _, p := range parts {
		if err := c.spoke(ctx, sl, m, p, said); err != nil {
			return nil, err
		}
	}
	rows = make([][]countsRow, m.count())
	for at := range said {
		for i, s := range sl.subjects {
			rows[at] = append(rows[at], rowOf(s, said[at][i], list[at], scope[at]))
		}
	}
	return rows, nil
}

// spoke adds what a part of the clients said of each subject by each moment. Ids are given as hexadecimal digits: whatever a client
// wrote into one, nobody has to escape it.
func (c *counts) spoke(ctx context.Context, sl subjectSlice, m moments, p part, said [][]spoke) error {
	ids, numbers, seen := make([]string, len(sl.subjects)), make([]string, len(sl.subjects)), make([]string, len(sl.subjects))
	for i, s := range sl.subjects {
		ids[i], numbers[i], seen[i] = "'"+hex.EncodeToString([]byte(s.id))+"'", strconv.Itoa(i+1), strconv.FormatInt(s.seen, 10)
	}
	leading, all := typesOf(sl.kind, sl.topic)
	args := []any{
		list("ids", ids), list("numbers", numbers), list("seen", seen),
		list("leading", texts(leading)), list("types", texts(all)),
	}
	return c.eachStanding(ctx, "spoke", sl.kind, sl.target, m, p, args, func(scan func(...any) error) error {
		var n uint32
		var at uint16
		var s spoke
		err := scan(&n, &at, &s.good, &s.bad, &s.pending, &s.restart, &s.failed, &s.naSaid, &s.saidUnknown, &s.other,
			&s.outside, &s.stale, &s.askedSilent, &s.askedAs, &s.newest, &s.oldestBad)
		if err == nil {
			said[at-1][n-1].add(s)
		}
		return err
	})
}

// eachStanding runs a statement that begins with how each client of a part stands, and with what it says where args name
// topics.
func (c *counts) eachStanding(ctx context.Context, name, kind, target string, m moments, p part, args []any,
	take func(func(...any) error) error) error {
	sources := []string{"standing", "states"}
	if args == nil {
		sources = sources[:1]
	}
	with := make([]string, len(sources))
	for i, source := range sources {
		if len(m.ends) > 0 {
			source += "_then"
		}
		var err error
		if with[i], err = statement(source); err != nil {
			return err
		}
	}
	text, err := statement(name)
	if err != nil {
		return err
	}
	args = append(p.named(args...), clickhouse.Named("kind", kind), clickhouse.Named("target", target),
		named("stale_seconds", uint64(c.stale.Seconds())))
	if len(m.ends) > 0 {
		args = append(args, list("ends", texts(m.ends)), clickhouse.Named("recent", map[bool]string{false: "0", true: "1"}[m.recent]))
	}
	return c.s.eachOf(ctx, name, "WITH\n"+strings.Join(with, ",\n")+text, args, take)
}

// list is a parameter of an array type.
func list(name string, elements []string) any {
	return clickhouse.Named(name, "["+strings.Join(elements, ",")+"]")
}

func texts[N uint32 | int64](numbers []N) []string {
	out := make([]string, len(numbers))
	for i, n := range numbers {
		out[i] = strconv.FormatInt(int64(n), 10)
	}
	return out
}

// notKnown are the causes that have clients.
func notKnown(as [implied + 1]uint64) map[string]uint64 {
	out := map[string]uint64{}
	for i, cause := range causes {
		if n := as[i+1]; n > 0 {
			out[cause] = n
		}
	}
	return out
}

// countsRow is a row of subject_counts.
type countsRow struct {
	kind, id, counted string
	topic             uint32
	spoke
	naImplied, beyond, scope uint64 // beyond: outside of the population
	notKnown                 map[string]uint64
	staleAll                 uint64
	seen                     int64
	deleted                  uint8
}

// rowOf puts together who spoke and who was asked. What was read at different moments may differ by clients that came
// or went: no count goes below 0.
func rowOf(s subject, said spoke, asked *askedClients, scope uint64) countsRow {
	as := [implied + 1]uint64{}
	if asked.target != "" || asked.update {
		as = asked.as(s.seen)
	}
	for i, n := range said.askedAs {
		as[i+1] -= min(n, as[i+1])
	}
	row := countsRow{kind: s.kind, id: s.id, topic: s.topic, spoke: said, naImplied: as[implied], notKnown: notKnown(as),
		scope: scope, seen: s.seen}
	row.staleAll = said.stale + asked.silents - min(said.askedSilent, asked.silents)
	row.beyond = scope - min(row.population(), scope)
	switch {
	case s.target != "":
		row.counted = "targeted"
	case s.kind == "update":
		row.counted = "scanned"
	default:
		row.counted = "reported"
	}
	return row
}

// spoken is how many of those who count told of the subject.
func (r countsRow) spoken() uint64 {
	return r.good + r.bad + r.pending + r.restart + r.failed + r.naSaid + r.saidUnknown + r.other
}

func (r countsRow) population() uint64 {
	n := r.spoken() + r.naImplied
	for _, clients := range r.notKnown {
		n += clients
	}
	return n
}

func (r countsRow) key() subjectKey { return subjectKey{r.kind, r.id, r.topic} }

// sameAs says that nothing is to be written. How many clients are outside changes with every new client: whoever reads
// a row takes it from the clients of the moment.
func (r countsRow) sameAs(o countsRow) bool {
	return slices.Equal(r.numbers(), o.numbers()) && r.counted == o.counted && maps.Equal(r.notKnown, o.notKnown)
}

func (r countsRow) numbers() []int64 {
	out := []int64{r.newest, r.oldestBad, r.seen, int64(r.deleted)}
	for _, n := range []uint64{r.good, r.bad, r.pending, r.restart, r.failed, r.naSaid, r.naImplied, r.saidUnknown, r.other,
		r.outside, r.staleAll} {
		out = append(out, int64(n))
	}
	return out
}
