package ingest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"statewire/inbox"
)

// limitSlack is to which share of the limit corrupt is brought when it was above, so that it is not looked through for
// every file.
const limitSlack = 0.9

// limitEvery is how often the ages of what lies in corrupt are looked at.
const limitEvery = time.Hour

// limitedBy is who drops what is beyond the limit, in the store's list.
const limitedBy = "ingest.corrupt_limit"

// corrupt is how much lies in corrupt, as far as this loader knows: what others remove makes it less, and is found at
// the next look.
type corrupt struct {
	mu     sync.Mutex
	known  bool // Guarded by mu, like the others.
	bytes  int64
	left   int64 // by the latest look, which may have found nothing more that may go
	looked time.Time
}

// grow adds bytes that came or went.
func (c *corrupt) grow(bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += bytes
}

// add adds what was kept.
func (c *corrupt) add(kept []inbox.Kept) {
	for i := range kept {
		c.grow(kept[i].Disk())
	}
}

// limit keeps corrupt within ingest.corrupt_limit and ingest.corrupt_age. What goes is listed in the store first.
func (l *Loader) limit(ctx, late context.Context) {
	c := &l.corrupt
	c.mu.Lock()
	defer c.mu.Unlock()
	now := l.now()
	limit := l.cfg.CorruptLimit
	tooMuch := limit > 0 && (!c.known || c.bytes > max(limit, c.left+limit/10))
	tooOld := l.cfg.CorruptAge > 0 && now.Sub(c.looked) >= limitEvery*9/10 // a tick may come early
	if !tooMuch && !tooOld {
		return
	}
	files, err := l.setAsideFiles()
	if err != nil {
		l.log.Error("corrupt cannot be looked through", "err", err)
		return
	}
	c.known, c.looked, c.bytes = true, now, total(files)
	var victims []inbox.BadFile
	if l.cfg.CorruptAge > 0 {
		victims = tooOldOf(files, now.Add(-l.cfg.CorruptAge))
	}
	if limit > 0 && c.bytes > limit {
		victims = tooMuchOf(files, victims, c.bytes-int64(limitSlack*float64(limit)))
	}
	if len(victims) > 0 {
		c.bytes -= l.dropBeyondLimit(ctx, late, victims)
	}
	c.left = c.bytes
}

// ages keeps corrupt within its limits while no file ends.
func (l *Loader) ages(ctx context.Context) {
	ticker := time.NewTicker(limitEvery)
	defer ticker.Stop()
	for {
		l.limit(ctx, ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (l *Loader) setAsideFiles() (files []inbox.BadFile, err error) {
	for b, err := range l.inbox.Dir().BadFiles() {
		if err != nil {
			return nil, err
		}
		b.Reason.Records = nil // their number is enough
		files = append(files, b)
	}
	return files, nil
}

func total(files []inbox.BadFile) (bytes int64) {
	for i := range files {
		bytes += files[i].Disk
	}
	return bytes
}

// kind is what one file is kept of, whatever the limit: a reason and a client.
type kind struct{ client, code string }

func kindOf(b *inbox.BadFile) kind { return kind{b.Reason.Client, b.Reason.Code} }

// spare lists the files that may go, the oldest first: all but the latest of each kind.
func spare(files []inbox.BadFile) (all []inbox.BadFile) {
	latest := map[kind]int{}
	for i := range files {
		if at, ok := latest[kindOf(&files[i])]; !ok || newer(&files[i], &files[at]) {
			latest[kindOf(&files[i])] = i
		}
	}
	for i := range files {
		if latest[kindOf(&files[i])] != i {
			all = append(all, files[i])
		}
	}
	slices.SortFunc(all,
		func(a, b inbox.BadFile) int { return cmp.Or(a.Until().Compare(b.Until()), cmp.Compare(a.Name, b.Name)) })
	return all
}

func newer(a, b *inbox.BadFile) bool {
	return cmp.Or(a.Until().Compare(b.Until()), cmp.Compare(a.Name, b.Name)) > 0
}

// tooOldOf are the files set aside before a time.
func tooOldOf(files []inbox.BadFile, before time.Time) []inbox.BadFile {
	return slices.DeleteFunc(spare(files), func(b inbox.BadFile) bool { return !b.Until().Before(before) })
}

// tooMuchOf adds to victims until that many bytes go: always the oldest file of the client that holds most.
func tooMuchOf(files, victims []inbox.BadFile, bytes int64) []inbox.BadFile {
	gone := map[string]bool{}
	for i := range victims {
		gone[victims[i].Name] = true
		bytes -= victims[i].Disk
	}
	held, queues := map[string]int64{}, map[string][]inbox.BadFile{}
	for i := range files {
		if !gone[files[i].Name] {
			held[files[i].Reason.Client] += files[i].Disk
		}
	}
	for _, b := range spare(files) {
		if !gone[b.Name] {
			queues[b.Reason.Client] = append(queues[b.Reason.Client], b)
		}
	}
	for bytes > 0 && len(queues) > 0 {
		most := most(held, queues)
		b := queues[most][0]
		if queues[most] = queues[most][1:]; len(queues[most]) == 0 {
			delete(queues, most)
		}
		held[most] -= b.Disk
		bytes -= b.Disk
		victims = append(victims, b)
	}
	return victims
}

// most is the client that holds most and has something to spare.
func most(held map[string]int64, queues map[string][]inbox.BadFile) (client string) {
	first := true
	for c := range queues {
		if first || held[c] > held[client] || held[c] == held[client] && c < client {
			client, first = c, false
		}
	}
	return client
}

// dropBeyondLimit removes files and returns their bytes. What the store does not list as dropped stays.
func (l *Loader) dropBeyondLimit(ctx, late context.Context, victims []inbox.BadFile) int64 {
	why := fmt.Sprintf("beyond ingest.corrupt_limit (%d bytes) or ingest.corrupt_age (%v)", l.cfg.CorruptLimit,
		l.cfg.CorruptAge)
	d := dropping{how: howLimit, by: limitedBy, why: why, now: l.now()}
	for _, b := range victims {
		// One that is gone, cannot be read, or may come back stays until the next look.
		_ = d.add(l.inbox.Dir(), b.Name)
	}
	if len(d.files) == 0 {
		return 0
	}
	err := l.insist(ctx, late, size{files: len(d.files)},
		func(ctx context.Context) error { return d.store(ctx, l.inbox.Dir(), l.store) })
	var gone Dropped
	if err == nil {
		gone, err = d.remove(l.inbox.Dir())
	}
	if err != nil {
		l.log.Error("what is beyond the limit stays in corrupt", "files", len(d.files)-gone.Files, "err", err)
	}
	if gone.Files > 0 {
		l.metrics.dropped.WithLabelValues("limit").Add(float64(gone.Records))
		l.log.Warn("set-aside files dropped: ingest.corrupt_limit or ingest.corrupt_age is reached", "files", gone.Files,
			"records", gone.Records, "bytes", gone.Bytes)
	}
	return gone.Bytes
}
