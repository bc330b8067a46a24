package cache

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// maxTasks bounds the tasks whose ids a client knows.
const maxTasks = 10_000

// Task is what a client keeps of a task that it was asked to do.
type Task struct {
	ID       [16]byte
	Number   uint64 // the site's number of it
	Push     uint64 // the last delivery; 0: in a policy
	Step     string
	Code     string // why it was refused or failed
	Detail   string
	ExitCode int32
	Received time.Time // by the wall clock, as the two that follow
	Started  time.Time
	Finished time.Time
	NotAfter time.Time // by the site's clock, as the two that follow
	Begin    time.Time // not before it
	Keep     time.Time // until then the id is known
	Name     string    // pack's and task's, for people
	Request  []byte    // what was asked, until it has ended
	Size     uint64    // of its output
	Cut      bool      // Output is its beginning
	Output   string    // until the site has it
	Open     bool      // it has not ended
	Untold   bool      // the site has not confirmed that it knows how it ended
}

// TaskTime is the greatest time that a key of a site vouched for, and what this machine's clock said then.
type TaskTime struct {
	Site  [16]byte
	Time  time.Time
	Boot  string        // names the run of the machine
	Since time.Duration // since the machine was started
}

func taskKey(id [16]byte) []byte { return append([]byte{keyTask}, id[:]...) }

func (t *Task) record() []byte {
	w := &writer{}
	w.number(t.Number)
	w.number(t.Push)
	w.text(t.Step)
	w.text(t.Code)
	w.text(t.Detail)
	w.signed(int64(t.ExitCode))
	for _, at := range []time.Time{t.Received, t.Started, t.Finished, t.NotAfter, t.Begin, t.Keep} {
		w.time(at)
	}
	w.text(t.Name)
	w.bytes(t.Request)
	w.number(t.Size)
	w.flag(t.Cut)
	w.text(t.Output)
	w.flag(t.Open)
	w.flag(t.Untold)
	return w.sealed()
}

func readTask(key, record []byte) (t Task, err error) {
	if len(key) != 1+len(t.ID) {
		return t, errDamaged
	}
	copy(t.ID[:], key[1:])
	r := openRecord(record)
	t.Number, t.Push, t.Step, t.Code, t.Detail = r.number(), r.number(), r.text(), r.text(), r.text()
	t.ExitCode = int32(r.signed())
	for _, at := range []*time.Time{&t.Received, &t.Started, &t.Finished, &t.NotAfter, &t.Begin, &t.Keep} {
		*at = r.time()
	}
	t.Name, t.Request = r.text(), bytes.Clone(r.bytes())
	t.Size, t.Cut, t.Output = r.number(), r.flag(), r.text()
	t.Open, t.Untold = r.flag(), r.flag()
	return t, r.done()
}

// Task is what is kept of a task; false when its id is not known.
func (c store) Task(id [16]byte) (t Task, known bool, err error) {
	err = c.view(func(s records) error {
		record := s.get(taskKey(id))
		if known = record != nil; !known {
			return nil
		}
		t, err = readTask(taskKey(id), record)
		return err
	})
	return t, known, err
}

// Tasks calls fn for everything that is kept of tasks.
func (c store) Tasks(fn func(Task)) error {
	return c.view(func(s records) error {
		return s.ascend([]byte{keyTask}, func(key, value []byte) (bool, error) {
			t, err := readTask(key, value)
			if err == nil {
				fn(t)
			}
			return true, err
		})
	})
}

// PutTask keeps a task. A pack that is named is in force from then on with this version, and never with a lower one.
func (c store) PutTask(t Task, pack string, version [4]uint32) error {
	var full error // no fault of the disk
	err := c.update(func(s records) error {
		full = nil
		if s.get(taskKey(t.ID)) == nil {
			if n, err := countTasks(s); err != nil || n >= maxTasks {
				full = fmt.Errorf("%w: it knows %d tasks, its bound", ErrFull, maxTasks)
				return errors.Join(err, full)
			}
		}
		if pack != "" {
			w := &writer{}
			for _, part := range version {
				w.number(uint64(part))
			}
			if err := s.put(packKey(pack), w.sealed()); err != nil {
				return err
			}
		}
		return s.put(taskKey(t.ID), t.record())
	})
	return err
}

func countTasks(s records) (n int, err error) {
	err = s.ascend([]byte{keyTask}, func(_, _ []byte) (bool, error) { n++; return n < maxTasks, nil })
	return n, err
}

// ForgetTasks drops tasks.
func (c store) ForgetTasks(ids [][16]byte) error {
	return c.update(func(s records) error {
		for _, id := range ids {
			if err := s.delete(taskKey(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

func packKey(pack string) []byte { return append([]byte{keyPack}, pack...) }

// PackVersion is the version of a pack that was in force last; false when none was.
func (c store) PackVersion(pack string) (version [4]uint32, known bool, err error) {
	err = c.view(func(s records) error {
		record := s.get(packKey(pack))
		if known = record != nil; !known {
			return nil
		}
		r := openRecord(record)
		for i := range version {
			version[i] = uint32(r.number())
		}
		return r.done()
	})
	return version, known, err
}

// TaskTime is what KeepTaskTime kept; zero when nothing was.
func (c store) TaskTime() (t TaskTime, err error) {
	err = c.view(func(s records) error {
		record := s.get([]byte{keyTaskTime})
		if record == nil {
			return nil
		}
		r := openRecord(record)
		if copy(t.Site[:], r.bytes()) != len(t.Site) {
			return errDamaged
		}
		t.Time, t.Boot, t.Since = r.time(), r.text(), time.Duration(r.signed())
		return r.done()
	})
	return t, err
}

// KeepTaskTime keeps the greatest time that a key vouched for.
func (c store) KeepTaskTime(t TaskTime) error {
	return c.update(func(s records) error {
		w := &writer{}
		w.bytes(t.Site[:])
		w.time(t.Time)
		w.text(t.Boot)
		w.signed(int64(t.Since))
		return s.put([]byte{keyTaskTime}, w.sealed())
	})
}

// inheritTrust takes over what protects a machine from what is old, whatever id its client has: the greatest time, and
// which versions of packs were in force.
func inheritTrust(from, to records) error {
	for _, kind := range []byte{keyTaskTime, keyPack} {
		if err := from.ascend([]byte{kind}, func(key, value []byte) (bool, error) {
			return true, to.put(bytes.Clone(key), bytes.Clone(value))
		}); err != nil {
			return err
		}
	}
	return nil
}
