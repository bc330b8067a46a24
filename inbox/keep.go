package inbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// Kept is what SetAsideRecords keeps of one report: its bad records, or a report that is bad as a whole.
type Kept struct {
	Name   string // as KeepAs answered
	Doc    []byte // a whole report
	Reason Reason
}

// Disk is the bytes that it takes, about.
func (k Kept) Disk() int64 {
	const reason, record = 400, 250
	return blocks(int64(len(k.Doc))) + blocks(int64(reason+record*len(k.Reason.Records)))
}

// KeepAs returns the name under which something of a file will lie in corrupt: the file itself for report 0, else what is set
// aside of its report of that place, counted from 1. The name stays the same until the file ends, and no other file gets it
// meanwhile. It is free, or the same lies there already: then repeat is true.
func (c *Chunk) KeepAs(f File, report int, doc []byte) (name string, repeat bool) {
	return c.loader.keepAs(f.entry, report, doc)
}

func (l *Loader) keepAs(e *entry, report int, doc []byte) (name string, repeat bool) {
	l.keeping.Lock()
	defer l.keeping.Unlock()
	if kept, ok := l.kept[e][report]; ok {
		return kept.name, kept.repeat
	}
	base := keptName(e.name, report)
	for n := 0; ; n++ {
		name = near(base, n)
		if other := l.taken[name]; other != nil && other != e {
			continue
		}
		free, same := l.dir.keepable(e, report, name, doc)
		if !free && !same {
			continue
		}
		if l.kept[e] == nil {
			l.kept[e] = map[int]keptAs{}
		}
		l.kept[e][report], l.taken[name] = keptAs{name, same}, e
		return name, same
	}
}

// keptAs is a name that is taken for something of a file.
type keptAs struct {
	name   string
	repeat bool
}

// forgetKept gives up the names taken for a file.
func (l *Loader) forgetKept(e *entry) {
	l.keeping.Lock()
	defer l.keeping.Unlock()
	for _, kept := range l.kept[e] {
		delete(l.taken, kept.name)
	}
	delete(l.kept, e)
}

// keptName is the first name to try.
func keptName(name string, report int) string {
	of, _, replay := parseReplayName(name)
	switch {
	case replay && (report == 0 || report == 1 && recordName.MatchString(of)):
		return of // it lay there before
	case replay:
		name = of
	}
	if report == 0 {
		return shortened(name)
	}
	return shortened(name) + "." + strconv.Itoa(report) + suffix
}

// keepable tells whether a name in corrupt is free for something of a file, or holds the same already. The records that a replay
// leaves take the place of those it was made of.
func (d *Dir) keepable(e *entry, report int, name string, doc []byte) (free, same bool) {
	_, err := d.disk.stat(corruptFolder, name)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist), false
	}
	if of, token, replay := parseReplayName(e.name); replay && report > 0 && of == name && recordName.MatchString(of) {
		if b, err := d.Bad(name); err == nil && b.Token == token {
			return false, true
		}
	}
	if report == 0 {
		same, err = d.sameBytes(folder(e.lane), e.name, corruptFolder, name)
		return false, same && err == nil
	}
	there, err := d.contents(corruptFolder, name)
	return false, err == nil && bytes.Equal(there, doc)
}

// freeName is a name in corrupt for a file that no loader has.
func (d *Dir) freeName(from folder, name string) (target string) {
	for n := 0; ; n++ {
		target = near(shortened(name), n)
		if _, err := d.disk.stat(corruptFolder, target); errors.Is(err, fs.ErrNotExist) {
			return target
		}
		if same, err := d.sameBytes(from, name, corruptFolder, target); same && err == nil {
			return target
		}
	}
}

// SetAsideRecords keeps what is bad in a file that loads otherwise, each report's in one file with its reason beside it, and
// replaces what a repeat left there. The file itself stays in the chunk; when something can't be kept it is postponed, as in
// SetAside. All of it costs one sync of the folder, and two of files for each report.
func (c *Chunk) SetAsideRecords(f File, all []Kept) error {
	if f.entry.chunk != c || len(all) == 0 {
		return nil
	}
	if err := c.loader.dir.keep(all); err != nil {
		c.Postpone(f)
		return fmt.Errorf("set bad records of %s/%s aside: %w", folder(f.Lane), f.Name, err)
	}
	c.loader.dir.counts.add("record_set_aside", len(all))
	return nil
}

func (d *Dir) keep(all []Kept) error {
	began, err := d.begin()
	if err != nil {
		return err
	}
	for _, k := range all {
		if err := d.overwrite(corruptFolder, k.Name+reasonSuffix, k.Reason.encode()); err != nil {
			return err
		}
		if err := d.overwrite(corruptFolder, k.Name, k.Doc); err != nil {
			return err
		}
	}
	return d.settle(corruptFolder, began)
}
