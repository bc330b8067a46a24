package manager

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"
	"golang.org/x/time/rate"

	"statewire/notifier/wire"
)

// live is a task in memory, as long as a client may still come to an end of it.
type live struct {
	task    *task // replaced, never changed
	steps   []open
	limiter *rate.Limiter // nil: as the throttle allows

	unwritten int       // pushes that are handed out, and no server said that it wrote them
	cleared   time.Time // until then its creator's right is believed
	asked     time.Time // when it was last asked for
	asking    bool      // and no answer came yet
}

// open is a client that has not come to an end of a task. A site may have hundreds of thousands: it stays small.
type open struct {
	of      *live
	next    *open // of the same client
	client  uuid.UUID
	at      int64  // of the step, or when it was heard of
	conn    int64  // beginning of the connection that it was handed out for
	push    uint64 // that is handed out and not written
	version uint64
	index   uint32
	line    uint32 // the server in whose line it waits
	handed  uint32 // the server that it was handed to
	rank    uint8  // of the step; 0: it came to an end
	cancel  bool
}

func (o *open) key() stepKey { return stepKey{o.of.task.Number, o.client} }

// deliverable says whether the client is to be given the task.
func (o *open) deliverable() bool {
	return o.rank > 0 && int(o.rank) <= wire.StepPushed.Rank() && o.of.task.State == TaskActive && !o.cancel
}

// loadTasks fills the memory with the tasks that are open.
func (m *Manager) loadTasks(tx *bbolt.Tx) error {
	var open []*task
	err := each(tx, bucketTasks, func(_ []byte, t task) bool {
		if t.open() {
			open = append(open, &t)
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, t := range open {
		steps, err := loadSteps(tx, t)
		if err != nil {
			return err
		}
		m.keep(t, steps)
	}
	err = each(tx, bucketUnsolicited, func(name []byte, _ step) bool {
		if len(name) == 32 {
			m.countStrangers(readStranger(name).client, 1)
		}
		return true
	})
	if err != nil {
		return err
	}
	if m.stop, err = get[Stop](tx, bucketMeta, metaStop); err != nil {
		return err
	}
	if m.taskNumber, err = get[uint64](tx, bucketMeta, metaTaskNumber); err != nil {
		return err
	}
	m.pushesTo, err = get[uint64](tx, bucketMeta, metaPushes)
	m.push = m.pushesTo
	return err
}

// loadSteps reads the clients that have not come to an end of a task.
func loadSteps(tx *bbolt.Tx, t *task) (steps []open, err error) {
	err = eachStep(tx, t.Number, func(key stepKey, s *step) error {
		if !s.Step.Final() && !s.Unsolicited {
			o := open{client: key.client, at: s.At, version: s.Version, index: s.Index, rank: uint8(s.Step.Rank()),
				cancel: s.Cancel}
			if !s.Cancel { // else the client is told again
				o.handed, o.conn = s.Server, s.Conn
			}
			steps = append(steps, o)
		}
		return nil
	})
	return slices.Clip(steps), err
}

// eachStep reads the steps of a task in the order of the clients.
func eachStep(tx *bbolt.Tx, number uint64, take func(stepKey, *step) error) error {
	at := tx.Bucket(bucketSteps).Cursor()
	prefix := numberKey(number)
	for key, text := at.Seek(prefix); len(key) == 24 && string(key[:8]) == string(prefix); key, text = at.Next() {
		s, err := readStep(key, text)
		if err != nil {
			return err
		}
		if err := take(readStepKey(key), s); err != nil {
			return err
		}
	}
	return nil
}

func readStep(key, text []byte) (*step, error) {
	s := new(step)
	if err := unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read step %x of %s: %w", key, stateFile, err)
	}
	return s, nil
}

// keep takes a task with its open steps into the memory. m.mu is held, or nobody else has the manager yet.
func (m *Manager) keep(t *task, steps []open) {
	l := &live{task: t, steps: steps}
	l.limit(m.now())
	m.tasks[t.Number] = l
	m.taskIDs[t.ID] = t.Number
	for i := range steps {
		o := &l.steps[i]
		o.of, o.next = l, m.open[o.client]
		m.open[o.client] = o
	}
	m.openSteps += len(steps)
}

// limit makes the task's own rate, with nothing saved up.
func (l *live) limit(now time.Time) {
	if l.task.Rate <= 0 {
		l.limiter = nil
		return
	}
	l.limiter = rate.NewLimiter(rate.Limit(l.task.Rate), l.task.Rate)
	l.limiter.AllowN(now, l.task.Rate)
}

// find is the open step of a client; nil where it has come to an end. m.mu is held.
func (m *Manager) find(key stepKey) *open {
	for o := m.open[key.client]; o != nil; o = o.next {
		if o.of.task.Number == key.task {
			return o
		}
	}
	return nil
}

// forgetStep forgets a step that came to an end. m.mu is held.
func (m *Manager) forgetStep(o *open) {
	m.release(o)
	o.rank, o.line = 0, 0
	m.openSteps--
	if m.open[o.client] == o {
		if m.open[o.client] = o.next; o.next == nil {
			delete(m.open, o.client)
		}
		return
	}
	for p := m.open[o.client]; p != nil; p = p.next {
		if p.next == o {
			p.next = o.next
			return
		}
	}
}
