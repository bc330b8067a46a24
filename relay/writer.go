package relay

import (
	"runtime"
	"slices"
	"time"

	"statewire/smx"
)

// writer writes one file after the other.
type writer struct {
	*committer

	// Owned by committer.run.
	batch   []*delivery
	reports []smx.Accepted
	file    []byte

	// Guarded by committer.mu.
	inHand []*delivery // the part of batch that is not answered
	since  time.Time   // when the file being written was begun; zero when none is
}

// commit writes whatever waits, and what arrives meanwhile.
func (w *writer) commit() {
	for {
		runtime.Gosched() // requests that are ready to run join the file; with none there is no wait
		batch := w.take()
		if len(batch) == 0 {
			return
		}
		for len(batch) > 0 {
			n := w.fileLen(batch)
			w.commitFile(batch[:n], batch[n:])
			batch = stillAwaited(batch[n:])
		}
	}
}

// take returns what waits, the high lane first.
func (w *writer) take() []*delivery {
	clear(w.batch)
	w.batch = w.batch[:0]
	w.mu.Lock()
	w.batch, w.waiting = w.waiting, w.batch
	w.mu.Unlock()
	slices.SortStableFunc(w.batch, func(a, b *delivery) int { return int(a.lane) - int(b.lane) })
	return w.batch
}

// fileLen is how many of the reports go into the next file: those of one lane, up to the file's size.
func (w *writer) fileLen(batch []*delivery) int {
	size := int64(0)
	for i, d := range batch {
		size += int64(len(d.report.Body))
		if i > 0 && (d.lane != batch[0].lane || size > w.maxBytes) {
			return i
		}
	}
	return len(batch)
}

// stillAwaited is the part of the batch whose requests were not given up meanwhile. A report that nobody waits for
// comes again, and a disk that has just recovered serves those who wait.
func stillAwaited(batch []*delivery) []*delivery {
	return slices.DeleteFunc(batch, func(d *delivery) bool { return d.abandoned })
}

// commitFile makes one file durable and then answers everybody whose report is in it.
func (w *writer) commitFile(batch, rest []*delivery) {
	began := time.Now()
	w.hold(batch[:len(batch)+len(rest)], began) // they lie one behind the other
	for _, d := range batch {
		w.reports = append(w.reports, d.report)
	}
	w.file = smx.AppendFile(w.file[:0], w.reports)
	name, err := w.inbox.Put(batch[0].lane, w.file, w.now())
	var refused *problem
	if err != nil {
		refused = w.gate.failed(err)
	} else {
		w.measure(began)
	}
	w.hold(nil, time.Time{})
	for _, d := range batch {
		d.finish(name, refused)
	}
	w.forget()
}

// hold names the reports that giveUp may answer and since when their file is under way; nil and zero between two files.
// giveUp takes them out again when it answers them, so that it answers each once.
func (w *writer) hold(inHand []*delivery, since time.Time) {
	w.mu.Lock()
	w.inHand, w.since = inHand, since
	w.mu.Unlock()
}

// finish answers the request that waits, unless it was given up.
func (d *delivery) finish(file string, refused *problem) {
	if d.abandoned {
		return
	}
	d.file, d.refused = file, refused
	d.done <- struct{}{}
}

func (w *writer) measure(began time.Time) {
	w.metrics.commit.Observe(time.Since(began).Seconds())
	w.metrics.batch.Observe(float64(len(w.reports)))
	w.metrics.batchBytes.Observe(float64(len(w.file)))
}

// forget lets go of the reports of a file, whose buffers the requests take back.
func (w *writer) forget() {
	clear(w.reports)
	w.reports = w.reports[:0]
	if cap(w.file) > 4<<20 {
		w.file = nil
	}
}
