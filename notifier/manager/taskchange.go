package manager

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/notifier/wire"
)

// changedTasks are the tasks and steps of a change.
type changedTasks struct {
	tasks   map[uint64]*task
	steps   map[stepKey]*step
	before  map[stepKey]*step // as they are in the file; nil: not there
	outputs map[stepKey]wire.Output
	made    *madeTask
	stop    *Stop
	pushes  uint64 // numbers of pushes up to here may be used
	strange map[stranger]*step

	strangers map[uuid.UUID]int // of each client in strange
	gone      goneSteps
}

// stranger is a client that told of a task which the site does not know.
type stranger struct{ task, client uuid.UUID }

func (s stranger) bytes() []byte { return append(s.task[:], s.client[:]...) }

func readStranger(raw []byte) stranger { return stranger{uuid.UUID(raw[:16]), uuid.UUID(raw[16:])} }

// madeTask is a task that is new, with its targets in their order.
type madeTask struct {
	task    *task
	targets []uuid.UUID
	reasons func(uuid.UUID) string
	first   uint64 // version of the first step
}

func newChangedTasks() changedTasks {
	return changedTasks{tasks: map[uint64]*task{}, steps: map[stepKey]*step{}, before: map[stepKey]*step{},
		outputs: map[stepKey]wire.Output{}, strange: map[stranger]*step{},
		strangers: map[uuid.UUID]int{}}
}

func (c *changedTasks) any() bool {
	return len(c.tasks)+len(c.steps)+len(c.strange)+len(c.gone.strange) > 0 || c.made != nil || c.stop != nil ||
		c.pushes > 0
}

// task is a task at this point of the change, to be changed; nil where there is none.
func (c *change) task(number uint64) (*task, error) {
	if t, ok := c.tasks[number]; ok {
		return t, nil
	}
	var t task
	if l := c.m.tasks[number]; l != nil {
		t = *l.task
	} else {
		err := c.m.db.View(func(tx *bbolt.Tx) (err error) {
			t, err = get[task](tx, bucketTasks, numberKey(number))
			return err
		})
		if err != nil || t.Version == 0 {
			return nil, err
		}
	}
	c.counter++
	t.Version = c.counter
	c.tasks[number] = &t
	return &t, nil
}

// step is a client's step at this point of the change; nil where there is none.
func (c *change) step(key stepKey) (*step, error) {
	if s, ok := c.steps[key]; ok {
		return s, nil
	}
	if s, ok := c.before[key]; ok {
		return s, nil
	}
	var s *step
	err := c.m.db.View(func(tx *bbolt.Tx) (err error) {
		if text := tx.Bucket(bucketSteps).Get(key.bytes()); text != nil {
			s, err = readStep(key.bytes(), text)
		}
		return err
	})
	if err == nil {
		c.before[key] = s
	}
	return s, err
}

// setStep gives a client another step, with the next version, and counts it.
func (c *change) setStep(key stepKey, s step) error {
	old, err := c.step(key)
	if err != nil {
		return err
	}
	t, err := c.task(key.task)
	if err != nil {
		return err
	}
	if old != nil {
		t.Counts.add(old, -1)
	}
	t.Counts.add(&s, 1)
	c.counter++
	s.Version = c.counter
	c.steps[key] = &s
	c.answers(t, key.client, old, &s)
	if t.Ended.IsZero() && t.Counts.waiting() == 0 {
		t.Ended = c.now.UTC()
		if t.State == TaskActive {
			t.State = TaskEnded
		}
	}
	return nil
}

// writeTasks puts the change's tasks into the file.
func (c *change) writeTasks(tx *bbolt.Tx) error {
	for _, number := range slices.Sorted(maps.Keys(c.tasks)) {
		if err := putTask(tx, c.tasks[number]); err != nil {
			return err
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(c.steps), compareSteps) { // neighbours lie on one page
		old := uint64(0)
		if s := c.before[key]; s != nil {
			old = s.Version
		}
		if err := putStep(tx, key, old, c.steps[key]); err != nil {
			return err
		}
	}
	if err := c.dropGone(tx); err != nil {
		return err
	}
	for key, out := range c.outputs {
		if err := put(tx, bucketOutputs, key.bytes(), out); err != nil {
			return err
		}
	}
	for who, s := range c.strange {
		if err := put(tx, bucketUnsolicited, who.bytes(), s); err != nil {
			return err
		}
	}
	return c.writeMeta(tx)
}

func (c *change) writeMeta(tx *bbolt.Tx) error {
	if c.stop != nil {
		if err := put(tx, bucketMeta, metaStop, c.stop); err != nil {
			return err
		}
	}
	if c.pushes > 0 {
		if err := put(tx, bucketMeta, metaPushes, c.pushes); err != nil {
			return err
		}
	}
	if c.made == nil {
		return nil
	}
	return c.made.write(tx)
}

// write writes a new task with all its targets, in the order of their keys.
func (d *madeTask) write(tx *bbolt.Tx) error {
	if err := put(tx, bucketMeta, metaTaskNumber, d.task.Number); err != nil {
		return err
	}
	if err := putTask(tx, d.task); err != nil {
		return err
	}
	for _, name := range [][]byte{bucketSteps, bucketStepWaits} {
		tx.Bucket(name).FillPercent = 0.9 // what comes is behind all that is there
	}
	for i, client := range d.targets {
		if err := putStep(tx, stepKey{d.task.Number, client}, 0, d.step(i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *madeTask) step(i int) *step {
	return &step{Version: d.first + uint64(i), Step: wire.StepQueued, Index: uint32(i), Reason: d.reasons(d.targets[i]),
		At: micro(d.task.Created)}
}

// installTasks makes the change's tasks seen. m.mu is held.
func (c *change) installTasks() {
	m := c.m
	if c.stop != nil {
		m.stop = *c.stop
		m.ringAll()
	}
	if c.pushes > 0 {
		m.pushesTo = c.pushes
	}
	if c.made != nil {
		m.keepMade(c.made)
	}
	for number, t := range c.tasks {
		if l := m.tasks[number]; l != nil {
			l.task = t
		}
	}
	for client, n := range c.strangers {
		m.countStrangers(client, n)
	}
	c.installGone()
	for key, s := range c.steps {
		if o := m.find(key); o != nil {
			m.moved(o, s, c.now)
		}
	}
	for number, t := range c.tasks {
		if l := m.tasks[number]; l != nil && !t.open() {
			delete(m.tasks, number)
			delete(m.taskIDs, t.ID)
		}
	}
}

// countStrangers counts results that nobody asked for. m.mu is held.
func (m *Manager) countStrangers(client uuid.UUID, n int) {
	m.strange += n
	if m.strangers[client] += n; m.strangers[client] <= 0 {
		delete(m.strangers, client)
	}
}

// keepMade takes a new task into the memory, and offers it to its clients.
func (m *Manager) keepMade(d *madeTask) {
	steps := make([]open, len(d.targets))
	for i, client := range d.targets {
		steps[i] = open{client: client, at: micro(d.task.Created), version: d.first + uint64(i), index: uint32(i),
			rank: uint8(wire.StepQueued.Rank())}
	}
	m.taskNumber = d.task.Number
	m.keep(d.task, steps)
	m.offerAll(m.tasks[d.task.Number])
}

// moved takes another step of a client into the memory. How long nothing is heard of it counts from now, whatever its
// server's clock says.
func (m *Manager) moved(o *open, s *step, now time.Time) {
	o.version, o.at = s.Version, max(s.At, micro(now))
	if s.Step.Final() {
		m.forgetStep(o)
		return
	}
	if s.Cancel && !o.cancel {
		o.cancel, o.line = true, 0
		if c := m.clients[o.client]; c != nil && c.online() {
			m.takeBack(c.Server, o)
		}
	}
	o.rank, o.cancel = uint8(s.Step.Rank()), s.Cancel
	if s.Push >= o.push || s.Step.Rank() > wire.StepPushed.Rank() {
		m.written(o)
	}
	m.offer(o)
}
