package inbox

import (
	"errors"
	"fmt"
	"log/slog"
	"statewire/inbox/disk"
	"testing"
	"time"
)

func TestAFailedStepIsNeverAcknowledged(t *testing.T) {
	faults := []struct {
		err  error
		kind error
	}{
		{errIO, ErrFault}, {errReadOnly, ErrFault}, {errNoSpace, ErrDiskFull}, {errQuota, ErrDiskFull}, {errTooManyFiles,
			ErrFault},
	}
	for _, fault := range faults {
		for _, late := range []bool{false, true} {
			for step := range 8 {
				t.Run(fmt.Sprintf("%v at step %d late=%v", fault.err, step, late), func(t *testing.T) {
					failAt(t, step, late, fault.err, fault.kind)
				})
			}
		}
	}
}

func failAt(t *testing.T, step int, late bool, fault, kind error) {
	m, g := newModel(), newLedger()
	d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
	n := 0
	hook := func(call string, at disk.Folder, name string) error {
		if n++; n == step+1 {
			return fault
		}
		return nil
	}
	if m.before = hook; late {
		m.before, m.after = nil, hook
	}
	g.offer("report")
	_, err := d.Put(Normal, []byte("report"), time.Now())
	if err == nil {
		g.accept("report")
	} else if !errors.Is(err, kind) {
		t.Errorf("error %v is no %v", err, kind)
	}
	m.before, m.after = nil, nil
	// Put itself has 5 steps: create, write, sync, rename, sync of the folder.
	if steps := 5; (err == nil) != (step >= steps) {
		t.Errorf("Put answered %v though step %d failed", err, step)
	}
	if temp := m.list(disk.TempFolder); len(temp) > 0 {
		t.Errorf("temporary files stay: %v", temp)
	}
	m.crashes(func(left *model) { check(t, g.check(left)) })
}

func TestAfterAFailedSyncNothingIsAcknowledgedUntilAProbeSyncs(t *testing.T) {
	for _, failing := range []string{"sync", "syncdir"} {
		t.Run(failing, func(t *testing.T) {
			m, g := newModel(), newLedger()
			config := quick()
			config.ProbeInterval = time.Hour
			d := newDir(config, "/model", m, slog.New(slog.DiscardHandler))
			syncs, broken := map[string]int{}, true
			m.before = func(call string, at disk.Folder, name string) error {
				if call == failing && broken {
					if syncs[name]++; name != "" && syncs[name] > 1 {
						t.Errorf("%s %s was tried again on the same file", call, name)
					}
					broken = false
					return errIO
				}
				return nil
			}
			g.offer("one")
			if _, err := d.Put(Normal, []byte("one"), time.Now()); !errors.Is(err, ErrFault) {
				t.Errorf("Put whose %s failed answered %v", failing, err)
			}
			broken = true
			g.offer("two")
			if _, err := d.Put(Normal, []byte("two"), time.Now()); err == nil {
				t.Error("Put was acknowledged while the storage still fails")
			}
			if err := d.Ready(); !errors.Is(err, ErrFault) {
				t.Errorf("Ready within the probe interval = %v", err)
			}
			m.before = nil
			d.health.probed = time.Time{}
			check(t, d.Ready())
			put(t, d, Normal, "two")
			g.accept("two")
			m.crashes(func(left *model) { check(t, g.check(left)) })
		})
	}
}

func TestAFailedSyncIsTakenForEveryFileItMayHaveBeenFor(t *testing.T) {
	m := newModel()
	d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
	failed := false
	m.before = func(call string, at disk.Folder, name string) error {
		switch {
		case call == "rename" && !failed:
			failed = true // of the first file; now the second is put and its sync of the lane fails
			if _, err := d.Put(Normal, []byte("second"), time.Now()); !errors.Is(err, ErrFault) {
				t.Errorf("the second: %v", err)
			}
		case call == "syncdir" && at == disk.Folder(Normal) && len(m.list(disk.Folder(Normal))) == 1:
			return errIO
		}
		return nil
	}
	if _, err := d.Put(Normal, []byte("first"), time.Now()); !errors.Is(err, ErrFault) {
		t.Errorf("the first, begun before the fault: %v", err)
	}
}
