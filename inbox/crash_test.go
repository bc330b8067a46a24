package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ledger is what a test knows about the files it gave to an inbox, and what must therefore be true of it after a crash.
type ledger struct {
	texts   map[string]bool      // every text that was ever given to it
	kept    map[string]bool      // must be in a lane, in process or in corrupt
	aside   map[string]bool      // must be in corrupt
	records map[string]string    // must be in corrupt under that name
	claimed map[string]time.Time // when each was first claimed
}

func newLedger() *ledger {
	return &ledger{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]string{}, map[string]time.Time{}}
}

func (g *ledger) accept(text string) { g.texts[text], g.kept[text] = true, true }
func (g *ledger) offer(text string)  { g.texts[text] = true }

// view looks at what lies in an inbox.
type view interface {
	list(at folder) []string
	read(at folder, name string) (data []byte, ok bool)
	start() (*Dir, error)
}

func (m *model) start() (*Dir, error) {
	return newDir(DefaultConfig(), "/model", m, slog.New(slog.DiscardHandler)), nil
}

// check says what the inbox breaks of the promises.
func (g *ledger) check(m view) error {
	found := map[string]bool{}
	for lane := range lanes {
		for _, name := range m.list(folder(lane)) {
			data, _ := m.read(folder(lane), name)
			if !g.texts[string(data)] {
				return fmt.Errorf("%v/%s is visible with %q, which nobody gave", folder(lane), name, data)
			}
			found[string(data)] = true
		}
	}
	aside := map[string]bool{}
	for _, name := range m.list(corruptFolder) {
		if strings.HasSuffix(name, reasonSuffix) {
			continue
		}
		data, _ := m.read(corruptFolder, name)
		found[string(data)], aside[string(data)] = true, true
		if !g.texts[string(data)] {
			return fmt.Errorf("corrupt/%s holds %q, which nobody gave", name, data)
		}
		if recordName.MatchString(name) && g.records[name] == "" {
			continue // its file is still waiting, and will bring it again
		}
		var r Reason
		reason, _ := m.read(corruptFolder, name+reasonSuffix)
		if err := json.Unmarshal(reason, &r); err != nil || r.Code == "" {
			return fmt.Errorf("corrupt/%s has no whole reason: %q", name, reason)
		}
	}
	for text := range g.kept {
		if !found[text] {
			return fmt.Errorf("%q was accepted and is gone", text)
		}
	}
	for text := range g.aside {
		if !aside[text] {
			return fmt.Errorf("%q was set aside and is not in corrupt", text)
		}
	}
	for name, text := range g.records {
		if data, _ := m.read(corruptFolder, name); string(data) != text {
			return fmt.Errorf("record %s is %q, not %q", name, data, text)
		}
	}
	return g.reload(m)
}

// reload starts a loader on what is left: every waiting file must be handed out once, under the claim time it had.
func (g *ledger) reload(m view) error {
	waiting := 0
	for lane := range lanes {
		waiting += len(m.list(folder(lane)))
	}
	for _, name := range m.list(processFolder) {
		if isReport(name) {
			waiting++
		}
	}
	d, err := m.start()
	if err != nil {
		return fmt.Errorf("open after the crash: %w", err)
	}
	defer d.Close()
	l, err := d.Loader(4, 2)
	if err != nil {
		return fmt.Errorf("loader after the crash: %w", err)
	}
	for {
		c, err := l.Claim()
		if err != nil {
			return fmt.Errorf("claim after the crash: %w", err)
		}
		if c == nil {
			break
		}
		for _, f := range c.Files {
			waiting--
			data, err := f.Read(nil)
			if err != nil {
				return fmt.Errorf("after the crash: %w", err)
			}
			if before, ok := g.claimed[string(data)]; ok && !before.Equal(f.Claimed) {
				return fmt.Errorf("%q was first claimed at %v and after the crash at %v", data, before, f.Claimed)
			}
		}
		if err := c.Done(c.Files...); err != nil {
			return err
		}
	}
	if waiting != 0 {
		return fmt.Errorf("%d waiting files were not handed out after the crash", waiting)
	}
	if left := m.list(processFolder); len(left) > 0 {
		return fmt.Errorf("lists stay when all is done: %v", left)
	}
	return l.Close()
}

// everywhere makes the model check the ledger against every crash before and after each of its steps.
func everywhere(t *testing.T, m *model, g *ledger) (states *int) {
	states = new(int)
	look := func(call string, at folder, name string) error {
		m.crashes(func(left *model) {
			*states++
			if err := g.check(left); err != nil {
				t.Fatalf("power cut around %s %v/%s (step %d): %v", call, at, name, m.steps, err)
			}
		})
		return nil
	}
	m.before, m.after = look, look
	return states
}

func TestNoPowerCutBreaksThePromises(t *testing.T) {
	dropped := filepath.Join(t.TempDir(), "site.SMX")
	if err := os.WriteFile(dropped, []byte("copied"), 0o600); err != nil {
		t.Fatal(err)
	}
	reason := Reason{Time: time.Unix(1, 0), Code: "xml_syntax", Reason: "no"}
	tests := []struct {
		name string
		run  func(t *testing.T, m *model, d *Dir, g *ledger)
	}{
		{"what Put acknowledged is there, what it did not is there whole or not at all", func(t *testing.T, m *model, d *Dir, g *ledger) {
			for i, text := range []string{"first", "second", "third"} {
				g.offer(text)
				put(t, d, Lane(i), text)
				g.accept(text)
			}
		}},
		{"what Copy acknowledged is there", func(t *testing.T, m *model, d *Dir, g *ledger) {
			g.offer("copied")
			_, err := d.Copy(context.Background(), dropped)
			check(t, err)
			g.accept("copied")
		}},
		{"a claim time that was seen is never another, and a file goes only when done", func(t *testing.T, m *model, d *Dir, g *ledger) {
			dropFiles(m, g, Normal, 5)
			l := loader(t, d, 2, 2)
			for c := claim(t, l); c != nil; c = claim(t, l) {
				for _, f := range c.Files {
					data := read(t, f)
					g.claimed[data] = f.Claimed
					delete(g.kept, data) // as if its rows were stored
					if err := c.Done(f); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}},
		{"a bad file is in a lane or in corrupt with its reason, and so is each bad record", func(t *testing.T, m *model, d *Dir, g *ledger) {
			dropFiles(m, g, High, 2)
			c := claim(t, loader(t, d, 2, 2))
			for i, f := range c.Files {
				data := read(t, f)
				record := fmt.Sprint("record of ", data)
				g.offer(record)
				check(t, c.SetAsideRecord(f, i, []byte(record), reason))
				g.records[fmt.Sprintf("%s.%d.SMX", f.Name, i)] = record
				check(t, c.SetAside(f, reason))
				g.aside[data] = true
			}
		}},
		{"a replayed file is in corrupt or waits", func(t *testing.T, m *model, d *Dir, g *ledger) {
			m.drop(corruptFolder, "A.SMX", "bad")
			m.drop(corruptFolder, "A.SMX"+reasonSuffix, `{"code":"x"}`)
			g.accept("bad")
			_, err := d.Replay("A.SMX")
			check(t, err)
		}},
		{"a report in process goes back to waiting", func(t *testing.T, m *model, d *Dir, g *ledger) {
			m.drop(processFolder, "A.SMX", "was claimed")
			g.offer("was claimed")
			loader(t, d, 2, 2)
			g.accept("was claimed")
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, g := newModel(), newLedger()
			d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
			states := everywhere(t, m, g)
			test.run(t, m, d, g)
			m.before, m.after = nil, nil
			m.crashes(func(left *model) { check(t, g.check(left)) })
			t.Logf("%d states after %d steps", *states, m.steps)
		})
	}
}

func TestAFailedStepIsNeverAcknowledged(t *testing.T) {
	faults := []struct {
		err  error
		kind error
	}{
		{errIO, ErrFault}, {errReadOnly, ErrFault}, {errNoSpace, ErrDiskFull}, {errQuota, ErrDiskFull}, {errTooManyFiles, ErrFault},
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

// failAt lets one step of a Put fail, before or after it took effect, and all others work.
func failAt(t *testing.T, step int, late bool, fault, kind error) {
	m, g := newModel(), newLedger()
	d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
	n := 0
	hook := func(call string, at folder, name string) error {
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
	if temp := m.list(tempFolder); len(temp) > 0 {
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
			m.before = func(call string, at folder, name string) error {
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

func dropFiles(m *model, g *ledger, lane Lane, n int) {
	for i := range n {
		text := fmt.Sprint("dropped ", i)
		m.drop(folder(lane), fmt.Sprintf("%d.SMX", i), text)
		g.accept(text)
	}
}

// TestAFailedSyncIsTakenForEveryFileItMayHaveBeenFor: the kernel tells one caller of a failure, and the next that all is well.
func TestAFailedSyncIsTakenForEveryFileItMayHaveBeenFor(t *testing.T) {
	m := newModel()
	d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
	failed := false
	m.before = func(call string, at folder, name string) error {
		switch {
		case call == "rename" && !failed:
			failed = true // of the first file; now the second is put and its sync of the lane fails
			if _, err := d.Put(Normal, []byte("second"), time.Now()); !errors.Is(err, ErrFault) {
				t.Errorf("the second: %v", err)
			}
		case call == "syncdir" && at == folder(Normal) && len(m.list(folder(Normal))) == 1:
			return errIO
		}
		return nil
	}
	if _, err := d.Put(Normal, []byte("first"), time.Now()); !errors.Is(err, ErrFault) {
		t.Errorf("the first, begun before the fault: %v", err)
	}
}
