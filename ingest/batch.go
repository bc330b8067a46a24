package ingest

import (
	"time"

	"statewire/inbox"
	"statewire/smx"
)

// batchBytes bounds the file bytes of a batch, so that reports with large details do not fill the memory.
const batchBytes = 48 << 20

// batch is the messages of some files, to be stored together, and the files they came from.
type batch struct {
	rows    smx.Batch
	sources []source
	bytes   int64
	started time.Time // when its first file was read; zero when it has none
}

// source is one file of a batch and the rows that came from it.
type source struct {
	chunk *inbox.Chunk
	file  inbox.File
	err   *smx.Error // why the file is bad as a whole; nil when it was readable
	gone  bool       // the file vanished between claim and read
	took  time.Duration

	reports, messages, records, badReports span
}

// span is a half-open range of indexes.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// decode appends a file's rows.
func (b *batch) decode(d *smx.Decoder, chunk *inbox.Chunk, f inbox.File, data []byte, started time.Time) {
	before := b.marks()
	if err := d.Decode(data, &b.rows); err != nil {
		b.bad(chunk, f, decodeError(err))
		return
	}
	after := b.marks()
	b.add(source{
		chunk: chunk, file: f, took: time.Since(started),
		reports:    span{before[0], after[0]},
		messages:   span{before[1], after[1]},
		records:    span{before[2], after[2]},
		badReports: span{before[3], after[3]},
	}, started)
	b.bytes += int64(len(data))
}

// bad notes a file nothing of which loads.
func (b *batch) bad(chunk *inbox.Chunk, f inbox.File, reason *smx.Error) {
	b.add(source{chunk: chunk, file: f, err: reason}, f.Claimed)
}

// vanished notes a file that somebody took away.
func (b *batch) vanished(chunk *inbox.Chunk, f inbox.File) {
	b.add(source{chunk: chunk, file: f, gone: true}, f.Claimed)
}

func (b *batch) add(s source, started time.Time) {
	if b.started.IsZero() {
		b.started = started
	}
	b.sources = append(b.sources, s)
}

func (b *batch) marks() [4]int {
	return [4]int{len(b.rows.Reports), b.rows.Len(), len(b.rows.Bad), len(b.rows.BadReports)}
}

func (b *batch) empty() bool { return len(b.sources) == 0 }

// full says that no further file should join the batch.
func (b *batch) full(cfg Config) bool { return b.rows.Len() >= cfg.BatchRows || b.bytes >= batchBytes }

// due says that the batch should be stored now, full or not.
func (b *batch) due(now time.Time, cfg Config) bool {
	return !b.empty() && (b.full(cfg) || now.Sub(b.started) >= cfg.BatchDelay)
}

func (b *batch) reset() {
	b.rows.Reset()
	clear(b.sources)
	b.sources, b.bytes, b.started = b.sources[:0], 0, time.Time{}
}

// received is when a report reached the site, in microseconds since 1970: the relay's stamp or, for a dropped file, its
// first claim.
func (s *source) received(relayed int64) int64 {
	if relayed != 0 {
		return relayed
	}
	return s.file.Claimed.UnixMicro()
}

// decodeError returns the decoder's error as what it always is.
func decodeError(err error) *smx.Error {
	if e, ok := err.(*smx.Error); ok {
		return e
	}
	return &smx.Error{Code: "unreadable", Detail: err.Error()}
}
