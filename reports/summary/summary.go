// Package summary keeps counts ready that are too many to be made with every question: one row per client, names to
// find clients by, and how clients stand on every topic. A summary is never the truth: whoever reads one adds what is
// newer than it, and it can be made again from the rows at any time, so a crash at any point loses nothing.
package summary

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
)

//go:embed sql/*.sql
var statements embed.FS

// database is what summaries need of the store.
type database interface {
	Conn() driver.Conn
	InsertContext(ctx context.Context) context.Context
}

// Deps is what a summarizer is given.
type Deps struct {
	Store       database
	InFlight    func() time.Duration // how long the oldest insert has been on its way; nil: none ever is
	Stale       time.Duration        // after so long without a report a client is silent
	Waiting     waiting              // nil: nobody looks into the inbox
	Collections keeper               // nil: nobody keeps the members of saved queries
	Zone        *time.Location       // whose days are counted; nil: UTC
	Orphans     time.Duration        // how long inserts of a process that died may go on; 0 for an engine of this process
	Log         *slog.Logger         // nil discards
	Registerer  prometheus.Registerer
}

// Summarizer makes the summaries: those of now one after the other, and beside them those of the past, which may take
// longer.
type Summarizer struct {
	// Constant after New.
	interval time.Duration
	// margin is how far a summary looks back behind the moment it was made. It is more than the interval, so that a
	// question that began before a summary was written, and ends after, still finds all that the summary was about.
	margin  time.Duration
	deps    Deps
	log     *slog.Logger
	metrics *metrics

	jobs     []*job // those of now but the counts
	looks    looks
	counts   *counts
	machines machines
	history  *job
	days     *days
	spells   *spells

	now, past sequence
}

// sequence is summaries that are made one after the other. Its fields belong to whoever holds one.
type sequence struct {
	one   sync.Mutex
	began time.Time // first step, by the engine's clock; zero before
	last  clock     // of the last step
	again func()    // makes it forget what it remembers
	jobs  []*job    // that begin anew when it does
}

// clock is one moment by the engine's clock, and by one that nobody sets.
type clock struct{ engine, steady time.Time }

// job is one summary.
type job struct {
	name  string
	of    *sequence
	slice uint64    // changed rows that are worked on at once; 0 takes all
	texts []string  // statements, in order
	rests time.Time // until then it is not made again

	run func(context.Context, *job) error // what makes it; nil: its statements
}

// minMargin is the least margin; a clock that is set back by half of it does no harm.
const minMargin = time.Minute

// New makes a summarizer that works every interval.
func New(interval time.Duration, deps Deps) *Summarizer {
	if deps.InFlight == nil {
		deps.InFlight = func() time.Duration { return 0 }
	}
	s := &Summarizer{
		interval: interval, margin: max(minMargin, 2*interval), deps: deps,
		log: cmp.Or(deps.Log, slog.New(slog.DiscardHandler)), metrics: newMetrics(deps.Registerer),
	}
	s.jobs = []*job{
		{name: "clients", of: &s.now, slice: 50_000, texts: []string{"clients", "names"}},
		{name: "subjects", of: &s.now, texts: []string{"subjects"}},
		{name: "machines", of: &s.now, run: s.makeMachines},
	}
	s.counts = newCounts(s, cmp.Or(deps.Stale, staleAfter))
	s.machines.every = machineNews
	s.now.jobs, s.now.again = append(slices.Clone(s.jobs), s.counts.job), s.counts.again
	zone := cmp.Or(deps.Zone, time.UTC)
	s.history = &job{name: "history", of: &s.past}
	s.days = &days{s: s, job: &job{name: "days", of: &s.past}, zone: zone}
	s.spells = &spells{s: s, job: &job{name: "ttr", of: &s.past}, zone: zone}
	s.past.jobs, s.past.again = []*job{s.days.job, s.spells.job}, func() { s.days.complete = day{} }
	return s
}

// staleAfter is when a client is silent where nobody says so.
const staleAfter = 14 * 24 * time.Hour

// Run makes the summaries until ctx is done. An error is a log line, and the summary is tried again at the next
// interval.
func (s *Summarizer) Run(ctx context.Context) error {
	begins := time.Now().Add(overTimeBegins)
	s.days.job.rests, s.spells.job.rests = begins, begins
	var both sync.WaitGroup
	both.Go(func() { s.every(ctx, s.stepNow) })
	both.Go(func() { s.every(ctx, s.stepPast) })
	both.Wait()
	return nil
}

// every steps at once and then at each interval.

func (s *Summarizer) every(ctx context.Context, step func(context.Context) error) {
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for {
		if err := step(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("a summary was not made, answers count for themselves", "retry_in", s.interval, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Step brings every summary up to date. Where nothing changed it writes nothing. One that fails keeps no other from
// being made.
func (s *Summarizer) Step(ctx context.Context) error {
	return errors.Join(s.stepNow(ctx), s.stepPast(ctx))
}

// stepNow makes what says how things are.
func (s *Summarizer) stepNow(ctx context.Context) error {
	s.now.one.Lock()
	defer s.now.one.Unlock()
	errs := []error{s.look(ctx)}
	for _, j := range s.jobs {
		run := s.make
		if j.run != nil {
			run = j.run
		}
		if err := run(ctx, j); err != nil {
			errs = append(errs, fmt.Errorf("summary of %s: %w", j.name, err))
		}
	}
	if err := s.counts.step(ctx); err != nil {
		errs = append(errs, fmt.Errorf("counts of subjects: %w", err))
	}
	return errors.Join(errs...)
}

// overTimeBegins is how long after the start of a process days and times to fix wait: the site has more to do then.
const overTimeBegins = time.Minute

// stepPast keeps what was: the history of topics, then what is made of it. On a large site a day takes minutes, which
// nothing of now waits for.
func (s *Summarizer) stepPast(ctx context.Context) error {
	s.past.one.Lock()
	defer s.past.one.Unlock()
	if err := s.makeHistory(ctx); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	if err := errors.Join(s.days.step(ctx), s.spells.step(ctx)); err != nil {
		return fmt.Errorf("days and times to fix: %w", err)
	}
	return nil
}

// Rebuild makes every summary anew, as if there were none, and says how long it took.
func (s *Summarizer) Rebuild(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	for _, q := range []*sequence{&s.now, &s.past} {
		if err := func() error {
			q.one.Lock()
			defer q.one.Unlock()
			return s.restart(ctx, q)
		}(); err != nil {
			return 0, err
		}
	}
	err := s.Step(ctx)
	return time.Since(began), err
}

// rest is how many times its own duration a summary is left alone: it never takes more than a tenth of the engine's
// time.
const rest = 10

// make brings one summary up to date: first the rows, then how far they go.
func (s *Summarizer) make(ctx context.Context, j *job) error {
	began := time.Now()
	p, err := s.progress(ctx, j)
	if err != nil {
		return err
	}
	before, err := s.changes(ctx, j)
	if err != nil {
		return err
	}
	s.metrics.behind.WithLabelValues(j.name).Set(p.behind(before))
	if before.rows == 0 || began.Before(j.rests) {
		return nil
	}
	slices := uint64(1)
	if j.slice > 0 {
		slices += before.rows / j.slice
	}
	for slice := range slices {
		for _, text := range j.texts {
			if err := s.exec(ctx, text, named("slices", slices), named("slice", slice)); err != nil {
				return err
			}
		}
	}
	after, err := s.changes(ctx, j)
	if err != nil {
		return err
	}
	took := time.Since(began)
	j.rests = began.Add(rest * took)
	s.metrics.seconds.WithLabelValues(j.name).Observe(took.Seconds())
	if after.version == before.version && !before.newest.Before(p.next) && p.next.Sub(p.until) < 10*s.margin {
		return nil // repeats, so far
	}
	return s.advance(ctx, j, p)
}

// progress is how far a summary is, and how far it will be.
type progress struct {
	now, until, next time.Time
	number           uint64
}

// behind is the age, in seconds, of the oldest change that may not be in the summary.
func (p progress) behind(c changes) float64 {
	if c.rows == 0 {
		return 0
	}
	return p.now.Sub(p.until).Seconds()
}

// setBack says whether the engine's clock was set back since the last step, or since the last process.
func (q *sequence) setBack(now, until time.Time) bool {
	before, steady := q.last, time.Now()
	q.last = clock{now, steady}
	return until.After(now) || !before.steady.IsZero() && now.Sub(before.engine) < steady.Sub(before.steady)-minMargin/2
}

// progress reads how far a summary is. Where the engine's clock was set back it begins again: what was loaded since may
// look older than the summary.
func (s *Summarizer) progress(ctx context.Context, j *job) (p progress, err error) {
	text, err := statement("progress")
	if err != nil {
		return p, err
	}
	var now time.Time
	if err := s.deps.Store.Conn().QueryRow(ctx, text, clickhouse.Named("job", j.name)).Scan(&now, &p.until,
		&p.number); err != nil {
		return p, fmt.Errorf("read how far it is: %w", err)
	}
	if j.of.began.IsZero() {
		j.of.began = now
	}
	p.now = now
	if j.of.setBack(now, p.until) {
		s.log.Warn("the store's clock was set back, summaries are made anew")
		if err := s.restart(ctx, j.of); err != nil {
			return p, err
		}
		j.of.began, p.until, p.number = now, time.Unix(0, 0), p.number+1
	}
	p.next = now.Add(-s.margin - s.deps.InFlight())
	if orphans := j.of.began.Add(-s.deps.Orphans); now.Sub(j.of.began) < s.deps.Orphans && p.next.After(orphans) {
		p.next = orphans
	}
	return p, nil
}

// restart makes every summary of a sequence count for nothing.
func (s *Summarizer) restart(ctx context.Context, q *sequence) error {
	q.again()
	for _, j := range q.jobs {
		j.rests = time.Time{}
		if err := s.exec(ctx, "restart", clickhouse.Named("job", j.name)); err != nil {
			return err
		}
	}
	return nil
}

// advance notes how far a summary goes now. It never goes back.
func (s *Summarizer) advance(ctx context.Context, j *job, p progress) error {
	if !p.next.After(p.until) {
		return nil
	}
	return s.exec(ctx, "advance", clickhouse.Named("job", j.name), named("number", p.number+1),
		clickhouse.Named("until", strconv.FormatInt(p.next.UnixMilli(), 10)))
}

// changes is what was loaded since a summary.
type changes struct {
	rows    uint64
	newest  time.Time
	version uint64 // of the summary's newest row
}

func (s *Summarizer) changes(ctx context.Context, j *job) (c changes, err error) {
	text, err := statement(j.name + "_changed")
	if err != nil {
		return c, err
	}
	if err := s.deps.Store.Conn().QueryRow(ctx, text).Scan(&c.rows, &c.newest, &c.version); err != nil {
		return c, fmt.Errorf("look for what changed: %w", err)
	}
	return c, nil
}

func (s *Summarizer) exec(ctx context.Context, name string, args ...any) error {
	text, err := statement(name)
	if err != nil {
		return err
	}
	if err := s.deps.Store.Conn().Exec(s.deps.Store.InsertContext(ctx), text, args...); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func statement(name string) (string, error) {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		return "", fmt.Errorf("read a statement: %w", err)
	}
	return string(text), nil
}

func named(name string, n uint64) driver.NamedValue {
	return clickhouse.Named(name, strconv.FormatUint(n, 10))
}
