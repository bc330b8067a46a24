package manager

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"
)

// writeStrangers writes results of tasks that the site does not know, once: they never change.
func (w *mirror) writeStrangers(ctx context.Context) error {
	var strange []tableStep
	err := w.m.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketUnsolicited)
		if n := b.Stats().KeyN; n == w.strangers {
			return nil
		}
		return b.ForEach(func(name, text []byte) error {
			s, err := readStep(name, text)
			if err != nil || len(name) != 32 {
				return err
			}
			strange = append(strange, tableStep{stepKey: stepKey{client: uuid.UUID(name[16:])}, step: *s,
				task: uuid.UUID(name[:16]), notAfter: fromMicro(s.At)})
			return nil
		})
	})
	if err != nil || len(strange) == 0 {
		return err
	}
	there, err := w.strangersThere(ctx)
	if err != nil {
		return err
	}
	erased, err := w.erased(ctx)
	if err != nil {
		return err
	}
	var lacking []tableStep
	var forget []uuid.UUID
	for _, s := range strange {
		switch {
		case there[stranger{s.task, s.client}]:
		case erased[hashOf(s.client)]:
			forget = append(forget, s.client)
		default:
			lacking = append(lacking, s)
		}
	}
	if err := w.insertSteps(ctx, lacking); err != nil {
		return err
	}
	w.strangers = len(strange) - len(forget)
	if len(forget) == 0 {
		return nil
	}
	return w.m.Forget(ctx, forget)
}

func (w *mirror) strangersThere(ctx context.Context) (map[stranger]bool, error) {
	there := map[stranger]bool{}
	err := w.db.EachRow(ctx, "SELECT task_guid, client_id FROM task_steps WHERE task_id = 0", nil,
		func(scan func(...any) error) error {
			var who stranger
			err := scan(&who.task, &who.client)
			there[who] = true
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read which results nobody asked for: %w", err)
	}
	return there, nil
}
