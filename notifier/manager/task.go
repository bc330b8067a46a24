package manager

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/notifier/wire"
)

// Buckets of tasks. A change of a task or a step gives it the next version of the manager's counter, and puts that into
// the bucket of what waits for the tables: there is one entry for each that waits.
var (
	bucketTasks       = []byte("tasks")         // by number
	bucketTaskIDs     = []byte("task_ids")      // number by id
	bucketSteps       = []byte("steps")         // by number and client
	bucketOutputs     = []byte("outputs")       // likewise: what a client's task wrote
	bucketUnsolicited = []byte("unsolicited")   // by id and client: results of tasks that the site does not know
	bucketTaskWaits   = []byte("tasks_waiting") // number by version
	bucketStepWaits   = []byte("steps_waiting") // number and client by version
	metaTaskNumber    = []byte("task_number")   // of the last task
	metaPushes        = []byte("pushes")        // up to which numbers of pushes may have been used
	metaStop          = []byte("stop")          // a Stop
)

// task is what is kept of a task. It is never changed, but replaced.
type task struct {
	Version     uint64           `json:"v"`
	Number      uint64           `json:"number"`
	ID          uuid.UUID        `json:"id"`
	Type        uint32           `json:"type"`
	Name        string           `json:"name"`
	Pack        string           `json:"pack"`
	PackVersion string           `json:"pack_version"`
	PackHash    string           `json:"pack_hash"`
	Class       string           `json:"class"`
	Parameters  []wire.Parameter `json:"parameters,omitempty"`
	For         string           `json:"for"`
	Actor       string           `json:"actor"`
	Approver    string           `json:"approver,omitempty"`
	Reason      string           `json:"reason,omitempty"`
	State       TaskState        `json:"state"`
	Why         string           `json:"why,omitempty"`
	Lasting     bool             `json:"lasting,omitempty"`
	Rate        int              `json:"rate,omitempty"` // 0: as the throttle allows
	Spread      time.Duration    `json:"spread_ns,omitempty"`
	Validity    time.Duration    `json:"validity_ns"`
	Timeout     time.Duration    `json:"timeout_ns"`
	Created     time.Time        `json:"created"`
	Issued      time.Time        `json:"issued"` // it counts from here: the creation, or the approval
	NotAfter    time.Time        `json:"not_after"`
	Ended       time.Time        `json:"ended,omitzero"`
	Handed      bool             `json:"handed,omitempty"` // something of it may have been handed to a server
	// Queued holds all that are queued; Offline is counted when asked
	Counts   Counts `json:"counts"`
	Unpushed int    `json:"unpushed"` // of the expired: those that no frame ever went to
}

// open says whether a client may still come to an end of it.
func (t *task) open() bool { return t.Ended.IsZero() }

// stepKey is a client's place in a task.
type stepKey struct {
	task   uint64
	client uuid.UUID
}

func (k stepKey) bytes() []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 24), k.task), k.client[:]...)
}

func readStepKey(raw []byte) stepKey {
	return stepKey{binary.BigEndian.Uint64(raw), uuid.UUID(raw[8:24])}
}

func compareSteps(a, b stepKey) int { return slices.Compare(a.bytes(), b.bytes()) }

// step is what is kept of a client in a task. It is never changed, but replaced. Times are microseconds since 1970.
type step struct {
	Version uint64    `json:"v"`
	Step    wire.Step `json:"s"`
	Index   uint32    `json:"i,omitempty"` // among the targets: its delay
	// offline or duplicate, when it was queued; the code of refused and failed
	Reason      string            `json:"r,omitempty"`
	Detail      string            `json:"d,omitempty"`
	ExitCode    int32             `json:"x,omitempty"`
	Server      uint32            `json:"n,omitempty"` // that last told of it
	Push        uint64            `json:"p,omitempty"` // the last delivery that was written
	By          map[uint32]uint64 `json:"b,omitempty"` // deliveries that were written, by server
	Conn        int64             `json:"o,omitempty"` // beginning of the connection that it was last handed out for
	At          int64             `json:"a"`           // of the step
	Pushed      int64             `json:"w,omitempty"` // when the last frame was written
	Received    int64             `json:"g,omitempty"`
	Started     int64             `json:"f,omitempty"` // by the client's clock
	Finished    int64             `json:"t,omitempty"` // by the client's clock
	Size        uint64            `json:"z,omitempty"` // of the output, whose text lies in its bucket
	Truncated   bool              `json:"c,omitempty"`
	Late        bool              `json:"l,omitempty"`
	Was         wire.Step         `json:"e,omitempty"` // of a late result: the step as which it counts
	Unsolicited bool              `json:"u,omitempty"` // nobody asked the client
	Cancel      bool              `json:"k,omitempty"` // somebody took it back, and the client is to confirm
}

// pushes is how often a frame of it was written.
func (s *step) pushes() (n uint64) {
	for _, by := range s.By {
		n += by
	}
	return n
}

// counted is the step as which it counts among the targets.
func (s *step) counted() wire.Step {
	if s.Late {
		return s.Was
	}
	return s.Step
}

// add counts a step in or out.
func (c *Counts) add(s *step, n int) {
	if s.Unsolicited {
		c.Unsolicited += n
		return
	}
	if s.Late {
		c.Late += n
	}
	if of := c.of(s.counted()); of != nil {
		*of += n
	}
}

func (c *Counts) of(s wire.Step) *int {
	return map[wire.Step]*int{wire.StepQueued: &c.Queued, wire.StepPushed: &c.Pushed, wire.StepReceived: &c.Received,
		wire.StepRunning: &c.Running, wire.StepSucceeded: &c.Succeeded, wire.StepFailed: &c.Failed,
		wire.StepRefused: &c.Refused, wire.StepExpired: &c.Expired, wire.StepCancelled: &c.Cancelled,
		wire.StepUnknown: &c.Unknown}[s]
}

// waiting are the clients that have not come to an end.
func (c *Counts) waiting() int { return c.Queued + c.Pushed + c.Received + c.Running }

// Stop is whether nothing is pushed, and who wanted that last.
type Stop struct {
	Stopped bool      `json:"stopped"`
	Actor   string    `json:"actor,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"time,omitzero"`
}

// putTask writes a task, and that the tables lack it.
func putTask(tx *bbolt.Tx, t *task) error {
	old, err := get[task](tx, bucketTasks, numberKey(t.Number))
	if err != nil {
		return err
	}
	if old.Version == 0 {
		if err := tx.Bucket(bucketTaskIDs).Put(t.ID[:], numberKey(t.Number)); err != nil {
			return err
		}
	} else if err := tx.Bucket(bucketTaskWaits).Delete(numberKey(old.Version)); err != nil {
		return err
	}
	if err := put(tx, bucketTasks, numberKey(t.Number), t); err != nil {
		return err
	}
	return tx.Bucket(bucketTaskWaits).Put(numberKey(t.Version), numberKey(t.Number))
}

// putStep writes a step in the place of another one, and that the tables lack it.
func putStep(tx *bbolt.Tx, key stepKey, old uint64, s *step) error {
	name := key.bytes()
	if old > 0 {
		if err := tx.Bucket(bucketStepWaits).Delete(numberKey(old)); err != nil {
			return err
		}
	}
	if err := put(tx, bucketSteps, name, s); err != nil {
		return err
	}
	return tx.Bucket(bucketStepWaits).Put(numberKey(s.Version), name)
}
