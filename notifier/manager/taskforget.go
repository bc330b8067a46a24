package manager

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"
)

const (
	forgetEvery = time.Hour // how often it is looked for tasks whose steps are kept no longer
	maxForgets  = 20_000    // steps that go in one transaction
)

// goneSteps are the steps and results of clients that are erased.
type goneSteps struct {
	steps   map[stepKey]*step
	strange [][]byte // keys of results that nobody asked for
}

// forgetTasks drops what is known of a client in all tasks: it counts in none of them any more.
func (c *change) forgetTasks(client uuid.UUID) error {
	return c.m.db.View(func(tx *bbolt.Tx) error {
		at := tx.Bucket(bucketTasks).Cursor()
		for name, _ := at.First(); name != nil; name, _ = at.Next() {
			key := stepKey{number(name), client}
			text := tx.Bucket(bucketSteps).Get(key.bytes())
			if text == nil {
				continue
			}
			s, err := readStep(key.bytes(), text)
			if err != nil {
				return err
			}
			if err := c.forgetStep(key, s); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketUnsolicited).ForEach(func(name, _ []byte) error {
			if len(name) == 32 && uuid.UUID(name[16:]) == client {
				c.gone.strange = append(c.gone.strange, slices.Clone(name))
			}
			return nil
		})
	})
}

func (c *change) forgetStep(key stepKey, s *step) error {
	t, err := c.task(key.task)
	if err != nil || t == nil {
		return err
	}
	t.Counts.add(s, -1)
	if !s.Unsolicited {
		t.Counts.Targets--
	}
	if t.Ended.IsZero() && t.Counts.waiting() == 0 {
		t.Ended = c.now.UTC()
		if t.State == TaskActive {
			t.State = TaskEnded
		}
	}
	if c.gone.steps == nil {
		c.gone.steps = map[stepKey]*step{}
	}
	c.gone.steps[key] = s
	return nil
}

// dropGone takes what is forgotten out of the file.
func (c *change) dropGone(tx *bbolt.Tx) error {
	for key, s := range c.gone.steps {
		if err := dropStep(tx, key, s); err != nil {
			return err
		}
	}
	for _, name := range c.gone.strange {
		if err := tx.Bucket(bucketUnsolicited).Delete(name); err != nil {
			return err
		}
	}
	return nil
}

func dropStep(tx *bbolt.Tx, key stepKey, s *step) error {
	if err := tx.Bucket(bucketStepWaits).Delete(numberKey(s.Version)); err != nil {
		return err
	}
	if err := tx.Bucket(bucketOutputs).Delete(key.bytes()); err != nil {
		return err
	}
	return tx.Bucket(bucketSteps).Delete(key.bytes())
}

// installGone takes what is forgotten out of the memory. m.mu is held.
func (c *change) installGone() {
	for _, name := range c.gone.strange {
		c.m.countStrangers(readStranger(name).client, -1)
	}
	for key := range c.gone.steps {
		if o := c.m.find(key); o != nil {
			c.m.forgetStep(o)
		}
	}
}

// forgetOld drops the steps of tasks that ended so long ago that only their totals are kept, and results that nobody
// asked for: those within the hour in which the tables may drop theirs.
func (m *Manager) forgetOld(now time.Time) error {
	keep := m.settings.Load().Tasks.Keep
	if since := now.Sub(m.forgot); keep == 0 || since >= 0 && since < forgetEvery {
		return nil
	}
	m.forgot = now
	m.writing.Lock() // nobody has a step in hand that goes
	defer m.writing.Unlock()
	dropped := 0
	var strange []stranger
	err := m.db.Update(func(tx *bbolt.Tx) (err error) {
		if strange, err = dropStrangers(tx, now.Add(forgetEvery-keep)); err == nil {
			dropped, err = dropOld(tx, now.Add(-keep))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("forget the steps of old tasks: %w", err)
	}
	m.mu.Lock()
	for _, who := range strange {
		m.countStrangers(who.client, -1)
	}
	m.mu.Unlock()
	if dropped >= maxForgets {
		m.forgot = time.Time{} // the next look goes on
	}
	return nil
}

// dropOld drops steps of tasks that ended, and could begin nowhere, before a time: as many as one transaction takes.
func dropOld(tx *bbolt.Tx, before time.Time) (dropped int, err error) {
	var old []uint64
	err = each(tx, bucketTasks, func(_ []byte, t task) bool {
		if !t.open() && t.Ended.Before(before) && t.NotAfter.Before(before) {
			old = append(old, t.Number)
		}
		return true
	})
	for _, n := range old {
		var keys [][]byte
		at, prefix := tx.Bucket(bucketSteps).Cursor(), numberKey(n)
		for name, _ := at.Seek(prefix); bytes.HasPrefix(name, prefix) && dropped < maxForgets; name, _ = at.Next() {
			keys = append(keys, slices.Clone(name))
			dropped++
		}
		for _, name := range keys {
			s, err := readStep(name, tx.Bucket(bucketSteps).Get(name))
			if err != nil {
				return dropped, err
			}
			if err := dropStep(tx, readStepKey(name), s); err != nil {
				return dropped, err
			}
		}
	}
	return dropped, err
}

// dropStrangers drops the results of unknown tasks that came before a time.
func dropStrangers(tx *bbolt.Tx, before time.Time) (dropped []stranger, err error) {
	b := tx.Bucket(bucketUnsolicited)
	err = each(tx, bucketUnsolicited, func(name []byte, s step) bool {
		if len(name) == 32 && s.At < micro(before) {
			dropped = append(dropped, readStranger(name))
		}
		return true
	})
	for _, who := range dropped {
		err = errors.Join(err, b.Delete(who.bytes()))
	}
	return dropped, err
}
