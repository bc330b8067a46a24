package summary

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// counts keeps one row per subject: how many clients are in each class of the rule, and why nothing is known of the
// others. Those who said something are counted per subject. Those who did not are never looked at one by one: how many
// of all clients would count how is read from a list ordered by the time of their last scan, and those who spoke are
// taken off. So the work grows with the states that are held, not with subjects times clients.
type counts struct {
	s     *Summarizer
	job   *job
	stale time.Duration

	inputs string    // what all counts depend on, when all were made; empty: they were not
	whole  time.Time // when all were made
	// slicePairs bounds the pairs of a subject and a client that one statement holds.
	slicePairs, partClients uint64
}

// countAll is how often all subjects are counted anew: machines become silent by the passing of time alone.
const countAll = 5 * time.Minute

func newCounts(s *Summarizer, stale time.Duration) *counts {
	return &counts{s: s, job: &job{name: "counts", of: &s.now}, stale: stale, slicePairs: 300_000, partClients: 250_000}
}

// step counts subjects that changed since the last, or all of them. Rows that stand just so are not written, and where
// nothing changed nothing is read but that.
func (c *counts) step(ctx context.Context) error {
	began := time.Now()
	if began.Before(c.job.rests) {
		return nil
	}
	p, err := c.s.progress(ctx, c.job)
	if err != nil {
		return err
	}
	before, err := c.s.changes(ctx, c.job)
	if err != nil {
		return err
	}
	inputs, err := c.readInputs(ctx)
	if err != nil {
		return err
	}
	c.s.metrics.behind.WithLabelValues(c.job.name).Set(p.behind(before))
	all := inputs != c.inputs || began.Sub(c.whole) >= countAll
	if before.rows == 0 && !all {
		return nil
	}
	written, err := c.count(ctx, all)
	if err != nil {
		return err
	}
	if all {
		c.inputs, c.whole = inputs, began
	}
	took := time.Since(began)
	c.job.rests = began.Add(rest * took)
	c.s.metrics.seconds.WithLabelValues(c.job.name).Observe(took.Seconds())
	if before.rows == 0 || written == 0 && !before.newest.Before(p.next) && p.next.Sub(p.until) < 10*c.s.margin {
		return nil // repeats, so far
	}
	return c.s.advance(ctx, c.job, p)
}

// again makes the next step count all subjects, and at once.
func (c *counts) again() { c.inputs, c.job.rests = "", time.Time{} }

func (c *counts) readInputs(ctx context.Context) (inputs string, err error) {
	text, err := statement("counts_inputs")
	if err != nil {
		return "", err
	}
	if err := c.s.deps.Store.Conn().QueryRow(ctx, text).Scan(&inputs); err != nil {
		return "", fmt.Errorf("look at what counts depend on: %w", err)
	}
	return inputs, nil
}

// count counts all subjects, or those that something was loaded of, and says how many rows it wrote.
func (c *counts) count(ctx context.Context, all bool) (written int, err error) {
	subjects, err := c.subjects(ctx)
	if err != nil {
		return 0, err
	}
	stored, version, err := c.stored(ctx)
	if err != nil {
		return 0, err
	}
	w := &countsWriter{s: c.s, stored: stored, version: version + 1}
	if err := w.remove(ctx, subjects); err != nil {
		return 0, err
	}
	if !all {
		if subjects, err = c.changed(ctx, subjects, stored); err != nil {
			return 0, err
		}
	}
	scope, err := c.scope(ctx)
	if err != nil {
		return 0, err
	}
	parts, err := c.s.parts(ctx, c.partClients)
	if err != nil {
		return 0, err
	}
	lists := map[asking][]*askedClients{}
	for _, sl := range slicesOf(subjects, c.slicePairs*uint64(len(parts))) {
		rows, err := c.slice(ctx, sl, moments{}, lists, []uint64{scope}, parts)
		if err != nil {
			return w.written, fmt.Errorf("%s subjects from %q on: %w", sl.kind, sl.subjects[0].id, err)
		}
		if err := w.write(ctx, rows[0]); err != nil {
			return w.written, err
		}
	}
	return w.written, c.s.gauge(ctx)
}

func (c *counts) scope(ctx context.Context) (clients uint64, err error) {
	text, err := statement("counts_scope")
	if err != nil {
		return 0, err
	}
	if err := c.s.deps.Store.Conn().QueryRow(ctx, text).Scan(&clients); err != nil {
		return 0, fmt.Errorf("count the clients of the site: %w", err)
	}
	return clients, nil
}

// changed are the subjects of which something was loaded, and those that have no counts yet.
func (c *counts) changed(ctx context.Context, all []subject, stored map[subjectKey]countsRow) ([]subject, error) {
	topics := map[topic]bool{}
	err := c.s.each(ctx, "counts_topics", nil, func(scan func(...any) error) error {
		var t topic
		err := scan(&t.kind, &t.id)
		topics[t] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	var some []subject
	for _, s := range all {
		_, has := stored[s.key()]
		for _, kind := range s.types {
			has = has && !topics[topic{kind, s.id}]
		}
		if !has {
			some = append(some, s)
		}
	}
	return some, nil
}

// topic is a topic type and id.
type topic struct {
	kind uint32
	id   string
}

// each hands the rows of a statement to take.
func (s *Summarizer) each(ctx context.Context, name string, args []any, take func(func(...any) error) error) error {
	text, err := statement(name)
	if err != nil {
		return err
	}
	return s.eachOf(ctx, name, text, args, take)
}

func (s *Summarizer) eachOf(ctx context.Context, name, text string, args []any,
	take func(func(...any) error) error) error {
	rows, err := s.deps.Store.Conn().Query(clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_block_size": 16384, "optimize_aggregation_in_order": 1,
	})), text, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := take(rows.Scan); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
