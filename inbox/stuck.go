package inbox

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"statewire/inbox/disk"
	"time"
)

// A bad file that may not be moved (it is immutable, its folder or corrupt is sticky or read-only) lies on a list in
// process/ with the suffix .bad, in the form of a claim list. It counts as set aside where it is: it is no backlog and
// holds nobody's resync. Setting it aside is tried again after a delay that doubles up to stuckRetries times
// Config.RetryMax, and at every start. One that changes is a new file.
const badSuffix = ".bad"

const stuckRetries = 60

// stick postpones a bad file that may not be moved.
func (c *Chunk) stick(e *entry) {
	l := c.loader
	l.dir.counts.add("stuck", 1)
	list, err := (*claimList)(nil), error(nil)
	if !e.stuck() {
		if list, err = l.writeList([]*entry{e}, badSuffix); err != nil {
			l.dir.log.Warn("a bad file that stays cannot be noted; it counts as waiting", "file", e.name, "err", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if list != nil && err == nil {
		l.unlist(e)
		e.list = list
	}
	l.postpone(e, stuckRetries*l.dir.config.RetryMax)
}

func (e *entry) stuck() bool { return e.list != nil && filepath.Ext(e.list.name) == badSuffix }

// freeChanged ends the claims on stuck bad files that have changed or gone, once per Config.RetryMax. Callers hold
// claiming.
func (l *Loader) freeChanged() {
	now := time.Now()
	if now.Sub(l.stuckSeen) < l.dir.config.RetryMax {
		return
	}
	l.stuckSeen = now
	for _, e := range l.takeChanged() {
		_, _ = (&Chunk{loader: l}).same(e)
	}
}

func (l *Loader) takeChanged() (changed []*entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.postponed = slices.DeleteFunc(l.postponed, func(e *entry) bool {
		if !e.stuck() {
			return false
		}
		s, err := l.dir.disk.Stat(disk.Folder(e.lane), e.name)
		if err == nil && s.Identity() == e.id || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		changed = append(changed, e)
		return true
	})
	return changed
}

// stays is the files that wait for nothing: loaded ones that can't be deleted, and bad ones that can't be set aside.
func (d *Dir) stays() (map[laneName]disk.Identity, error) {
	loaded, err := d.listed(loadedSuffix)
	if err != nil {
		return nil, err
	}
	return loaded, d.eachListed(badSuffix, func(e *entry) { loaded[laneName{e.lane, e.name}] = e.id })
}
