package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"statewire/inbox"
	"statewire/smx"
)

// end ends the files of stored parts: loaded ones are deleted, bad ones set aside. What fails here stays in the inbox and is
// loaded again, which changes nothing.
func (p *pipeline) end(ctx, late context.Context) {
	var all sync.WaitGroup
	for range enders {
		all.Go(func() {
			for part := range p.stored {
				p.endPart(ctx, late, part)
			}
		})
	}
	all.Wait()
}

func (p *pipeline) endPart(ctx, late context.Context, part *part) {
	chunk := part.claim.chunk
	var loaded []inbox.File
	var bad badFiles
	var done Totals
	for i := range part.sources {
		s := &part.sources[i]
		switch {
		case s.bad == nil && p.setAsideRecords(chunk, part, s):
			loaded = append(loaded, s.file)
			done.Files++
		case s.bad != nil && p.setAside(chunk, s):
			bad.add(s.file.Name, s.file.Size, s.bad)
			done.Files++
			done.BadFiles++
		}
	}
	if err := chunk.Done(loaded...); err != nil {
		p.log.Error("loaded files cannot be deleted; they load again and change nothing", "files", len(loaded), "err", err)
	}
	p.recordBad(ctx, late, bad)
	p.countEnded(part, done)
	p.drop(part)
}

// setAside moves a bad file to corrupt; false when it stays, to be tried again or because it was still arriving.
func (l *Loader) setAside(chunk *inbox.Chunk, s *source) bool {
	err := chunk.SetAside(s.file, reason(s.bad, l.now()))
	switch {
	case errors.Is(err, inbox.ErrChanged):
		l.log.Info("file was still arriving", "file", s.file.Name)
		return false
	case err != nil:
		l.log.Error("bad file cannot be set aside, trying again later", "file", s.file.Name, "code", s.bad.Code, "err", err)
		return false
	}
	l.log.Warn("bad file set aside", "file", s.file.Name, "code", s.bad.Code, "line", s.bad.Line, "column", s.bad.Column,
		"reason", s.bad.Detail)
	return true
}

// setAsideRecords keeps the bad records and reports of a file that loaded otherwise; false when that failed and the
// inbox hands the file out again.
func (l *Loader) setAsideRecords(chunk *inbox.Chunk, p *part, s *source) bool {
	for i := s.records.from; i < s.records.to; i++ {
		r := &p.rows.Bad[i]
		if !l.setAsideRecord(chunk, s, r.Number, r.Raw(), &r.Err) {
			return false
		}
	}
	for i := s.badReports.from; i < s.badReports.to; i++ {
		r := &p.rows.BadReports[i]
		if !l.setAsideRecord(chunk, s, r.Number, r.Raw, &r.Err) {
			return false
		}
	}
	return true
}

func (l *Loader) setAsideRecord(chunk *inbox.Chunk, s *source, number int, doc []byte, why *smx.Error) bool {
	if err := chunk.SetAsideRecord(s.file, number, doc, reason(why, l.now())); err != nil {
		l.log.Error("bad record cannot be set aside, trying again later", "file", s.file.Name, "record", number, "err", err)
		return false
	}
	l.log.Warn("bad record set aside", "file", s.file.Name, "record", number, "code", why.Code, "line", why.Line,
		"column", why.Column, "reason", why.Detail)
	return true
}

func reason(e *smx.Error, at time.Time) inbox.Reason {
	return inbox.Reason{Time: at.UTC(), Code: e.Code, Reason: e.Detail, Line: e.Line, Column: e.Column}
}

// recordBad tells the store which files were set aside. The files themselves lie in corrupt already.
func (p *pipeline) recordBad(ctx, late context.Context, bad badFiles) {
	if len(bad.names) == 0 {
		return
	}
	t := bad.table(p.now())
	err := p.insist(ctx, late, size{files: len(bad.names)}, func(ctx context.Context) error { return p.insertTable(ctx, t) })
	if err != nil {
		p.log.Error("bad files lie in corrupt, but are missing in the store's list of them", "files", len(bad.names), "err", err)
	}
}

// countEnded counts and logs the files of a part: a line for each.
func (p *pipeline) countEnded(part *part, done Totals) {
	p.metrics.files.WithLabelValues("bad").Add(float64(done.BadFiles))
	p.metrics.files.WithLabelValues("loaded").Add(float64(done.Files - done.BadFiles))
	for i := range part.sources {
		s := &part.sources[i]
		if s.bad != nil {
			continue
		}
		p.log.LogAttrs(context.Background(), slog.LevelInfo, "processed file", slog.String("file", s.file.Name),
			slog.Int("records", s.messages.len()+s.records.len()), slog.Int("invalid", s.records.len()),
			slog.Int("reports", s.reports.len()), slog.Duration("took", s.took))
	}
	p.add(done)
}

// countStored counts and logs a stored batch.
func (l *Loader) countStored(b batch, out outcome, took time.Duration) {
	m, n := l.metrics, b.size()
	m.messages.WithLabelValues("stored").Add(float64(out.stored))
	m.messages.WithLabelValues("duplicate").Add(float64(out.duplicates))
	m.messages.WithLabelValues("set_aside").Add(float64(n.records))
	m.conflicts.Add(float64(out.conflicts))
	now := l.now()
	for r := range b.reports() {
		m.lag.Observe(now.Sub(r.received()).Seconds())
	}
	l.log.Info("processed batch", "files", n.files, "records", n.rows, "stored", out.stored, "duplicates", out.duplicates,
		"conflicts", out.conflicts, "invalid", n.records, "took", took)
	l.add(Totals{Messages: n.rows + n.records, Duplicates: out.duplicates, InvalidRecords: n.records, Conflicts: out.conflicts, Batches: 1})
}
