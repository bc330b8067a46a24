package summary

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// classes makes the rows of whole days.
func (d *days) classes(ctx context.Context, chunk []day, m moments, scope []uint64) error {
	machines, err := d.machines(ctx, m)
	if err != nil {
		return err
	}
	final, err := d.final(ctx)
	if err != nil {
		return err
	}
	var version uint64
	if err := d.s.readOne(ctx, "days_version", nil, &version); err != nil {
		return err
	}
	batch, err := d.s.deps.Store.Conn().PrepareBatch(d.s.deps.Store.InsertContext(ctx),
		"INSERT INTO class_days (kind, day, class, pairs, machines, final, version)")
	if err != nil {
		return fmt.Errorf("write days: %w", err)
	}
	defer batch.Close()
	n := 0
	for i, of := range chunk {
		rows, err := d.rowsOf(ctx, of, machines[i], scope[i])
		if err != nil {
			return err
		}
		stored, err := d.storedClasses(ctx, of)
		if err != nil {
			return err
		}
		for key, row := range rows {
			row.final = final
			if before, has := stored[key]; has && before == row {
				continue
			}
			n++
			if err := batch.Append(key.kind, of, key.class, row.pairs, row.machines, row.final, version+1); err != nil {
				return fmt.Errorf("write a day: %w", err)
			}
		}
	}
	if n == 0 {
		return nil
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write %d rows of days: %w", n, err)
	}
	return nil
}

// classKey and classRow are a row of class_days.
type classKey struct{ kind, class string }

type classRow struct {
	pairs, machines uint64
	final           uint8
}

// final is 1 where no report waits: one of the day may be among those that do.
func (d *days) final(ctx context.Context) (uint8, error) {
	var waiting uint64
	err := d.s.readOne(ctx, "days_waiting", nil, &waiting)
	if waiting > 0 {
		return 0, err
	}
	return 1, err
}

func (d *days) storedClasses(ctx context.Context, of day) (map[classKey]classRow, error) {
	stored := map[classKey]classRow{}
	args := []any{clickhouse.Named("day", of.Format(time.DateOnly))}
	err := d.s.each(ctx, "days_classes", args, func(scan func(...any) error) error {
		var key classKey
		var row classRow
		err := scan(&key.kind, &key.class, &row.pairs, &row.machines, &row.final)
		stored[key] = row
		return err
	})
	return stored, err
}

// rowsOf puts together the rows of one day.
func (d *days) rowsOf(ctx context.Context, of day, machines map[classKey]uint64, scope uint64) (map[classKey]classRow, error) {
	rows := map[classKey]classRow{}
	args := []any{clickhouse.Named("day", of.Format(time.DateOnly))}
	err := d.s.each(ctx, "days_pairs", args, func(scan func(...any) error) error {
		var key classKey
		var row classRow
		err := scan(&key.kind, &key.class, &row.pairs)
		row.machines = machines[key]
		rows[key] = row
		return err
	})
	said := uint64(0)
	for _, class := range machineClasses {
		n := machines[classKey{"machine", class}]
		said += n
		rows[classKey{"machine", class}] = classRow{pairs: n, machines: n}
	}
	silent := classRow{pairs: scope - min(said, scope) + machines[classKey{"machine", "not_known"}]}
	silent.machines = silent.pairs
	rows[classKey{"machine", "not_known"}] = silent
	return rows, err
}

// machineClasses are those of whole machines, the one that decides first; not_known is everybody else.
var machineClasses = []string{"not_compliant", "compliant", "not_known", "not_applicable"}

// pairClasses are the classes by the bit of a set.
var pairClasses = []string{1: "compliant", 2: "bad", 3: "pending", 4: "restart", 5: "failed", 6: "not_applicable",
	7: "not_known"}

// machines counts the machines with at least one subject in each class, by kind; of kind machine each counts once.
func (d *days) machines(ctx context.Context, m moments) ([]map[classKey]uint64, error) {
	text, err := statement("states_all_then")
	if err != nil {
		return nil, err
	}
	count, err := statement("days_machines")
	if err != nil {
		return nil, err
	}
	out := make([]map[classKey]uint64, m.count())
	for at := range out {
		out[at] = map[classKey]uint64{}
	}
	parts, err := d.s.parts(ctx, dayMachines)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		args := p.named(list("ends", texts(m.ends)))
		err := d.s.eachOf(ctx, "days_machines", "WITH\n"+text+count, args, func(scan func(...any) error) error {
			var at uint16
			var over string
			var classes, n uint64
			if err := scan(&at, &over, &classes, &n); err != nil {
				return err
			}
			countClasses(out[at-1], over, classes, n)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// dayMachines is how many machines are counted at once.
const dayMachines = 100_000

// countClasses adds n machines that have subjects in a set of classes.
func countClasses(to map[classKey]uint64, over string, classes, n uint64) {
	has := func(class int) bool { return classes&(1<<class) != 0 }
	if over != "machine" {
		for class, name := range pairClasses {
			if name != "" && has(class) {
				to[classKey{over, name}] += n
			}
		}
		return
	}
	switch {
	case has(2) || has(3) || has(4) || has(5):
		to[classKey{over, "not_compliant"}] += n
	case has(1):
		to[classKey{over, "compliant"}] += n
	case has(7):
		to[classKey{over, "not_known"}] += n
	default:
		to[classKey{over, "not_applicable"}] += n
	}
}
