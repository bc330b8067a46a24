package ingest

import (
	"context"
	"log/slog"
	"time"

	"statewire/inbox"
	"statewire/smx"
)

// end ends the files of a stored batch. What fails here stays in the inbox and is loaded again, which changes nothing.
func (l *Loader) end(b *batch) {
	done := map[*inbox.Chunk][]inbox.File{}
	for i := range b.sources {
		s := &b.sources[i]
		if s.err != nil {
			l.setAside(s)
		} else if l.setAsideRecords(b, s) {
			done[s.chunk] = append(done[s.chunk], s.file)
		}
	}
	for chunk, files := range done {
		if err := chunk.Done(files...); err != nil {
			l.log.Error("loaded files cannot be deleted; they load again and change nothing", "files", len(files), "err", err)
		}
	}
}

// setAside moves a bad file to corrupt.
func (l *Loader) setAside(s *source) {
	l.log.Warn("bad file set aside", "file", s.file.Name, "code", s.err.Code, "line", s.err.Line, "column", s.err.Column,
		"reason", s.err.Detail)
	if err := s.chunk.SetAside(s.file, reason(s.err, l.now())); err != nil {
		l.log.Error("bad file cannot be set aside, trying again later", "file", s.file.Name, "err", err)
	}
}

// setAsideRecords keeps the bad records and reports of a file that loaded otherwise; false when that failed and the
// inbox hands the file out again.
func (l *Loader) setAsideRecords(b *batch, s *source) bool {
	keep := func(n int, doc []byte, why *smx.Error) bool {
		l.log.Warn("bad record set aside", "file", s.file.Name, "record", n, "code", why.Code, "line", why.Line,
			"column", why.Column, "reason", why.Detail)
		if err := s.chunk.SetAsideRecord(s.file, n, doc, reason(why, l.now())); err != nil {
			l.log.Error("bad record cannot be set aside, trying again later", "file", s.file.Name, "record", n, "err", err)
			return false
		}
		return true
	}
	for i := s.records.from; i < s.records.to; i++ {
		if r := &b.rows.Bad[i]; !keep(r.Number, r.Raw(), &r.Err) {
			return false
		}
	}
	for i := s.badReports.from; i < s.badReports.to; i++ {
		if r := &b.rows.BadReports[i]; !keep(r.Number, r.Raw, &r.Err) {
			return false
		}
	}
	return true
}

func reason(e *smx.Error, at time.Time) inbox.Reason {
	return inbox.Reason{Time: at.UTC(), Code: e.Code, Reason: e.Detail, Line: e.Line, Column: e.Column}
}

// report counts and logs a stored batch: a line per file and one for all.
func (l *Loader) report(b *batch, out outcome, took time.Duration) {
	var bad, vanished int
	for i := range b.sources {
		switch s := &b.sources[i]; {
		case s.err != nil:
			bad++
		case s.gone:
			vanished++
			l.log.Info("file vanished before it was read", "file", s.file.Name)
		default:
			l.log.LogAttrs(context.Background(), slog.LevelInfo, "processed file", slog.String("file", s.file.Name),
				slog.Int("records", s.messages.len()+s.records.len()), slog.Int("invalid", s.records.len()),
				slog.Int("reports", s.reports.len()), slog.Duration("took", s.took))
		}
	}
	l.count(b, out, bad, vanished, took)
	l.log.Info("processed batch", "files", len(b.sources), "bad_files", bad, "records", b.rows.Len(),
		"stored", out.stored, "duplicates", out.duplicates, "invalid", len(b.rows.Bad), "took", took)
	if l.progress != nil {
		l.progress(l.totals)
	}
}

func (l *Loader) count(b *batch, out outcome, bad, vanished int, took time.Duration) {
	m, t := l.metrics, &l.totals
	m.messages.WithLabelValues("stored").Add(float64(out.stored))
	m.messages.WithLabelValues("duplicate").Add(float64(out.duplicates))
	m.messages.WithLabelValues("set_aside").Add(float64(len(b.rows.Bad)))
	m.conflicts.Add(float64(out.conflicts))
	m.files.WithLabelValues("bad").Add(float64(bad))
	m.files.WithLabelValues("vanished").Add(float64(vanished))
	m.files.WithLabelValues("loaded").Add(float64(len(b.sources) - bad - vanished))
	m.insert.Observe(took.Seconds())
	m.insertRows.Observe(float64(b.rows.Len()))
	now := l.now().UnixMicro()
	for i := range b.sources {
		s := &b.sources[i]
		for r := s.reports.from; r < s.reports.to; r++ {
			m.lag.Observe(float64(now-s.received(b.rows.Reports[r].Received)) / 1e6)
		}
	}
	t.Files += len(b.sources) - vanished
	t.Messages += b.rows.Len() + len(b.rows.Bad)
	t.Duplicates += out.duplicates
	t.InvalidRecords += len(b.rows.Bad)
	t.BadFiles += bad
	t.Conflicts += out.conflicts
	t.Batches++
}
