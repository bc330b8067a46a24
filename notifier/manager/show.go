package manager

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/identity"
	"statewire/notifier/wire"
)

// ListOptions say which tasks are listed.
type ListOptions struct {
	Open  bool `json:"open"`  // only those that have not ended
	Limit int  `json:"limit"` // at most so many; 0: all
}

// ShowOptions say which steps of a task are shown.
type ShowOptions struct {
	Steps []wire.Step `json:"steps,omitempty"` // only these; empty: all
	After uuid.UUID   `json:"after,omitzero"`  // only clients behind this one, in their order
	Limit int         `json:"limit"`           // at most so many; 0: all
}

// ClientTask is a task that waits for a client, or that the client has not ended.
type ClientTask struct {
	Task TaskStatus `json:"task"`
	Step StepStatus `json:"step"`
}

// List are the tasks, the newest first. A caller with collections sees its own.
func (m *Manager) List(_ context.Context, by By, o ListOptions) (list []TaskStatus, err error) {
	if err := by.Permit(identity.MayTaskRead); err != nil {
		return nil, err
	}
	tasks, err := m.newest(o, by)
	if err != nil {
		return nil, fmt.Errorf("list the tasks: %w", err)
	}
	list = []TaskStatus{}
	for _, t := range tasks {
		list = append(list, m.statusOf(t))
	}
	return list, nil
}

// newest are tasks in the file, the newest first.
func (m *Manager) newest(o ListOptions, by By) (tasks []*task, err error) {
	err = m.db.View(func(tx *bbolt.Tx) error {
		at := tx.Bucket(bucketTasks).Cursor()
		for key, text := at.Last(); key != nil && (o.Limit <= 0 || len(tasks) < o.Limit); key, text = at.Prev() {
			t := new(task)
			if err := unmarshal(text, t); err != nil {
				return fmt.Errorf("read task %x of %s: %w", key, stateFile, err)
			}
			if (!o.Open || t.open()) && t.seenBy(by) {
				tasks = append(tasks, t)
			}
		}
		return nil
	})
	return tasks, err
}

// seenBy says whether a caller may know of a task: one with collections of its own knows those that it made.
func (t *task) seenBy(by By) bool { return !by.Scoped() || t.Actor == by.Actor }

// statusOf is a task as people see it.
func (m *Manager) statusOf(t *task) TaskStatus {
	s := TaskStatus{ID: t.Number, Task: t.ID, Name: t.Name, Type: t.Type, Pack: t.Pack, Version: t.PackVersion,
		Class: t.Class, Parameters: slices.Clone(t.Parameters), For: t.For, Actor: t.Actor, Approver: t.Approver,
		Reason: t.Reason, State: t.State, Why: t.Why, Lasting: t.Lasting, Rate: t.Rate, Spread: t.Spread, Created: t.Created,
		NotAfter: t.NotAfter, Counts: t.Counts}
	if s.Parameters == nil {
		s.Parameters = []wire.Parameter{}
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if l := m.tasks[t.Number]; l != nil {
		s.Counts.Offline = m.offline(l)
		s.Counts.Queued -= s.Counts.Offline
	}
	return s
}

// offline counts the clients of a task that are queued and cannot be reached. m.mu is held.
func (m *Manager) offline(l *live) (n int) {
	for i := range l.steps {
		o := &l.steps[i]
		if int(o.rank) == wire.StepQueued.Rank() {
			if c := m.clients[o.client]; c == nil || !c.online() {
				n++
			}
		}
	}
	return min(n, l.task.Counts.Queued)
}

// lookup finds a task by its number, its id, or the beginning of that.
func (m *Manager) lookup(by By, id string) (t *task, err error) {
	err = m.db.View(func(tx *bbolt.Tx) error {
		number, err := findNumber(tx, id)
		if err != nil {
			return err
		}
		found, err := get[task](tx, bucketTasks, numberKey(number))
		t = &found
		return err
	})
	if err == nil && (t.Version == 0 || !t.seenBy(by)) {
		err = noTask(id)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

func noTask(id string) error {
	return refuse(codeNoTask, http.StatusNotFound, "there is no task %.40q; `statewire tasks list` shows them", id)
}

// minBeginning is how much of an id names a task.
const minBeginning = 8

// findNumber is the number of a task by what people write of it; 0 where there is none.
func findNumber(tx *bbolt.Tx, id string) (uint64, error) {
	id = strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(id, "task:"), "GUID:"))
	if number, err := strconv.ParseUint(id, 10, 63); err == nil && tx.Bucket(bucketTasks).Get(numberKey(number)) != nil {
		return number, nil
	}
	if len(id) < minBeginning {
		return 0, nil
	}
	first, ok := beginning(id)
	if !ok {
		return 0, nil
	}
	found, many := uint64(0), false
	at := tx.Bucket(bucketTaskIDs).Cursor()
	for key, number := at.Seek(first); len(key) == 16; key, number = at.Next() {
		if !strings.HasPrefix(uuid.UUID(key).String(), id) {
			break
		}
		many = many || found > 0
		found = binary.BigEndian.Uint64(number)
	}
	if many {
		return 0, refuse(codeNoTask, http.StatusConflict, "several tasks begin with %.40q; write more of the id", id)
	}
	return found, nil
}

// beginning are the bytes that an id begins with whose text begins so.
func beginning(id string) (first []byte, ok bool) {
	digits := strings.ReplaceAll(id, "-", "")
	first, err := hex.DecodeString(digits[:len(digits)/2*2])
	return first, err == nil && len(first) <= 16
}

// taskNumberOf is the number of a task in the file; 0 where there is none.
func (m *Manager) taskNumberOf(id uuid.UUID) (number uint64, err error) {
	err = m.db.View(func(tx *bbolt.Tx) error {
		if raw := tx.Bucket(bucketTaskIDs).Get(id[:]); raw != nil {
			number = binary.BigEndian.Uint64(raw)
		}
		return nil
	})
	return number, err
}

// Show is a task, and hands over each client's step in the order of the clients.
func (m *Manager) Show(_ context.Context, by By, id string, o ShowOptions, take func(StepStatus) error) (TaskStatus,
	error) {
	if err := by.Permit(identity.MayTaskRead); err != nil {
		return TaskStatus{}, err
	}
	t, err := m.lookup(by, id)
	if err != nil {
		return TaskStatus{}, err
	}
	if take != nil {
		if err := m.showSteps(t, o, take); err != nil {
			return TaskStatus{}, err
		}
	}
	return m.statusOf(t), nil
}

// showRows is how many steps are read together: a slow reader must not keep the file's old pages for long.
const showRows = 1000

func (m *Manager) showSteps(t *task, o ShowOptions, take func(StepStatus) error) error {
	from, shown := stepKey{t.Number, o.After}.bytes(), 0
	for from != nil {
		rows, next, err := m.someSteps(t, from, o)
		if err != nil {
			return fmt.Errorf("read the steps of task %s: %w", t.ID, err)
		}
		for _, row := range rows {
			if o.Limit > 0 && shown == o.Limit {
				return nil
			}
			shown++
			if err := take(row); err != nil {
				return err
			}
		}
		from = next
	}
	return nil
}

// someSteps reads some steps from a key on, and says where the next ones begin; nil: there are none.
func (m *Manager) someSteps(t *task, from []byte, o ShowOptions) (rows []StepStatus, next []byte, err error) {
	err = m.db.View(func(tx *bbolt.Tx) error {
		at, prefix := tx.Bucket(bucketSteps).Cursor(), string(numberKey(t.Number))
		for key, text := at.Seek(from); len(key) == 24 && string(key[:8]) == prefix; key, text = at.Next() {
			if len(rows) == showRows {
				next = slices.Clone(key)
				return nil
			}
			s, err := readStep(key, text)
			if err != nil {
				return err
			}
			if id := readStepKey(key).client; id == o.After && id != uuid.Nil {
				continue
			}
			if len(o.Steps) == 0 || slices.Contains(o.Steps, s.Step) {
				rows = append(rows, m.stepStatus(readStepKey(key), s))
			}
		}
		return nil
	})
	return rows, next, err
}

// stepStatus is a step as people see it, without its output's text.
func (m *Manager) stepStatus(key stepKey, s *step) StepStatus {
	out := StepStatus{Client: key.client, Step: s.Step, Reason: s.Reason, Detail: s.Detail, ExitCode: s.ExitCode,
		Server: s.Server, Push: s.Push, Pushes: s.pushes(), Late: s.Late, At: fromMicro(s.At),
		Pushed: timeOf(s.Pushed), Received: timeOf(s.Received), Started: timeOf(s.Started), Finished: timeOf(s.Finished),
		Output: wire.Output{Size: s.Size, Truncated: s.Truncated}}
	if s.Step == wire.StepQueued {
		out.Reason = m.whyQueued(key)
	} else if !s.Step.Told() {
		out.Reason = ""
	}
	return out
}

// timeOf is a time as it is kept; zero where there is none.
func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return fromMicro(us)
}

// whyQueued is what a queued client waits for.
func (m *Manager) whyQueued(key stepKey) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if reason := m.queuedReason(key.client); reason != "" {
		return reason
	}
	o := m.find(key)
	if o != nil && o.line != 0 && (o.of.limiter != nil || len(m.queue(o.line).unwritten) >= m.room()) && !m.stop.Stopped {
		return reasonThrottled
	}
	return reasonOnline
}

// Output is a client's step with all that is kept of its output, in the store, too.
func (m *Manager) Output(ctx context.Context, by By, id string, client uuid.UUID) (out StepStatus, err error) {
	if err := by.Permit(identity.MayTaskRead); err != nil {
		return out, err
	}
	t, err := m.lookup(by, id)
	if err != nil {
		return out, err
	}
	key := stepKey{t.Number, client}
	err = m.db.View(func(tx *bbolt.Tx) error {
		text := tx.Bucket(bucketSteps).Get(key.bytes())
		if text == nil {
			return refuse(codeNoClient, http.StatusNotFound, "task %d is not for client GUID:%s", t.Number, upper(client))
		}
		s, err := readStep(key.bytes(), text)
		if err != nil {
			return err
		}
		out = m.stepStatus(key, s)
		output, err := get[wire.Output](tx, bucketOutputs, key.bytes())
		if output != (wire.Output{}) {
			out.Output = output
		}
		return err
	})
	if err == nil {
		m.complete(ctx, t.ID, client, &out.Output)
	}
	return out, err
}

// WaitingFor are the tasks that a client has not come to an end of, the oldest first.
func (m *Manager) WaitingFor(_ context.Context, client uuid.UUID) ([]ClientTask, error) {
	var keys []stepKey
	var tasks []*task
	m.mu.RLock()
	for o := m.open[client]; o != nil; o = o.next {
		keys, tasks = append(keys, o.key()), append(tasks, o.of.task)
	}
	m.mu.RUnlock()
	out := []ClientTask{}
	for i, key := range slices.Backward(keys) {
		s, err := m.readStep(key)
		if err != nil {
			return nil, fmt.Errorf("read what waits for client %s: %w", client, err)
		}
		if s != nil {
			out = append(out, ClientTask{m.statusOf(tasks[i]), m.stepStatus(key, s)})
		}
	}
	slices.SortFunc(out, func(a, b ClientTask) int { return int(int64(a.Task.ID) - int64(b.Task.ID)) })
	return out, nil
}

func (m *Manager) readStep(key stepKey) (s *step, err error) {
	err = m.db.View(func(tx *bbolt.Tx) error {
		if text := tx.Bucket(bucketSteps).Get(key.bytes()); text != nil {
			s, err = readStep(key.bytes(), text)
		}
		return err
	})
	return s, err
}

// Lasting are the envelopes of the lasting tasks that a client has not begun, for its policy. While pushes are stopped
// there are none.
func (m *Manager) Lasting(ctx context.Context, client uuid.UUID) ([][]byte, error) {
	now := m.now()
	type one struct {
		task  *task
		index uint32
	}
	var found []one
	var unclear []*live
	m.mu.RLock()
	for o := m.open[client]; o != nil && !m.stop.Stopped; o = o.next {
		if t := o.of.task; t.Lasting && o.deliverable() && !now.After(t.NotAfter) {
			if !now.Before(o.of.cleared) {
				unclear = append(unclear, o.of)
			}
			found = append(found, one{t, o.index})
		}
	}
	m.mu.RUnlock()
	if len(found) == 0 {
		return nil, nil
	}
	for actor, tasks := range m.byActor(unclear) {
		m.clear(ctx, actor, tasks)
	}
	signer := m.signer(now)
	if signer == nil {
		return nil, refuse(codeUnavailable, http.StatusServiceUnavailable, "tasks cannot be signed: the site's log says why")
	}
	var out [][]byte
	for _, f := range found {
		if !m.isCleared(f.task.Number) {
			continue
		}
		envelope, err := signer.request(f.task, client, f.index)
		if err != nil {
			return nil, err
		}
		out = append(out, envelope)
	}
	return out, nil
}

func (m *Manager) isCleared(number uint64) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	l := m.tasks[number]
	return l != nil && l.task.State == TaskActive && m.now().Before(l.cleared)
}
