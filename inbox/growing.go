package inbox

import (
	"encoding/json"
	"statewire/inbox/disk"
	"strings"
	"time"
)

// A file may be set aside as a half one and grow in corrupt: whoever writes it holds it open and follows it there. So
// corrupt is looked at again, and a file that is no longer what was found bad, and has been left alone since, goes back
// to where it waits. The next look comes after a quarter of the time since a file was last set aside or seen to grow: a
// second to nearly a poll.
const (
	lookMin   = time.Second
	lookShare = 4
)

// look is when corrupt is looked at. Guarded by Loader.mu.
type look struct {
	restless time.Time // when a file was last set aside, or seen to grow
	due      time.Time // the next look; zero before the first
	soon     bool      // it is due before the next poll
}

// alarm is when a wake is needed for the next look; zero when a poll will do.
func (l look) alarm() time.Time {
	if !l.soon {
		return time.Time{}
	}
	return l.due
}

// growing is what the looks know. Guarded by Loader.claiming.
type growing struct {
	began time.Time            // the latest look
	full  time.Time            // the latest that read every reason
	seen  map[string]growingAt // files that changed, and not long enough ago
}

// growingAt is a file as it was seen first.
type growingAt struct {
	id    disk.Identity
	ctime int64 // nanoseconds since 1970
	since time.Time
}

// watchGrowth has corrupt looked at soon, for something has just been set aside.
func (l *Loader) watchGrowth() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.look.restless = now
	if due := now.Add(lookMin); !l.look.soon || l.look.due.After(due) {
		l.look.due, l.look.soon = due, true
		l.kick()
	}
}

// lookAgain goes over corrupt when that is due. Callers hold claiming.
func (l *Loader) lookAgain() {
	began := time.Now()
	l.mu.Lock()
	due := !began.Before(l.look.due)
	l.mu.Unlock()
	if !due {
		return
	}
	// Only what changed since the last look can be new, but clocks jump: now and then every reason is read.
	after := l.growing.began.Add(-l.dir.config.Settle - lookMin)
	if l.growing.began.IsZero() || began.Sub(l.growing.full) >= l.dir.lookMax() {
		after, l.growing.full = time.Time{}, began
	}
	l.growing.began = began
	seen := map[string]growingAt{}
	err := l.dir.each(disk.CorruptFolder, func(e disk.Entry) error {
		s, ok := l.dir.grown(e, after)
		if !ok {
			return nil
		}
		if at := l.growing.first(e.Name, s, began); l.dir.alone(s, at.since, began) {
			l.dir.takeBack(e.Name)
		} else {
			seen[e.Name] = at
		}
		return nil
	})
	if err != nil {
		l.dir.log.Warn("files set aside can't be looked at again", "root", l.dir.root, "err", err)
	}
	l.growing.seen = seen
	l.nextLook(began, len(seen) > 0)
}

// lookMax is a little less than the least time between two polls.
func (d *Dir) lookMax() time.Duration { return d.config.PollInterval * 8 / 10 }

// nextLook says when to look again; looking takes at most a twentieth of the time.
func (l *Loader) nextLook(began time.Time, grows bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if grows {
		l.look.restless = began
	}
	wait := l.dir.lookMax()
	if !l.look.restless.IsZero() {
		wait = min(wait, max(lookMin, began.Sub(l.look.restless)/lookShare))
	}
	l.look.soon = wait < l.dir.lookMax()
	l.look.due = began.Add(max(wait, 20*time.Since(began)))
}

// grown tells whether an entry of corrupt is no longer the file that was found bad. Files untouched since after are not
// asked.
func (d *Dir) grown(e disk.Entry, after time.Time) (s disk.Stat, ok bool) {
	if e.Kind != disk.Regular || strings.HasSuffix(e.Name, reasonSuffix) {
		return s, false
	}
	s, err := d.disk.Stat(disk.CorruptFolder, e.Name)
	if err != nil || s.Ctime.Before(after) {
		return s, false
	}
	data, err := d.contents(disk.CorruptFolder, e.Name+reasonSuffix)
	var r Reason
	if err != nil || json.Unmarshal(data, &r) != nil || r.MTime == 0 {
		return s, false
	}
	return s, s.Size != r.Size || s.Mtime.UnixNano() != r.MTime
}

// first is when a file that grows was first seen as it is.
func (g *growing) first(name string, s disk.Stat, now time.Time) growingAt {
	at := growingAt{s.Identity(), s.Ctime.UnixNano(), now}
	if before, ok := g.seen[name]; ok && before.id == at.id && before.ctime == at.ctime {
		return before
	}
	return at
}

// alone tells whether a file that grew has been left alone for Config.Settle: by its own time, or, where clocks
// disagree, by ours.
func (d *Dir) alone(s disk.Stat, since, now time.Time) bool {
	age := now.Sub(s.Ctime)
	return age >= d.config.Settle || age < 0 && now.Sub(since) >= d.config.Settle
}

// takeBack moves a file that grew to where it waits. One that can't be moved is left to the next look at everything.
func (d *Dir) takeBack(name string) {
	newName, err := d.moveBack(name)
	d.counts.count("grown", err)
	if err != nil {
		d.log.Warn("a file that changed after it was set aside can't be taken back", "file", name, "err", err)
		return
	}
	d.log.Info("a file changed after it was set aside; it is looked at again", "file", name, "as", newName)
}
