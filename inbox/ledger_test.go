package inbox

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"statewire/inbox/disk"
	"strings"
	"time"
)

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

func (g *ledger) offer(text string) { g.texts[text] = true }

type view interface {
	list(at disk.Folder) []string
	read(at disk.Folder, name string) (data []byte, ok bool)
	start() (*Dir, error)
}

func (m *model) start() (*Dir, error) {
	return newDir(DefaultConfig(), "/model", m, slog.New(slog.DiscardHandler)), nil
}

func (g *ledger) check(m view) error {
	found := map[string]bool{}
	for lane := range lanes {
		for _, name := range m.list(disk.Folder(lane)) {
			data, _ := m.read(disk.Folder(lane), name)
			if !g.texts[string(data)] {
				return fmt.Errorf("%v/%s is visible with %q, which nobody gave", disk.Folder(lane), name, data)
			}
			found[string(data)] = true
		}
	}
	aside := map[string]bool{}
	for _, name := range m.list(disk.CorruptFolder) {
		if strings.HasSuffix(name, reasonSuffix) {
			continue
		}
		data, _ := m.read(disk.CorruptFolder, name)
		found[string(data)], aside[string(data)] = true, true
		if !g.texts[string(data)] {
			return fmt.Errorf("corrupt/%s holds %q, which nobody gave", name, data)
		}
		if recordName.MatchString(name) && g.records[name] == "" {
			continue // its file is still waiting, and will bring it again
		}
		var r Reason
		reason, _ := m.read(disk.CorruptFolder, name+reasonSuffix)
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
		if data, _ := m.read(disk.CorruptFolder, name); string(data) != text {
			return fmt.Errorf("record %s is %q, not %q", name, data, text)
		}
	}
	return g.reload(m)
}

func (g *ledger) reload(m view) error {
	waiting := 0
	for lane := range lanes {
		waiting += len(m.list(disk.Folder(lane)))
	}
	for _, name := range m.list(disk.ProcessFolder) {
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
	if left := m.list(disk.ProcessFolder); len(left) > 0 {
		return fmt.Errorf("lists stay when all is done: %v", left)
	}
	return l.Close()
}
