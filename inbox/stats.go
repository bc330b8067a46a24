package inbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"statewire/inbox/disk"
	"strings"
	"sync"
	"time"
)

// Stats counts what lies in an inbox. Every file is in exactly one box.
type Stats struct {
	At      time.Time // when it was counted
	High    Box       // waiting
	Normal  Box       // waiting
	Low     Box       // waiting
	Process Box       // claimed by a loader, not yet stored
	Corrupt Box       // bad files and records, without their reasons
	Loaded  Box       // stored, and can't be deleted
	// LoadedNames are at most 100 of them, as paths below the root.
	LoadedNames []string
	Stuck       Box      // bad, and can't be set aside
	StuckNames  []string // at most 100 of them, as paths below the root
	// Foreign counts entries that are no SMX files, by kind: dir, symlink, fifo, device, socket, hidden, tmp, suffix.
	// They are left alone.
	Foreign map[string]int
	// ForeignNames are at most 100 of them, as paths below the root.
	ForeignNames []string
}

// Box is one folder's or one state's files.
type Box struct {
	Files  int
	Bytes  int64     // estimated beyond 10,000 files
	Oldest time.Time // when the file that is longest in this inbox came; zero when there is none
}

// Age is how long the oldest file has been waiting.
func (b Box) Age(now time.Time) time.Duration {
	if b.Oldest.IsZero() {
		return 0
	}
	return max(0, now.Sub(b.Oldest))
}

func (b *Box) add(size int64, since time.Time) {
	b.Files++
	b.Bytes += size
	b.older(since)
}

func (b *Box) older(since time.Time) {
	if b.Oldest.IsZero() || since.Before(b.Oldest) {
		b.Oldest = since
	}
}

// Waiting is everything in the lanes and claimed, not yet stored.
func (s Stats) Waiting() Box {
	sum := s.Process
	for _, b := range []Box{s.High, s.Normal, s.Low} {
		sum.Files += b.Files
		sum.Bytes += b.Bytes
		if !b.Oldest.IsZero() {
			sum.older(b.Oldest)
		}
	}
	return sum
}

// statsCache keeps the latest count. Counting a million files takes seconds, so it is done seldom enough to take a
// twentieth of the time, by one caller; the others get the count before.
type statsCache struct {
	counting sync.Mutex

	mu   sync.Mutex
	last Stats         // Guarded by mu, like the other.
	took time.Duration // that counting it took
}

const maxNames = 100

// Stats returns counts that are at most Config.StatsInterval old, or, when counting is slow, twenty times as old as
// counting takes. It reads the folders itself when it has to, so call it beside the work, not within a request.
func (d *Dir) Stats() (Stats, error) {
	c := &d.stats
	if last, _, fresh := c.get(d.config.StatsInterval); fresh {
		return last, nil
	}
	if _, known, _ := c.get(0); !known {
		c.counting.Lock() // the first count: nothing else to answer with
	} else if !c.counting.TryLock() {
		last, _, _ := c.get(0)
		return last, nil
	}
	defer c.counting.Unlock()
	if last, _, fresh := c.get(d.config.StatsInterval); fresh {
		return last, nil
	}
	began := time.Now()
	s, err := d.count()
	if err != nil {
		return Stats{}, fmt.Errorf("count files in %s: %w", d.root, err)
	}
	c.put(s, time.Since(began))
	return s, nil
}

func (c *statsCache) get(interval time.Duration) (last Stats, known, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known = !c.last.At.IsZero()
	return c.last, known, known && time.Since(c.last.At) < max(interval, 20*c.took)
}

func (c *statsCache) put(s Stats, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.took = s, took
}

// count reads every folder.
func (d *Dir) count() (Stats, error) {
	s := Stats{At: now(), Foreign: map[string]int{}}
	for _, at := range []disk.Folder{disk.Folder(High), disk.Folder(Normal), disk.Folder(Low), disk.ProcessFolder,
		disk.CorruptFolder} {
		if err := d.held(at); err != nil {
			return Stats{}, err
		}
	}
	claimed, err := d.claimed()
	if err != nil {
		return Stats{}, err
	}
	loaded, err := d.listed(loadedSuffix)
	if err != nil {
		return Stats{}, err
	}
	stuck, err := d.listed(badSuffix)
	if err != nil {
		return Stats{}, err
	}
	boxes := [lanes]*Box{&s.High, &s.Normal, &s.Low}
	for lane, box := range boxes {
		err := d.each(disk.Folder(lane), func(e disk.Entry) error {
			if kind := foreign(e); kind != "" {
				s.foreign(Lane(lane), e, kind)
			} else if d.isListed(loaded, disk.Folder(lane), e.Name) {
				d.weigh(&s.Loaded, disk.Folder(lane), e)
				s.LoadedNames = appendName(s.LoadedNames, disk.Folder(lane), e.Name)
			} else if d.isListed(stuck, disk.Folder(lane), e.Name) {
				d.weigh(&s.Stuck, disk.Folder(lane), e)
				s.StuckNames = appendName(s.StuckNames, disk.Folder(lane), e.Name)
			} else if claimed[laneName{Lane(lane), e.Name}] {
				d.weigh(&s.Process, disk.Folder(lane), e)
			} else {
				d.weigh(box, disk.Folder(lane), e)
			}
			return nil
		})
		if err != nil {
			return Stats{}, err
		}
	}
	return s, d.each(disk.CorruptFolder, func(e disk.Entry) error {
		if e.Kind == disk.Regular && !strings.HasSuffix(e.Name, reasonSuffix) {
			d.weigh(&s.Corrupt, disk.CorruptFolder, e)
		}
		return nil
	})
}

func (s *Stats) foreign(lane Lane, e disk.Entry, kind string) {
	path := disk.Folder(lane).String() + "/" + e.Name
	if kind == "dir" && (path == disk.Folder(High).String() || path == disk.Folder(Low).String()) {
		return
	}
	s.Foreign[kind]++
	s.ForeignNames = appendName(s.ForeignNames, disk.Folder(lane), e.Name)
}

// appendName adds a path below the root, when there are not too many.
func appendName(names []string, at disk.Folder, name string) []string {
	if len(names) < maxNames {
		names = append(names, at.String()+"/"+name)
	}
	return names
}

// Beyond exactFiles files in a box one in sampled is asked for its size, and the others are taken for as large as the
// mean: a million cold inodes take seconds to read, their names a fraction of that.
const (
	exactFiles = 10_000
	sampled    = 16
)

// weigh adds a file to a box, unless it vanished meanwhile. It came when the system says that its name, bytes or mode
// last changed: a copy of an old file is new here, whatever its name and its modification time say. Only a name that
// Put gave is believed that far that the file did not come before.
func (d *Dir) weigh(b *Box, at disk.Folder, e disk.Entry) {
	if named, _, ours := parsePutName(e.Name); ours && at != disk.CorruptFolder && b.Files >= exactFiles &&
		b.Files%sampled != 0 && !named.Before(b.Oldest) {
		n := int64(b.Files)
		b.add((b.Bytes+n/2)/n, b.Oldest)
		return
	}
	s, err := d.disk.Stat(at, e.Name)
	if err != nil {
		return
	}
	b.add(s.Size, s.Ctime.UTC())
}

// claimed is what the claim lists name.
func (d *Dir) claimed() (map[laneName]bool, error) {
	claimed := map[laneName]bool{}
	return claimed, d.eachListed(listSuffix, func(e *entry) { claimed[laneName{e.lane, e.name}] = true })
}

// eachListed reads the lists in process/ that end in suffix, so that any process can tell what is claimed.
func (d *Dir) eachListed(suffix string, do func(e *entry)) error {
	names, err := d.names(disk.ProcessFolder)
	if err != nil {
		return err
	}
	for _, name := range names {
		if filepath.Ext(name) != suffix {
			continue
		}
		entries, err := d.readList(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errListBroken) || errors.Is(err, errListVersion) {
			continue // done meanwhile, or for the next loader to judge
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			do(e)
		}
	}
	return nil
}

// each calls do for every entry of a folder, up to the first error of its.
func (d *Dir) each(at disk.Folder, do func(e disk.Entry) error) error {
	s, err := d.disk.Scan(at)
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		entries, err := s.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := do(e); err != nil {
				return err
			}
		}
	}
}
