package ingest

import (
	"time"

	"statewire/inbox"
	"statewire/smx"
)

// aside is what becomes of the bad records of a report.
type aside struct {
	name    string // in corrupt
	doc     []byte // the report with these records alone
	dropped bool   // only counted
}

// dropped is how many bad records of a report are only counted.
func (r report) dropped() int {
	if r.part.asides[r.row].dropped {
		return len(r.bad)
	}
	return 0
}

// plan decides, before the store is told, under which names a batch's bad records and reports will lie in corrupt, and
// which are only counted because their client has sent too many this hour.
func (l *Loader) plan(b batch) {
	for r := range b.reports() {
		if len(r.bad) > 0 {
			l.planRecords(r)
		}
	}
	for _, p := range b {
		for i := range p.files() {
			s := &p.files()[i]
			for n := s.badReports.from; s.bad == nil && n < s.badReports.to; n++ {
				bad := &p.rows.BadReports[n]
				name, _ := p.claim.chunk.KeepAs(s.file, bad.Index+1, bad.Raw)
				p.part.nameBadReport(n, name)
			}
		}
	}
}

func (l *Loader) planRecords(r report) {
	a := aside{doc: smx.RawReport(r.bad)}
	var repeat bool
	a.name, repeat = r.part.claim.chunk.KeepAs(r.source.file, r.Index+1, a.doc)
	// What a person tries again, and what lies there already, is not held against the client.
	a.dropped = !repeat && !r.source.file.IsReplay() && !l.quota.take(r.Client, len(r.bad), l.now())
	if r.part.asides == nil {
		r.part.asides = map[int]aside{}
	}
	r.part.asides[r.row] = a
}

func (p *part) nameBadReport(n int, name string) {
	if p.badReports == nil {
		p.badReports = map[int]string{}
	}
	p.badReports[n] = name
}

// keptRecords is what is kept of a file: the bad records of each of its reports, and its bad reports.
func (l *Loader) keptRecords(p *part, i int) (kept []inbox.Kept) {
	now, s := l.now(), &p.sources[i]
	for r := range p.reports(i) {
		if a := p.asides[r.row]; len(r.bad) > 0 && !a.dropped {
			kept = append(kept, inbox.Kept{Name: a.name, Doc: a.doc, Reason: r.reason(now)})
		}
	}
	for n := s.badReports.from; n < s.badReports.to; n++ {
		bad := &p.rows.BadReports[n]
		why := reason(&bad.Err, s, now)
		why.Report, why.Receipt = bad.Index+1, bad.Receipt
		if bad.Received != 0 {
			why.Received = time.UnixMicro(bad.Received)
		}
		kept = append(kept, inbox.Kept{Name: p.badReports[n], Doc: bad.Raw, Reason: why})
	}
	return kept
}

// reason lists the bad records of a report; it begins as the first one's.
func (r report) reason(now time.Time) inbox.Reason {
	why := reason(&r.bad[0].Err, r.source, now)
	why.Client, why.Report, why.Receipt, why.Received = r.Client.String(), r.Index+1, r.Receipt, r.received()
	for i := range r.bad {
		bad := &r.bad[i]
		one := inbox.Record{Record: bad.Index, Code: bad.Err.Code, Reason: bad.Err.Detail, Line: bad.Err.Line,
			Column: bad.Err.Column}
		if bad.HasSerial {
			one.Serial = &bad.Serial
		}
		why.Records = append(why.Records, one)
	}
	return why
}

// reason is why something of a file is set aside.
func reason(e *smx.Error, s *source, at time.Time) inbox.Reason {
	return inbox.Reason{Time: at.UTC(), Code: e.Code, Reason: e.Detail, Line: e.Line, Column: e.Column, File: s.file.Name,
		Received: s.file.Claimed}
}

// quota bounds how many bad records of a client are kept in an hour.
type quota struct {
	most int // 0 keeps all

	// Owned by the goroutine that stores what else is known.
	hour time.Time
	used map[smx.ClientID]int
}

// take tells whether some records may be kept. Those of a report are kept all or none: so a client goes beyond the
// bound by less than one report.
func (q *quota) take(client smx.ClientID, records int, now time.Time) bool {
	if hour := now.Truncate(time.Hour); !hour.Equal(q.hour) || q.used == nil {
		q.hour, q.used = hour, map[smx.ClientID]int{}
	}
	if q.most > 0 && q.used[client] >= q.most {
		return false
	}
	q.used[client] += records
	return true
}
