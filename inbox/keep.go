package inbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"statewire/inbox/disk"
	"strconv"
)

// Kept is what SetAsideRecords keeps of one report: its bad records, or a report that is bad as a whole.
type Kept struct {
	Name   string // as KeepAs answered
	Doc    []byte // a whole report
	Reason Reason
}

// Disk is the bytes that it takes, about.
func (k Kept) Disk() int64 { return DiskBytes(int64(len(k.Doc)), len(k.Reason.Records)) }

// DiskBytes is what a file of corrupt takes on the disk with its reason, which lists so many records, about.
func DiskBytes(size int64, records int) int64 {
	const reason, record = 400, 250 // bytes
	return blocks(size) + blocks(int64(reason+record*records))
}

// KeepAs returns the name under which something of a file will lie in corrupt: the file itself for report 0, else what
// is set aside of its report of that place, counted from 1. The name stays the same until the file ends, and no other
// file gets it meanwhile. It is free, or the same lies there already: then repeat is true.
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
		same := false
		if !l.dir.nothingAs(name, n) {
			if same = l.dir.keepsSame(e, report, name, doc); !same {
				continue
			}
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

// nothingAs tells whether nothing in corrupt has a name, the n-th to be tried. Where the disk doesn't say, a random
// name counts as unused: whoever looks for a name must come to an end, and hears from the write what is wrong.
func (d *Dir) nothingAs(name string, n int) bool {
	_, err := d.disk.Stat(disk.CorruptFolder, name)
	return errors.Is(err, fs.ErrNotExist) || err != nil && n >= numberedNames
}

// keepsSame tells whether a name in corrupt holds something of a file already. The records that a replay leaves take
// the place of those it was made of.
func (d *Dir) keepsSame(e *entry, report int, name string, doc []byte) bool {
	if of, token, replay := parseReplayName(e.name); replay && report > 0 && of == name && recordName.MatchString(of) {
		if b, err := d.Bad(name); err == nil && b.Token == token {
			return true
		}
	}
	if report == 0 {
		same, err := d.sameBytes(disk.Folder(e.lane), e.name, disk.CorruptFolder, name)
		return same && err == nil
	}
	there, err := d.contents(disk.CorruptFolder, name)
	return err == nil && bytes.Equal(there, doc)
}

// freeName is a name in corrupt for a file that no loader has.
func (d *Dir) freeName(from disk.Folder, name string) (target string) {
	for n := 0; ; n++ {
		target = near(shortened(name), n)
		if d.nothingAs(target, n) {
			return target
		}
		if same, err := d.sameBytes(from, name, disk.CorruptFolder, target); same && err == nil {
			return target
		}
	}
}

// SetAsideRecords keeps what is bad in a file that loads otherwise, each report's in one file with its reason beside
// it, and replaces what a repeat left there. The file itself stays in the chunk; when something can't be kept it is
// postponed, as in SetAside. All of it costs one sync of the folder, and two of files for each report.
func (c *Chunk) SetAsideRecords(f File, all []Kept) error {
	if f.entry.chunk != c || len(all) == 0 {
		return nil
	}
	if err := c.loader.dir.keep(all); err != nil {
		c.retryAside(f, err)
		return fmt.Errorf("set bad records of %s/%s aside: %w", disk.Folder(f.Lane), f.Name, err)
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
		if err := d.overwrite(disk.CorruptFolder, k.Name+reasonSuffix, k.Reason.encode()); err != nil {
			return err
		}
		if err := d.overwrite(disk.CorruptFolder, k.Name, k.Doc); err != nil {
			return err
		}
	}
	return d.settle(disk.CorruptFolder, began)
}
