package summary

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// days keeps how every subject stood at the end of each day. What clients had said is counted from their history, as it
// stands when the day is made, and again when something arrived late. Why nothing is known of the others can be told only
// when the day has just ended: a day that is made again keeps it.
type days struct {
	s    *Summarizer
	job  *job
	zone *time.Location

	complete day // all days before it are made, and final; zero: not known
}

const (
	// pastDays is how far back days are made that nobody made while they passed: one chart.
	pastDays = 90
	// justEnded is how long after a day what is known of this moment still says how it ended.
	justEnded = time.Hour
	// dayRest is how many times its own duration the work on days rests: charts wait for it.
	dayRest = 3
	// daysAtOnce bounds the days that one statement counts.
	daysAtOnce = 100
)

// day is one of the calendar, as UTC midnight: tables know no zones.
type day = time.Time

func (d *days) of(at time.Time) day {
	at = at.In(d.zone)
	return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
}

// end is the last microsecond of a day.
func (d *days) end(of day) int64 { return d.begin(of.AddDate(0, 0, 1)) - 1 }

func (d *days) begin(of day) int64 {
	return time.Date(of.Year(), of.Month(), of.Day(), 0, 0, 0, 0, d.zone).UnixMicro()
}

// step makes the days that are over and not made yet, the newest first, and makes again those that something arrived for
// since. Where nothing did it writes nothing.
func (d *days) step(ctx context.Context) error {
	began := time.Now()
	if began.Before(d.job.rests) {
		return nil
	}
	p, err := d.s.progress(ctx, d.job)
	if err != nil {
		return err
	}
	today := d.of(p.now.Add(-d.s.margin)) // what arrived before midnight is loaded soon after
	late, err := d.late(ctx, d.begin(today))
	if err != nil {
		return err
	}
	if len(late) == 0 && d.complete.Equal(today) && p.number > 0 {
		return d.note(ctx, p, false)
	}
	done, err := d.done(ctx)
	if err != nil {
		return err
	}
	missing, err := d.missing(ctx, today, done)
	if err != nil {
		return err
	}
	d.s.metrics.behind.WithLabelValues(d.job.name).Set(d.behind(p.now, missing))
	worked := false
	if len(late) > 0 {
		if worked, err = d.again(ctx, done, late, today); err != nil {
			return err
		}
	}
	for chunk := range d.chunks(ctx, missing) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := d.make(ctx, chunk, nil, p.now); err != nil {
			return err
		}
		missing = missing[len(chunk):]
		if worked = true; time.Since(began) > maxRun {
			break // and go on at the next step
		}
	}
	if err := d.finish(ctx, today, missing, done, worked); err != nil {
		return err
	}
	if worked {
		took := time.Since(began)
		d.job.rests = began.Add(dayRest * took)
		d.s.metrics.seconds.WithLabelValues(d.job.name).Observe(took.Seconds())
	}
	return d.note(ctx, p, len(late) > 0 || p.number == 0)
}

// note notes how far days are looked at, at once or now and then: the next look begins there.
func (d *days) note(ctx context.Context, p progress, now bool) error {
	if !now && p.next.Sub(p.until) < 10*d.s.margin {
		return nil
	}
	return d.s.advance(ctx, d.job, p)
}

// finish makes days final that were not when they were counted, once no report waits any more.
func (d *days) finish(ctx context.Context, today day, missing []day, done map[day]bool, worked bool) error {
	if worked || len(missing) > 0 {
		return nil // at the next step
	}
	for _, final := range done {
		if final {
			continue
		}
		if now, err := d.final(ctx); err != nil || now == 0 {
			return err
		}
		if err := d.s.exec(ctx, "days_final"); err != nil {
			return err
		}
		break
	}
	d.complete = today
	return nil
}

// maxRun is how long days are made before other summaries have their turn.
const maxRun = 5 * time.Second

func (d *days) behind(now time.Time, missing []day) float64 {
	if len(missing) == 0 {
		return 0
	}
	return now.Sub(time.UnixMicro(d.end(missing[len(missing)-1]))).Seconds()
}

// done are the days that are made, and whether they were final.
func (d *days) done(ctx context.Context) (map[day]bool, error) {
	done := map[day]bool{}
	err := d.s.each(ctx, "days_done", nil, func(scan func(...any) error) error {
		var of time.Time
		var final uint8
		err := scan(&of, &final)
		done[of.UTC()] = final == 1
		return err
	})
	return done, err
}

// missing are the days that are over, not made, and not before the stored messages; the newest first.
func (d *days) missing(ctx context.Context, today day, done map[day]bool) (missing []day, err error) {
	var oldest time.Time
	if err := d.s.readOne(ctx, "days_oldest", nil, &oldest); err != nil || oldest.Unix() == 0 {
		return nil, err
	}
	first := d.of(oldest)
	for of := today.AddDate(0, 0, -1); !of.Before(first); of = of.AddDate(0, 0, -1) {
		if _, has := done[of]; !has {
			missing = append(missing, of)
		}
		if today.Sub(of) >= pastDays*24*time.Hour {
			break
		}
	}
	return missing, nil
}

// late are the topics of which something was loaded since the last look that had arrived before today, with the first of
// these arrivals.
func (d *days) late(ctx context.Context, today int64) (map[topic]int64, error) {
	late := map[topic]int64{}
	args := []any{clickhouse.Named("today", fmt.Sprint(today))}
	err := d.s.each(ctx, "days_late", args, func(scan func(...any) error) error {
		var t topic
		var at int64
		err := scan(&t.kind, &t.id, &at)
		late[t] = at
		return err
	})
	return late, err
}

// again makes those days again that are made and that something arrived for, of the subjects that it is about.
func (d *days) again(ctx context.Context, done map[day]bool, late map[topic]int64, today day) (worked bool, err error) {
	first := today
	about := map[topic]bool{}
	for t, at := range late {
		about[t] = true
		if of := d.of(time.UnixMicro(at)); of.Before(first) {
			first = of
		}
	}
	var some []day
	for of := range done {
		if !of.Before(first) {
			some = append(some, of)
		}
	}
	slices.SortFunc(some, func(a, b day) int { return b.Compare(a) })
	for chunk := range d.chunks(ctx, some) {
		if err := d.make(ctx, chunk, about, time.Time{}); err != nil {
			return worked, err
		}
		worked = true
	}
	return worked, nil
}

// chunks cuts days into those that are counted at once: as many as hold no more states than one statement may.
func (d *days) chunks(ctx context.Context, all []day) func(func([]day) bool) {
	return func(yield func([]day) bool) {
		if len(all) == 0 {
			return
		}
		var states uint64
		if err := d.s.readOne(ctx, "days_states", nil, &states); err != nil {
			states = d.s.counts.slicePairs // one at a time
		}
		n := max(1, min(daysAtOnce, int(d.s.counts.slicePairs/max(states, 1))))
		for chunk := range slices.Chunk(all, n) {
			if !yield(chunk) {
				return
			}
		}
	}
}

// make makes some days, the newest first, of all subjects or of those that some topics belong to. A day that ended shortly
// before now is made with what is known of this moment. The rows by class come last: where they are, the day is made.
func (d *days) make(ctx context.Context, chunk []day, about map[topic]bool, now time.Time) error {
	chunk = slices.Clone(chunk)
	slices.Reverse(chunk)
	m := moments{}
	for _, of := range chunk {
		m.ends = append(m.ends, d.end(of))
	}
	m.recent = len(chunk) == 1 && now.Sub(time.UnixMicro(m.ends[0])) < justEnded
	if last := now.Sub(time.UnixMicro(m.ends[len(m.ends)-1])); !m.recent && len(chunk) > 1 && last < justEnded {
		// The day that has just ended is one of its own.
		if err := d.make(ctx, chunk[len(chunk)-1:], about, now); err != nil {
			return err
		}
		older := slices.Clone(chunk[:len(chunk)-1])
		slices.Reverse(older)
		return d.make(ctx, older, about, time.Time{})
	}
	scope, err := d.scope(ctx, m)
	if err != nil {
		return err
	}
	if err := d.subjects(ctx, chunk, m, scope, about); err != nil {
		return fmt.Errorf("days from %s: %w", chunk[0].Format(time.DateOnly), err)
	}
	return d.classes(ctx, chunk, m, scope)
}

// subjects makes the rows of subjects.
func (d *days) subjects(ctx context.Context, chunk []day, m moments, scope []uint64, about map[topic]bool) error {
	c := d.s.counts
	subjects, err := c.subjects(ctx)
	if err != nil {
		return err
	}
	subjects = slices.DeleteFunc(subjects, func(s subject) bool {
		if about == nil {
			return false
		}
		return !slices.ContainsFunc(s.types, func(kind uint32) bool { return about[topic{kind, s.id}] })
	})
	if len(subjects) == 0 {
		return nil
	}
	writers := make([]*countsWriter, len(chunk))
	for i, of := range chunk {
		if writers[i], err = d.writer(ctx, of); err != nil {
			return err
		}
	}
	parts, err := d.s.parts(ctx, c.partClients)
	if err != nil {
		return err
	}
	lists := map[asking][]*askedClients{}
	for _, sl := range slicesOf(subjects, max(1, 2*c.slicePairs*uint64(len(parts))/uint64(len(chunk)))) {
		rows, err := c.slice(ctx, sl, m, lists, scope, parts)
		if err != nil {
			return fmt.Errorf("%s subjects from %q on: %w", sl.kind, sl.subjects[0].id, err)
		}
		for i, w := range writers {
			if err := w.write(ctx, w.thatWere(rows[i], m.ends[i])); err != nil {
				return err
			}
		}
	}
	return nil
}

// scope is how many clients the site had at each moment.
func (d *days) scope(ctx context.Context, m moments) ([]uint64, error) {
	scope := make([]uint64, m.count())
	args := []any{list("ends", texts(m.ends))}
	err := d.s.each(ctx, "days_scope", args, func(scan func(...any) error) error {
		var at uint16
		var n uint64
		if err := scan(&at, &n); err != nil {
			return err
		}
		scope[at-1] = n
		return nil
	})
	return scope, err
}

// writer holds what is stored of a day.
func (d *days) writer(ctx context.Context, of day) (*countsWriter, error) {
	stored, version, err := d.s.counts.rows(ctx, "days_stored", clickhouse.Named("day", of.Format(time.DateOnly)))
	if err != nil {
		return nil, err
	}
	return &countsWriter{s: d.s, day: of, stored: stored, version: version + 1}, nil
}

// thatWere are the rows of subjects that the site knew of by the end of the day, or that have a target. What a stored row
// says of those who said nothing stays, less those who did say something, as it turned out.
func (w *countsWriter) thatWere(rows []countsRow, end int64) (were []countsRow) {
	for _, r := range rows {
		if r.seen > end {
			continue
		}
		if before, has := w.stored[r.key()]; has {
			r = r.keeping(before)
		}
		were = append(were, r)
	}
	return were
}

// keeping takes the causes of a row that was made before. Whoever spoke in the meantime is taken off them, in their order:
// what came late had waited or was missing.
func (r countsRow) keeping(before countsRow) countsRow {
	late := int64(r.spoken()) - int64(before.spoken())
	r.naImplied, r.notKnown = before.naImplied, map[string]uint64{}
	take := func(n uint64) uint64 {
		off := min(n, uint64(max(late, 0)))
		late -= int64(off)
		return n - off
	}
	for _, cause := range causes {
		if left := take(before.notKnown[cause]); left > 0 {
			r.notKnown[cause] = left
		}
	}
	r.naImplied = take(r.naImplied)
	r.scope, r.staleAll = max(r.scope, before.scope), before.staleAll
	r.beyond = r.scope - min(r.population(), r.scope)
	return r
}
