package inbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"statewire/inbox/disk"
	"sync"
	"time"
)

// Loader hands the waiting files out to loader threads, each file to one of them. There is at most one Loader per inbox
// at a time, over all processes. Its methods may be called from many goroutines.
type Loader struct {
	// Constant after Dir.Loader.
	dir        *Dir
	chunkFiles int
	lock       io.Closer
	watch      func() (disk.Watcher, error)
	kicked     chan struct{} // has a value when Wake must look at what is due
	closed     chan struct{}
	wakers     sync.WaitGroup

	claiming  sync.Mutex
	windows   [lanes]window // Guarded by claiming, like the others.
	turns     turns
	growing   growing
	stuckSeen time.Time // when the stuck bad files were last looked at

	keeping sync.Mutex
	kept    map[*entry]map[int]keptAs // Guarded by keeping, like taken. By report, the names in corrupt of claimed files
	taken   map[string]*entry

	mu        sync.Mutex
	claimed   map[laneName]*entry // Guarded by mu, like the others. Files in chunks, returned or postponed.
	returned  [lanes][]*entry
	postponed []*entry
	undeleted []*entry     // loaded, and could not be deleted
	retired   []*claimList // all done, but the folders not synced since
	serial    int          // of lists
	freed     bool         // a file stopped being claimed and is still there
	look      look         // when to look for files that grew after they were set aside
}

type laneName struct {
	lane Lane
	name string
}

// Loader takes the inbox's lock (an ErrLocked names the holder) and recovers what a dead loader had claimed: those
// files are handed out first, with the claim times they had. A chunk has at most chunkFiles files, and a folder is read
// in windows of maxChunks chunks.
func (d *Dir) Loader(chunkFiles, maxChunks int) (*Loader, error) {
	if chunkFiles < 1 || maxChunks < 1 {
		return nil, fmt.Errorf("load inbox %s: %d files a chunk, %d chunks: both must be above 0", d.root, chunkFiles,
			maxChunks)
	}
	lock, err := d.disk.Lock()
	if err != nil {
		return nil, fmt.Errorf("load inbox %s: %w", d.root, err)
	}
	l := &Loader{
		dir: d, chunkFiles: chunkFiles, lock: lock, watch: d.disk.Watch,
		kicked: make(chan struct{}, 1), closed: make(chan struct{}), claimed: map[laneName]*entry{},
		kept: map[*entry]map[int]keptAs{}, taken: map[string]*entry{},
	}
	for lane := range lanes {
		l.windows[lane] = window{disk: d.disk, at: disk.Folder(lane), size: chunkFiles * maxChunks}
	}
	if err := l.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("recover inbox %s: %w", d.root, err), lock.Close())
	}
	return l, nil
}

// Close gives up the lock and ends what Wake began; it is called once. Chunks still out go back to waiting when the
// next Loader starts.
func (l *Loader) Close() error {
	close(l.closed)
	l.wakers.Wait()
	l.claiming.Lock()
	defer l.claiming.Unlock()
	var errs []error
	for lane := range l.windows {
		errs = append(errs, l.windows[lane].end())
	}
	return errors.Join(append(errs, l.retire(0), l.lock.Close())...)
}

// Claim returns the next chunk, nil when nothing waits. It comes from the first lane that has files, but of eight
// chunks in a row at least one from each lane that has some all the time; the oldest files of the lane's current window
// come first. The claim is durable before Claim returns.
func (l *Loader) Claim() (*Chunk, error) {
	entries, fresh, err := l.next()
	if errors.Is(err, ErrMoved) && l.dir.inPlace() == nil {
		entries, fresh, err = l.next()
	}
	if err != nil {
		return nil, fmt.Errorf("claim files in %s: %w", l.dir.root, err)
	}
	if len(entries) == 0 {
		return nil, l.retire(0)
	}
	if fresh {
		if entries, err = l.record(entries); err != nil {
			return nil, fmt.Errorf("claim files in %s: %w", l.dir.root, err)
		}
	}
	l.dir.counts.add("claimed", len(entries))
	return newChunk(l, entries), nil
}

// next takes the entries of the next chunk; fresh ones are in no list yet. A lane that can't be read doesn't stop the
// others.
func (l *Loader) next() (entries []*entry, fresh bool, err error) {
	l.claiming.Lock()
	defer l.claiming.Unlock()
	l.lookAgain()
	l.deleteAgain()
	l.freeChanged()
	var errs []error
	for _, lane := range l.turns.order() {
		entries, fresh, err := l.take(lane)
		l.turns.took(lane, len(entries) > 0)
		if len(entries) > 0 {
			return entries, fresh, nil
		}
		errs = append(errs, err)
	}
	return nil, false, errors.Join(errs...)
}

// take takes files from one lane, those first that were claimed before.
func (l *Loader) take(lane Lane) (entries []*entry, fresh bool, err error) {
	if entries := l.takeReturned(lane); len(entries) > 0 {
		return entries, false, nil
	}
	entries, err = l.takeWaiting(lane)
	return entries, true, err
}

// takeReturned takes files that were claimed before and came back: released, recovered, or postponed and due now.
func (l *Loader) takeReturned(lane Lane) []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.returnDue(time.Now())
	n := min(l.chunkFiles, len(l.returned[lane]))
	taken := l.returned[lane][:n:n]
	l.returned[lane] = l.returned[lane][n:]
	return taken
}

// takeWaiting takes files from the lane's window.
func (l *Loader) takeWaiting(lane Lane) (taken []*entry, err error) {
	w := &l.windows[lane]
	claimed := now()
	for len(taken) == 0 {
		if err := w.fill(func(name string) bool { return l.holds(lane, name) }); err != nil || len(w.waiting) == 0 {
			return nil, err
		}
		for len(taken) < l.chunkFiles {
			name, ok := w.take()
			if !ok {
				break
			}
			if e := l.hold(lane, name, claimed); e != nil {
				taken = append(taken, e)
			}
		}
	}
	return taken, nil
}

func (l *Loader) holds(lane Lane, name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.claimed[laneName{lane, name}] != nil
}

// hold makes an entry for a file, nil when it vanished, is no file any more, or is claimed already.
func (l *Loader) hold(lane Lane, name string, claimed time.Time) *entry {
	s, err := l.dir.disk.Stat(disk.Folder(lane), name)
	if err != nil || s.Kind != disk.Regular {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := laneName{lane, name}
	if l.claimed[key] != nil {
		return nil
	}
	e := &entry{lane: lane, name: name, id: s.Identity(), claimed: claimed}
	l.claimed[key] = e
	return e
}

// record makes the claim of fresh entries durable. When it can't, it gives up those that need it: files that Put wrote
// carry their time themselves, so that a full disk does not keep them from being loaded and making room.
func (l *Loader) record(entries []*entry) ([]*entry, error) {
	list, err := l.writeList(entries, listSuffix)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		for _, e := range entries {
			e.list = list
		}
		return entries, nil
	}
	var kept []*entry
	for _, e := range entries {
		if IsPutName(e.name) {
			kept = append(kept, e)
		} else {
			l.free(e)
		}
	}
	if len(kept) == 0 {
		return nil, err
	}
	l.dir.log.Warn("claim list can't be written; claiming only what the relay wrote", "root", l.dir.root, "files",
		len(kept), "err", err)
	return kept, nil
}

// writeList makes a list of files durable; it ends in suffix.
func (l *Loader) writeList(entries []*entry, suffix string) (*claimList, error) {
	l.mu.Lock()
	l.serial++
	serial := l.serial
	l.mu.Unlock()
	stamp := entries[0].claimed.Format(stampLayout)
	name, err := l.dir.place(disk.ProcessFolder, bytes.NewReader(encodeList(os.Getpid(), entries)), func(n int) string {
		return fmt.Sprintf("%s-%d-%d%s", stamp, serial, n, suffix)
	})
	if err != nil && name != "" {
		// Best effort: a list that stays is dropped at the next start, when its files are gone.
		_ = l.dir.disk.Remove(disk.ProcessFolder, name)
	}
	return &claimList{name: name, open: len(entries)}, err
}

// free ends a claim on a file that is still there, to be claimed anew. Callers hold mu.
func (l *Loader) free(e *entry) {
	delete(l.claimed, laneName{e.lane, e.name})
	l.windows[e.lane].stale.Store(true)
	l.freed = true
	l.kick()
}

// spareLists is how many finished lists may stay while there is work: removing them costs a sync of the lanes.
const spareLists = 8

// retire removes the lists whose files are all done, once there are more than spare of them. The lanes are synced
// first: as long as a crash could bring a file back, its list must come back with it, or the file would get a new claim
// time.
func (l *Loader) retire(spare int) error {
	l.mu.Lock()
	lists := l.retired
	if len(lists) <= spare {
		l.mu.Unlock()
		return nil
	}
	l.retired = nil
	l.mu.Unlock()
	for lane := range lanes {
		if err := l.dir.syncFolder(disk.Folder(lane)); err != nil {
			l.mu.Lock()
			l.retired = append(l.retired, lists...)
			l.mu.Unlock()
			return err
		}
	}
	var errs []error
	for _, list := range lists {
		errs = append(errs, ignoreVanished(l.dir.disk.Remove(disk.ProcessFolder, list.name)))
	}
	return errors.Join(errs...)
}
