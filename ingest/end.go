package ingest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"statewire/inbox"
)

// end ends the files of stored parts: loaded ones are deleted, bad ones set aside. What fails here stays in the inbox
// and is loaded again, which changes nothing.
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
		if s := &part.sources[i]; s.bad == nil && p.endLoaded(ctx, late, part, i) {
			loaded = append(loaded, s.file)
		}
	}
	if err := chunk.Done(loaded...); err != nil {
		p.log.Warn("loaded files cannot be deleted; they stay, and are not loaded again", "err", err)
	}
	p.countLoaded(part, len(loaded))
	p.logAsides(part)
	p.endBad(ctx, late, part)
	p.leave(part)
	p.limit(ctx, late)
	select {
	case p.ended <- struct{}{}:
	default:
	}
}

// endLoaded keeps what is bad in a file that loaded otherwise, and ends what was tried again with it; false when that
// failed and the inbox hands the file out again.
func (p *pipeline) endLoaded(ctx, late context.Context, part *part, i int) bool {
	s := &part.sources[i]
	again, ok := p.endReplayed(ctx, late, part, i)
	if !ok {
		return false
	}
	kept := p.keptRecords(part, i)
	if err := part.claim.chunk.SetAsideRecords(s.file, kept); err != nil {
		p.log.Log(ctx, levelOf(s.file), "bad records cannot be set aside, trying again later", "file", s.file.Name, "err",
			err)
		return false
	}
	p.corrupt.add(kept)
	return p.removeReplayed(part.claim.chunk, s, again, kept)
}

// endBad sets the bad files of a part aside, once the store lists them as bad.
func (p *pipeline) endBad(ctx, late context.Context, part *part) {
	chunk := part.claim.chunk
	var listed badFiles
	var bad []*source
	for i := range part.sources {
		if s := &part.sources[i]; s.bad != nil && p.settled(chunk, s) {
			name, _ := chunk.KeepAs(s.file, 0, nil)
			listed.add(name, s.file.Size, s.bad)
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
	for i, s := range bad {
		p.setAside(chunk, s, listed.names[i])
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
		l.log.Debug("file was still arriving, or is gone", "file", s.file.Name, "code", s.bad.Code)
	}
	return there
}

// setAside moves a bad file to corrupt. When that fails the file stays and is tried again later.
func (l *Loader) setAside(chunk *inbox.Chunk, s *source, name string) {
	if err := chunk.SetAside(s.file, reason(s.bad, s, l.now())); err != nil {
		l.log.Log(context.Background(), levelOf(s.file), "bad file cannot be set aside, trying again later", "file",
			s.file.Name,
			"code", s.bad.Code, "err", err)
		return
	}
	l.log.Warn("bad file set aside", "file", s.file.Name, "kept_as", name, "code", s.bad.Code, "line", s.bad.Line,
		"column", s.bad.Column,
		"reason", s.bad.Detail)
	l.metrics.files.WithLabelValues("bad").Inc()
	l.corrupt.grow(inbox.DiskBytes(s.file.Size, 0))
	l.add(Totals{Files: 1, BadFiles: 1})
}

// levelOf is an error's at the first try; a file that is tried again and again was told of before, and `status` names
// it.
func levelOf(f inbox.File) slog.Level {
	if f.Tries > 0 {
		return slog.LevelDebug
	}
	return slog.LevelError
}

// logAsides tells of a part's bad records in one line, and in one for those that are only counted.
func (l *Loader) logAsides(p *part) {
	kept, dropped := size{}, size{}
	var first, firstDropped report
	for r := range whole([]*part{p}).reports() {
		switch {
		case len(r.bad) == 0:
			continue
		case r.dropped() > 0:
			if dropped.files++; dropped.files == 1 {
				firstDropped = r
			}
			dropped.records += len(r.bad)
		default:
			if kept.files++; kept.files == 1 {
				first = r
			}
			kept.records += len(r.bad)
			l.logRecords(r)
		}
	}
	if kept.files > 0 {
		l.log.Warn("bad records set aside", "records", kept.records, "reports", kept.files, "client", first.Client.String(),
			"kept_as", p.asides[first.row].name, "code", first.bad[0].Err.Code, "reason", first.bad[0].Err.Detail)
	}
	if dropped.files > 0 {
		l.metrics.dropped.WithLabelValues("hourly_bound").Add(float64(dropped.records))
		l.log.Warn("bad records only counted: ingest.set_aside_per_hour is reached", "records", dropped.records,
			"reports", dropped.files, "client", firstDropped.Client.String(), "code", firstDropped.bad[0].Err.Code)
	}
}

// logRecords tells of each bad record of a report, for who looks for it.
func (l *Loader) logRecords(r report) {
	if !l.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	for i := range r.bad {
		why := &r.bad[i].Err
		l.log.Debug("bad record set aside", "file", r.source.file.Name, "report", r.Index+1, "record", r.bad[i].Index, "code",
			why.Code,
			"line", why.Line, "column", why.Column, "reason", why.Detail)
	}
}

// countLoaded counts and logs the loaded files of a part: a line for each.
func (l *Loader) countLoaded(part *part, loaded int) {
	for i := range part.sources {
		if s := &part.sources[i]; s.bad == nil {
			l.log.LogAttrs(context.Background(), slog.LevelDebug, "processed file", slog.String("file", s.file.Name),
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
	l.log.Info("processed batch", "files", n.files, "bad_files", n.bad, "bad_reports", n.reports, "records", n.rows,
		"stored", out.stored,
		"duplicates", out.duplicates, "conflicts", out.conflicts, "invalid", n.records, "took", took)
	if n.bad == n.files {
		return
	}
	m.messages.WithLabelValues("stored").Add(float64(out.stored))
	m.messages.WithLabelValues("duplicate").Add(float64(out.duplicates))
	m.messages.WithLabelValues("set_aside").Add(float64(n.records))
	m.conflicts.Add(float64(out.conflicts))
	m.badReports.Add(float64(n.reports))
	m.wrongTimes.Add(float64(b.wrongTimes()))
	m.titles.WithLabelValues("bad").Add(float64(b.badTitles()))
	now := l.now()
	for r := range b.reports() {
		m.lag.Observe(now.Sub(r.received()).Seconds())
	}
	l.add(Totals{Messages: n.rows + n.records, Duplicates: out.duplicates, InvalidRecords: n.records,
		BadReports: n.reports,
		Conflicts:  out.conflicts, Batches: 1})
}
