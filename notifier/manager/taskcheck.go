package manager

import (
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/store"
)

// sum tells whether the steps of a task are those that were written.
type sum struct {
	rows    uint64
	version uint64 // of all steps, added up
}

// taskSum is a sum as the state file has it, as long as the task does not change.
type taskSum struct {
	sum
	task uint64 // version of the task
}

// number is a number that is a key.
func number(name []byte) uint64 { return binary.BigEndian.Uint64(name) }

var (
	//go:embed task_versions.sql
	taskVersionsSQL string
	//go:embed task_rows.sql
	taskRowsSQL string
	//go:embed task_sums.sql
	taskSumsSQL string
	//go:embed task_step_rows.sql
	taskStepRowsSQL string
	//go:embed task_ends.sql
	taskEndsSQL string
)

// adoptTasks has versions and numbers go on above those of the tables, whose rows would win otherwise.
func (w *mirror) adoptTasks(ctx context.Context) error {
	var version, last uint64
	err := w.db.Conn().QueryRow(ctx, taskVersionsSQL, store.UintArg("mask", versionMask)).Scan(&version, &last)
	if err != nil {
		return fmt.Errorf("read how far the tables of tasks are: %w", err)
	}
	m := w.m
	m.writing.Lock()
	defer m.writing.Unlock()
	if version <= m.counter && last <= m.taskNumber {
		return nil
	}
	m.log.Warn("the store knows more of tasks than the state file, which is new or an older copy")
	version, last = max(version, m.counter), max(last, m.taskNumber)
	err = m.db.Update(func(tx *bbolt.Tx) error {
		return errors.Join(put(tx, bucketMeta, metaCounter, version), put(tx, bucketMeta, metaTaskNumber, last))
	})
	if err != nil {
		return fmt.Errorf("write %s: %w", stateFile, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counter, m.taskNumber = version, last
	return nil
}

// checkTasks holds the tables of tasks against what is known, and has written again what they lack.
func (w *mirror) checkTasks(ctx context.Context) error {
	have, err := w.taskRows(ctx)
	if err != nil {
		return err
	}
	sums, err := w.taskSums(ctx)
	if err != nil {
		return err
	}
	known, err := w.m.knownTasks(w.sums)
	if err != nil {
		return err
	}
	if err := w.endStrange(ctx, have, known); err != nil {
		return err
	}
	erased, err := w.erased(ctx)
	if err != nil {
		return err
	}
	w.sums = map[uint64]taskSum{}
	lacking := 0
	for id, t := range known {
		w.sums[t.number] = t.taskSum
		if version, there := have[id]; !there || version.version < t.task {
			if err := w.m.taskAgain(t.number); err != nil {
				return err
			}
			lacking++
		}
		if t.over || t.waits || sums[id] == t.sum {
			continue
		}
		n, err := w.stepsAgain(ctx, id, t.number, erased)
		if err != nil {
			return err
		}
		lacking += n
	}
	if lacking > 0 {
		w.m.log.Warn("the store lacks tasks that it had; they are written again", "rows", lacking)
		return w.writeTasks(ctx)
	}
	return nil
}

// taskRow is a task as its table has it.
type taskRow struct {
	version uint64
	open    bool
}

func (w *mirror) taskRows(ctx context.Context) (map[uuid.UUID]taskRow, error) {
	rows := map[uuid.UUID]taskRow{}
	err := w.db.EachRow(ctx, taskRowsSQL, nil, func(scan func(...any) error) error {
		var id uuid.UUID
		var r taskRow
		var open uint8
		err := scan(&id, &r.version, &open)
		r.open = open == 1
		rows[id] = r
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the table of tasks: %w", err)
	}
	return rows, nil
}

func (w *mirror) taskSums(ctx context.Context) (map[uuid.UUID]sum, error) {
	sums := map[uuid.UUID]sum{}
	err := w.db.EachRow(ctx, taskSumsSQL, nil, func(scan func(...any) error) error {
		var id uuid.UUID
		var s sum
		err := scan(&id, &s.rows, &s.version)
		sums[id] = s
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("add up the table of steps: %w", err)
	}
	return sums, nil
}

// knownTask is a task of the state file.
type knownTask struct {
	taskSum
	number uint64
	over   bool // its steps may have left the table
	waits  bool // some of them are not in the table yet
}

// knownTasks are the tasks of the state file. The sums of those that did not change are taken from the last look.
func (m *Manager) knownTasks(last map[uint64]taskSum) (map[uuid.UUID]knownTask, error) {
	known := map[uuid.UUID]knownTask{}
	leaves := m.now().Add(time.Hour)
	keep := m.settings.Load().Tasks.Keep
	err := m.db.View(func(tx *bbolt.Tx) error {
		waits := map[uint64]bool{}
		at := tx.Bucket(bucketStepWaits).Cursor()
		for name, raw := at.First(); name != nil; name, raw = at.Next() {
			waits[readStepKey(raw).task] = true
		}
		var failed error
		err := each(tx, bucketTasks, func(_ []byte, t task) bool {
			k := knownTask{number: t.Number, waits: waits[t.Number], taskSum: last[t.Number],
				over: keep > 0 && t.NotAfter.Add(keep).Before(leaves)}
			if k.task != t.Version {
				k.taskSum = taskSum{task: t.Version}
				failed = eachStep(tx, t.Number, func(_ stepKey, s *step) error {
					k.rows++
					k.version += stepVersion(s)
					return nil
				})
			}
			known[t.ID] = k
			return failed == nil
		})
		if err == nil {
			err = failed
		}
		return err
	})
	return known, err
}

// taskAgain has a task written again.
func (m *Manager) taskAgain(n uint64) error {
	return m.db.Update(func(tx *bbolt.Tx) error {
		t, err := get[task](tx, bucketTasks, numberKey(n))
		if err != nil || t.Version == 0 {
			return err
		}
		return tx.Bucket(bucketTaskWaits).Put(numberKey(t.Version), numberKey(n))
	})
}

// stepsAgain has the steps of a task written again that the table does not have, but for those of clients that were
// erased: they are forgotten.
func (w *mirror) stepsAgain(ctx context.Context, id uuid.UUID, n uint64, erased map[string]bool) (lacking int,
	err error) {
	versions := map[uuid.UUID]uint64{}
	err = w.db.EachRow(ctx, taskStepRowsSQL, []any{store.UUIDArg("task", id)}, func(scan func(...any) error) error {
		var client uuid.UUID
		var version uint64
		err := scan(&client, &version)
		versions[client] = version
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read the steps of task %d: %w", n, err)
	}
	var forget []uuid.UUID
	err = w.m.db.Update(func(tx *bbolt.Tx) error {
		waits := tx.Bucket(bucketStepWaits)
		return eachStep(tx, n, func(key stepKey, s *step) error {
			version, there := versions[key.client]
			switch {
			case there && version >= stepVersion(s):
			case !there && erased[hashOf(key.client)]:
				forget = append(forget, key.client)
			default:
				lacking++
				return waits.Put(numberKey(s.Version), key.bytes())
			}
			return nil
		})
	})
	if err != nil || len(forget) == 0 {
		return lacking, err
	}
	return lacking, w.m.Forget(ctx, forget)
}

// endStrange ends the tasks that only the table knows and that go on there: the state file was lost, and nobody will
// learn how they end. Their totals stay, and who had come to no end is unknown.
func (w *mirror) endStrange(ctx context.Context, have map[uuid.UUID]taskRow, known map[uuid.UUID]knownTask) error {
	for id, row := range have {
		if _, ok := known[id]; ok || !row.open {
			continue
		}
		w.m.log.Warn("a task of the store is none of the state file, which was lost; how it ends stays unknown", "task", id)
		if err := w.db.Conn().Exec(w.db.InsertContext(ctx), taskEndsSQL, store.UUIDArg("task", id)); err != nil {
			return fmt.Errorf("end task %s in its table: %w", id, err)
		}
	}
	return nil
}
