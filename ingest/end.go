package ingest

import (
	"context"
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
	for i := range part.sources {
		if s := &part.sources[i]; s.bad == nil && p.setAsideRecords(chunk, part, s) {
			loaded = append(loaded, s.file)
		}
	}
	if err := chunk.Done(loaded...); err != nil {
		p.log.Warn("loaded files cannot be deleted; they stay, and are not loaded again", "err", err)
	}
	p.countLoaded(part, len(loaded))
	p.endBad(ctx, late, part)
	p.leave(part)
	select {
	case p.ended <- struct{}{}:
	default:
	}
}

// endBad sets the bad files of a part aside, once the store lists them as bad.
func (p *pipeline) endBad(ctx, late context.Context, part *part) {
	chunk := part.claim.chunk
	var listed badFiles
	var bad []*source
	for i := range part.sources {
		if s := &part.sources[i]; s.bad != nil && p.settled(chunk, s) {
			listed.add(s.file.Name, s.file.Size, s.bad)
			bad = append(bad, s)
		}
	}
	if len(bad) == 0 {
		return
	}
	list := listed.table(p.now())
	err := p.insist(ctx, late, size{files: len(bad)}, func(ctx context.Context) error { return p.insertTable(ctx, list) })
	if err != nil && ctx.Err() != nil {
		return // the next start finds them again
	}
	if err != nil {
		p.log.Error("bad files are not in the store's list of them", "files", len(bad), "err", err)
	}
	for _, s := range bad {
		p.setAside(chunk, s)
	}
}

// settled tells whether a file that was found bad is whole and still there; false when it was only arriving.
func (l *Loader) settled(chunk *inbox.Chunk, s *source) bool {
	there, err := chunk.Settled(s.file)
	if err != nil {
		l.log.Error("bad file cannot be looked at, trying again later", "file", s.file.Name, "err", err)
		chunk.Postpone(s.file)
		return false
	}
	if !there {
		l.log.Info("file was still arriving, or is gone", "file", s.file.Name, "code", s.bad.Code)
	}
	return there
}

// setAside moves a bad file to corrupt. When that fails the file stays and is tried again later.
func (l *Loader) setAside(chunk *inbox.Chunk, s *source) {
	if err := chunk.SetAside(s.file, reason(s.bad, l.now())); err != nil {
		l.log.Error("bad file cannot be set aside, trying again later", "file", s.file.Name, "code", s.bad.Code, "err", err)
		return
	}
	l.log.Warn("bad file set aside", "file", s.file.Name, "code", s.bad.Code, "line", s.bad.Line, "column", s.bad.Column,
		"reason", s.bad.Detail)
	l.metrics.files.WithLabelValues("bad").Inc()
	l.add(Totals{Files: 1, BadFiles: 1})
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

// countLoaded counts and logs the loaded files of a part: a line for each.
func (l *Loader) countLoaded(part *part, loaded int) {
	for i := range part.sources {
		if s := &part.sources[i]; s.bad == nil {
			l.log.LogAttrs(context.Background(), slog.LevelInfo, "processed file", slog.String("file", s.file.Name),
				slog.Int("records", s.messages.len()+s.records.len()), slog.Int("invalid", s.records.len()),
				slog.Int("reports", s.reports.len()), slog.Duration("took", s.took))
		}
	}
	l.metrics.files.WithLabelValues("loaded").Add(float64(loaded))
	l.add(Totals{Files: loaded})
}

// countStored counts and logs a stored batch.
func (l *Loader) countStored(b batch, out outcome, took time.Duration) {
	m, n := l.metrics, b.size()
	if n.bad == n.files {
		return
	}
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
