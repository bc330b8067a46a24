package inbox

import (
	"fmt"
	"slices"
	"statewire/inbox/disk"
	"time"
)

// A file whose messages are stored and that can't be deleted (its folder is sticky or read-only, it is immutable) lies
// on a list in process/ with the suffix .loaded, in the form of a claim list. It is done: no loader hands it out again,
// it does not count as waiting, and only deleting it is tried again. One that changes is a new file.
const loadedSuffix = ".loaded"

// remember keeps loaded files that can't be deleted, durably where that is possible: a crash without the list only
// makes them load again, which changes nothing.
func (l *Loader) remember(entries []*entry) error {
	if len(entries) == 0 {
		return nil
	}
	list, err := l.writeList(entries, loadedSuffix)
	l.dir.counts.add("undeleted", len(entries))
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		if err == nil {
			l.unlist(e)
			e.list = list
		}
		e.chunk, e.due = nil, l.nextTry(e, l.dir.config.RetryMax)
	}
	l.undeleted = append(l.undeleted, entries...)
	l.kick()
	if err != nil {
		return fmt.Errorf("note loaded files that can't be deleted: %w", err)
	}
	return nil
}

// deleteAgain tries to delete the loaded files that are due.
func (l *Loader) deleteAgain() {
	for _, e := range l.takeUndeleted() {
		err := (&Chunk{loader: l}).remove(e)
		if err == nil {
			l.dir.log.Debug("loaded file deleted at last", "lane", e.lane, "file", e.name, "tries", e.tries)
			continue
		}
		l.mu.Lock()
		e.due = l.nextTry(e, l.dir.config.RetryMax)
		l.undeleted = append(l.undeleted, e)
		l.mu.Unlock()
	}
}

func (l *Loader) takeUndeleted() (due []*entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.undeleted = slices.DeleteFunc(l.undeleted, func(e *entry) bool {
		if e.due.After(now) {
			return false
		}
		due = append(due, e)
		return true
	})
	return due
}

// recoverLoaded takes over a list of loaded files.
func (l *Loader) recoverLoaded(name string) error {
	return l.takeList(name, func(e *entry) { l.undeleted = append(l.undeleted, e) })
}

// listed is the files on the lists in process/ with a suffix.
func (d *Dir) listed(suffix string) (map[laneName]disk.Identity, error) {
	files := map[laneName]disk.Identity{}
	return files, d.eachListed(suffix, func(e *entry) { files[laneName{e.lane, e.name}] = e.id })
}

// isListed tells whether a file of a lane is one of some listed ones, and no other that took its name.
func (d *Dir) isListed(files map[laneName]disk.Identity, at disk.Folder, name string) bool {
	id, listed := files[laneName{Lane(at), name}]
	if !listed {
		return false
	}
	s, err := d.disk.Stat(at, name)
	return err == nil && s.Identity() == id
}
