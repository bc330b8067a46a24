package summary

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
)

const (
	// machineSlice is how many machines are counted at once: with twenty states and six groups each it stays below 256 MiB.
	machineSlice = 10_000
	// machineNews is how long what is new may wait until it is said of those who said nothing: the update that a machine
	// has not looked for yet, the range that no longer misses.
	machineNews = 5 * time.Minute
)

// machines is what the summary of machines remembers. A process that begins knows nothing and counts all of them.
type machines struct {
	rules, news uint64    // what they were counted by
	counted     time.Time // when all were counted
	every       time.Duration
}

// makeMachines brings the rows of machines up to date: those of whom something came, or all where what counts changed.
func (s *Summarizer) makeMachines(ctx context.Context, j *job) error {
	began := time.Now()
	p, err := s.progress(ctx, j)
	if err != nil {
		return err
	}
	before, err := s.changes(ctx, j)
	if err != nil {
		return err
	}
	now, whole, err := s.allMachines(ctx)
	if err != nil {
		return err
	}
	s.metrics.behind.WithLabelValues(j.name).Set(p.behind(before))
	if before.rows == 0 && !whole || began.Before(j.rests) {
		return nil
	}
	if err := s.countMachines(ctx, whole, before.version+1); err != nil {
		return err
	}
	after, err := s.changes(ctx, j)
	if err != nil {
		return err
	}
	if whole && after.version > before.version {
		// Two rows of each machine would be read one beside the other until the engine happens to merge them.
		if err := s.exec(ctx, "machines_merge"); err != nil {
			return err
		}
	}
	if whole {
		s.machines = now
	}
	took := time.Since(began)
	j.rests = began.Add(rest * took)
	s.metrics.seconds.WithLabelValues(j.name).Observe(took.Seconds())
	if err := s.tellMachines(ctx); err != nil {
		return err
	}
	if after.version == before.version && !before.newest.Before(p.next) && p.next.Sub(p.until) < 10*s.margin {
		return nil // repeats, so far
	}
	return s.advance(ctx, j, p)
}

// allMachines says whether all machines have to be counted, and what is to be remembered then.
func (s *Summarizer) allMachines(ctx context.Context) (now machines, whole bool, err error) {
	now = machines{counted: time.Now(), every: s.machines.every}
	var many bool
	for name, into := range map[string]any{
		"machines_rules": &now.rules, "machines_news": &now.news, "machines_many": &many,
	} {
		if err := s.readOne(ctx, name, nil, into); err != nil {
			return now, false, err
		}
	}
	whole = many || now.rules != s.machines.rules ||
		now.news != s.machines.news && now.counted.Sub(s.machines.counted) >= now.every
	return now, whole, nil
}

// countMachines goes through the machines in the order of their ids: states lie in it, topic by topic. Rows are written
// as of version.
func (s *Summarizer) countMachines(ctx context.Context, whole bool, version uint64) error {
	text, err := statement("machines")
	if err != nil {
		return err
	}
	all := clickhouse.Named("whole", map[bool]string{false: "0", true: "1"}[whole])
	var after, upto uuid.UUID
	for {
		var rows uint64
		from := clickhouse.Named("after", after.String())
		if err := s.readOne(ctx, "machines_slice", []any{from, all, named("rows", machineSlice)}, &upto, &rows); err != nil {
			return err
		}
		if rows == 0 {
			return nil
		}
		err := s.deps.Store.Conn().Exec(s.deps.Store.InsertContext(ctx), text, from, all,
			clickhouse.Named("upto", upto.String()), named("version", version))
		if err != nil {
			return fmt.Errorf("machines: %w", err)
		}
		if after = upto; rows < machineSlice {
			return nil
		}
	}
}

// tellMachines brings the metric of machines by class up to date.
func (s *Summarizer) tellMachines(ctx context.Context) error {
	text, err := statement("machines_classes")
	if err != nil {
		return err
	}
	rows, err := s.deps.Store.Conn().Query(ctx, text)
	if err != nil {
		return fmt.Errorf("count machines by class: %w", err)
	}
	defer rows.Close()
	counts := map[string]uint64{"failed": 0, "restart": 0, "required": 0, "not_known": 0, "compliant": 0}
	for rows.Next() {
		var class string
		var n uint64
		if err := rows.Scan(&class, &n); err != nil {
			return fmt.Errorf("count machines by class: %w", err)
		}
		counts[class] = n
	}
	for class, n := range counts {
		s.metrics.machines.WithLabelValues(class).Set(float64(n))
	}
	return rows.Err()
}

// readOne reads one row.
func (s *Summarizer) readOne(ctx context.Context, name string, args []any, into ...any) error {
	text, err := statement(name)
	if err != nil {
		return err
	}
	if err := s.deps.Store.Conn().QueryRow(ctx, text, args...).Scan(into...); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
