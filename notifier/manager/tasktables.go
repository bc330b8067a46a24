package manager

import (
	"context"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/notifier/wire"
	"statewire/store"
)

// mirrorBytes bounds the outputs of one insert.
const mirrorBytes = 32 << 20

// stepVersion makes the greater rank win in the table, and of one rank the later version.
func stepVersion(s *step) uint64 { return uint64(s.Step.Rank())<<rankShift | s.Version&versionMask }

const (
	rankShift   = 56
	versionMask = 1<<rankShift - 1
)

// tableStep is a step as its table has it.
type tableStep struct {
	stepKey
	step
	task     uuid.UUID
	notAfter time.Time
	output   string
}

// writeTasks writes what changed of tasks: the steps first, so that whoever finds a task there finds all its steps.
func (w *mirror) writeTasks(ctx context.Context) error {
	w.m.mu.RLock()
	upTo := w.m.counter // a site that is busy goes on for ever
	w.m.mu.RUnlock()
	for {
		names, steps, err := w.m.waitingSteps(upTo)
		if err != nil {
			return err
		}
		if err := w.insertSteps(ctx, steps); err != nil {
			return err
		}
		if err := w.m.drop(bucketStepWaits, names); err != nil {
			return err
		}
		if len(names) == 0 {
			break
		}
	}
	for {
		names, tasks, err := w.m.waitingTasks(upTo)
		if err != nil || len(names) == 0 {
			return err
		}
		if err := w.insertTasks(ctx, tasks); err != nil {
			return err
		}
		if err := w.m.drop(bucketTaskWaits, names); err != nil {
			return err
		}
	}
}

// waitingSteps are the steps that the table lacks, those that changed first first, with the keys under which they wait.
func (m *Manager) waitingSteps(upTo uint64) (names [][]byte, steps []tableStep, err error) {
	err = m.db.View(func(tx *bbolt.Tx) error {
		tasks, size := map[uint64]task{}, 0
		at := tx.Bucket(bucketStepWaits).Cursor()
		for name, raw := at.First(); name != nil && number(name) <= upTo; name, raw = at.Next() {
			names = append(names, append([]byte(nil), name...))
			row, found, err := readTableStep(tx, readStepKey(raw), tasks)
			if err != nil {
				return err
			}
			if found {
				steps = append(steps, row)
			}
			if size += len(row.output); len(names) == mirrorRows || size > mirrorBytes {
				return nil
			}
		}
		return nil
	})
	return names, steps, err
}

// readTableStep reads a step with what else its row needs; one that was forgotten is not found.
func readTableStep(tx *bbolt.Tx, key stepKey, tasks map[uint64]task) (row tableStep, found bool, err error) {
	text := tx.Bucket(bucketSteps).Get(key.bytes())
	if text == nil {
		return row, false, nil
	}
	s, err := readStep(key.bytes(), text)
	if err != nil {
		return row, false, err
	}
	of, known := tasks[key.task]
	if !known {
		if of, err = get[task](tx, bucketTasks, numberKey(key.task)); err != nil {
			return row, false, err
		}
		tasks[key.task] = of
	}
	out, err := get[wire.Output](tx, bucketOutputs, key.bytes())
	row = tableStep{stepKey: key, step: *s, task: of.ID, notAfter: of.NotAfter, output: out.Text}
	return row, of.Version > 0, err
}

// waitingTasks are likewise the tasks that the table lacks.
func (m *Manager) waitingTasks(upTo uint64) (names [][]byte, tasks []task, err error) {
	err = m.db.View(func(tx *bbolt.Tx) error {
		at := tx.Bucket(bucketTaskWaits).Cursor()
		for name, raw := at.First(); name != nil && number(name) <= upTo && len(names) < mirrorRows; name, raw = at.Next() {
			names = append(names, append([]byte(nil), name...))
			t, err := get[task](tx, bucketTasks, raw)
			if err != nil {
				return err
			}
			if t.Version > 0 {
				tasks = append(tasks, t)
			}
		}
		return nil
	})
	return names, tasks, err
}

func (w *mirror) insertSteps(ctx context.Context, steps []tableStep) error {
	n := len(steps)
	tasks, clients, numbers := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]uint64, n)
	names, reasons, details := make([]string, n), make([]string, n), make([]string, n)
	exits, servers := make([]int32, n), make([]uint32, n)
	pushes, counts, lates := make([]uint64, n), make([]uint64, n), make([]uint8, n)
	waited, unsolicited := make([]string, n), make([]uint8, n)
	at, pushed, received := make([]time.Time, n), make([]time.Time, n), make([]time.Time, n)
	started, finished, ends := make([]time.Time, n), make([]time.Time, n), make([]time.Time, n)
	sizes, truncated, outputs, versions := make([]uint64, n), make([]uint8, n), make([]string, n), make([]uint64, n)
	for i := range steps {
		s := &steps[i]
		tasks[i], clients[i], numbers[i] = s.task, s.client, s.stepKey.task
		names[i], reasons[i], details[i] = string(s.Step), s.Reason, s.Detail
		exits[i], servers[i], pushes[i], counts[i] = s.ExitCode, s.Server, s.Push, s.pushes()
		lates[i], waited[i], unsolicited[i] = store.Flag(s.Late), string(s.Was), store.Flag(s.Unsolicited)
		at[i], pushed[i], received[i] = fromMicro(s.At), fromMicro(s.Pushed), fromMicro(s.Received)
		started[i], finished[i], ends[i] = fromMicro(s.Started), fromMicro(s.Finished), tableTime(s.notAfter)
		sizes[i], truncated[i], outputs[i], versions[i] = s.Size, store.Flag(s.Truncated), s.output, stepVersion(&s.step)
	}
	return w.insert(ctx, "task_steps", `INSERT INTO task_steps (task_guid, client_id, task_id, step, reason, detail,
		exit_code, server_id, push_id, push_count, late, waited, unsolicited, step_time, pushed_time, received_time,
		started_time, finished_time, output_size, output_truncated, output, not_after, version)`,
		n, tasks, clients, numbers, names, reasons, details, exits, servers, pushes, counts, lates, waited, unsolicited, at,
		pushed, received, started, finished, sizes, truncated, outputs, ends, versions)
}

func (w *mirror) insertTasks(ctx context.Context, tasks []task) error {
	n, now := len(tasks), tableTime(w.m.now())
	ids, numbers, types := make([]uuid.UUID, n), make([]uint64, n), make([]uint32, n)
	names, packs, packVersions := make([]string, n), make([]string, n), make([]string, n)
	classes, params, values := make([]string, n), store.Lists{}, store.Lists{}
	targets, actors, approvers := make([]string, n), make([]string, n), make([]string, n)
	reasons, states, whys := make([]string, n), make([]string, n), make([]string, n)
	lasting, rates, spreads := make([]uint8, n), make([]uint32, n), make([]uint32, n)
	created, ends, updated := make([]time.Time, n), make([]time.Time, n), make([]time.Time, n)
	open, versions := make([]uint8, n), make([]uint64, n)
	counts := make([][]uint32, len(Counts{}.columns()))
	for i := range tasks {
		t := &tasks[i]
		ids[i], numbers[i], types[i], names[i] = t.ID, t.Number, t.Type, t.Name
		packs[i], packVersions[i], classes[i] = t.Pack, t.PackVersion, t.Class
		params.Append(parameters(t, func(p wire.Parameter) string { return p.Name })...)
		values.Append(parameters(t, func(p wire.Parameter) string { return p.Value })...)
		targets[i], actors[i], approvers[i], reasons[i] = t.For, t.Actor, t.Approver, t.Reason
		states[i], whys[i], lasting[i] = string(t.State), t.Why, store.Flag(t.Lasting)
		rates[i], spreads[i] = uint32(max(t.Rate, 0)), uint32(t.Spread/time.Second)
		created[i], ends[i], updated[i] = tableTime(t.Created), tableTime(t.NotAfter), now
		open[i], versions[i] = store.Flag(t.open()), t.Version
		for j, count := range t.Counts.columns() {
			counts[j] = append(counts[j], uint32(count))
		}
	}
	columns := []any{ids, numbers, types, names, packs, packVersions, classes, params, values, targets, actors, approvers,
		reasons, states, whys, lasting, rates, spreads, created, ends, open, updated, versions}
	for _, count := range counts {
		columns = append(columns, count)
	}
	return w.insert(ctx, "tasks", `INSERT INTO tasks (task_guid, task_id, task_type, name, pack, pack_version, class,
		param_names, param_values, target, actor, approver, reason, state, state_reason, lasting, rate, spread_seconds,
		created_time, not_after, open, updated_time, version, targets, queued, pushed, received, running, succeeded, failed,
		refused, expired, cancelled, unknown, late, unsolicited)`, n, columns...)
}

func parameters(t *task, part func(wire.Parameter) string) (texts []string) {
	for _, p := range t.Parameters {
		texts = append(texts, part(p))
	}
	return texts
}

// columns are the counts in the order of the table's columns. Who of the queued is offline is not known for long: the
// views count that.
func (c Counts) columns() []int {
	return []int{c.Targets, c.Queued, c.Pushed, c.Received, c.Running, c.Succeeded, c.Failed, c.Refused, c.Expired,
		c.Cancelled, c.Unknown, c.Late, c.Unsolicited}
}

// tableTime is a time as a table can hold it.
func tableTime(t time.Time) time.Time { return fromMicro(micro(t)) }

// tasksWait says whether the tables lack something of tasks.
func (m *Manager) tasksWait() (wait bool) {
	err := m.db.View(func(tx *bbolt.Tx) error {
		for _, bucket := range [][]byte{bucketTaskWaits, bucketStepWaits} {
			if name, _ := tx.Bucket(bucket).Cursor().First(); name != nil {
				wait = true
			}
		}
		return nil
	})
	return err == nil && wait
}

// countTasksBehind is how many steps the table lacks.
func (m *Manager) countTasksBehind() (n float64) {
	err := m.db.View(func(tx *bbolt.Tx) error {
		n = float64(tx.Bucket(bucketStepWaits).Stats().KeyN)
		return nil
	})
	if err != nil {
		return 0 // it is closed
	}
	return n
}
