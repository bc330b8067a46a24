package inbox

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"statewire/inbox/disk"
)

// recover takes over what lies in process/: lists of a dead loader, whose files that are still there it will hand out
// first, and report files, which go back to waiting. A broken list is set aside; one of a newer version stops the
// start.
func (l *Loader) recover() error {
	names, err := l.dir.names(disk.ProcessFolder)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		recover := l.recoverLoaded
		switch filepath.Ext(name) { // first: a claim list may still name the same files
		case badSuffix:
			recover = l.recoverList
		case loadedSuffix:
		default:
			continue
		}
		if err := recover(name); err != nil {
			return fmt.Errorf("%s/%s: %w", disk.ProcessFolder, name, err)
		}
	}
	for _, name := range names {
		switch {
		case filepath.Ext(name) == loadedSuffix, filepath.Ext(name) == badSuffix:
		case filepath.Ext(name) == listSuffix:
			err = l.recoverList(name)
		case isReport(name):
			err = l.dir.giveBack(name)
		default:
			l.dir.log.Warn("file left alone: not a claim list and not a report", "folder", disk.ProcessFolder, "file", name)
		}
		if err != nil {
			return fmt.Errorf("%s/%s: %w", disk.ProcessFolder, name, err)
		}
	}
	return nil
}

// names lists a folder's files.
func (d *Dir) names(at disk.Folder) (names []string, err error) {
	err = d.each(at, func(e disk.Entry) error {
		if e.Kind == disk.Regular {
			names = append(names, e.Name)
		}
		return nil
	})
	return names, err
}

func (l *Loader) recoverList(name string) error {
	return l.takeList(name, func(e *entry) { l.returned[e.lane] = append(l.returned[e.lane], e) })
}

// takeList reads a list and does something with its files that are still there, under mu.
func (l *Loader) takeList(name string, do func(e *entry)) error {
	entries, err := l.dir.readList(name)
	if errors.Is(err, errListBroken) {
		l.dir.log.Error("broken claim list set aside", "file", name, "err", err)
		return l.dir.setAside(disk.ProcessFolder, name, l.dir.freeName(disk.ProcessFolder, name),
			Reason{Time: now(), Code: "claim_list_broken", Reason: err.Error()})
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	list := &claimList{name: name}
	for _, e := range entries {
		if !l.stillThere(e) {
			continue
		}
		e.list = list
		list.open++
		l.claimed[laneName{e.lane, e.name}] = e
		do(e)
	}
	if list.open == 0 {
		l.retired = append(l.retired, list)
	}
	l.dir.log.Info("recovered a claim list", "file", name, "files", len(entries), "waiting", list.open)
	return nil
}

// stillThere tells whether the very file an entry names waits, and no earlier list has it. Callers hold mu.
func (l *Loader) stillThere(e *entry) bool {
	if l.claimed[laneName{e.lane, e.name}] != nil {
		return false
	}
	s, err := l.dir.disk.Stat(disk.Folder(e.lane), e.name)
	return err == nil && s.Kind == disk.Regular && s.Identity() == e.id
}

func (d *Dir) readList(name string) ([]*entry, error) {
	f, err := d.disk.Open(disk.ProcessFolder, name)
	if err != nil {
		return nil, err
	}
	entries, err := decodeList(f)
	return entries, errors.Join(err, f.Close())
}

// giveBack moves a report from process/ to where it waits.
func (d *Dir) giveBack(name string) error {
	began, err := d.begin()
	if err != nil {
		return err
	}
	_, err = d.unused(disk.ProcessFolder, name, disk.Folder(Normal), func(n int) string { return near(name, n) })
	if err != nil {
		return err
	}
	return errors.Join(d.settle(disk.Folder(Normal), began), d.syncFolder(disk.ProcessFolder))
}

func ignoreVanished(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
