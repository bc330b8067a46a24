package ingest

import (
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
	"statewire/store"
)

const (
	// maxBatchRows and maxBatchBytes bound what is stored at once, whatever has piled up. Bytes are those of the files.
	maxBatchRows  = 500_000
	maxBatchBytes = 32 << 20
)

// piece is some neighbouring files of a part.
type piece struct {
	*part
	from, to int // sources
}

func (p piece) files() []source { return p.sources[p.from:p.to] }

func (p piece) messages() span {
	return span{p.sources[p.from].messages.from, p.sources[p.to-1].messages.to}
}

// params are the parameters of some messages. A part is cut between files, and the ends count from its first message,
// so they are moved when the cut is not at the start.
func (p piece) params(m span) store.Lists {
	ends := p.rows.ParamsEnd[m.from:m.to]
	if len(ends) == 0 {
		return store.Lists{}
	}
	to := ends[len(ends)-1]
	if m.from == 0 {
		return store.Lists{Flat: p.rows.Params[:to], Ends: ends}
	}
	from := p.rows.ParamsEnd[m.from-1]
	moved := make([]uint32, len(ends))
	for i, end := range ends {
		moved[i] = end - from
	}
	return store.Lists{Flat: p.rows.Params[from:to], Ends: moved}
}

// batch is what one insert stores.
type batch []piece

// whole is all the files of some parts.
func whole(parts []*part) batch {
	b := make(batch, 0, len(parts))
	for _, p := range parts {
		b = append(b, piece{p, 0, len(p.sources)})
	}
	return b
}

// size is how much a batch holds. Bad files hold nothing.
type size struct {
	files   int
	bad     int // of the files, as a whole
	rows    int
	records int // bad ones
	reports int // bad as a whole, of files that are not
}

func (b batch) size() (n size) {
	for _, p := range b {
		for i := range p.files() {
			n.files++
			s := &p.files()[i]
			if s.bad != nil {
				n.bad++
				continue
			}
			n.rows += s.messages.len()
			n.records += s.records.len()
			n.reports += s.badReports.len()
		}
	}
	return n
}

// wrongTimes is how many messages of a batch have a time that can't be right.
func (b batch) wrongTimes() (n int) {
	for _, p := range b {
		for i := range p.files() {
			s := &p.files()[i]
			if s.bad != nil {
				continue
			}
			for _, flags := range p.rows.Flags[s.messages.from:s.messages.to] {
				if flags&smx.TimeSuspect != 0 {
					n++
				}
			}
		}
	}
	return n
}

// badTitles is how many titles of a batch are none.
func (b batch) badTitles() (n int) {
	for r := range b.reports() {
		n += r.BadTitles
	}
	return n
}

// report is one readable report of a batch.
type report struct {
	*smx.ReportRow
	part   *part
	source *source
	bad    []smx.BadRecord
	row    int // of the part's reports
}

func (r report) client() uuid.UUID { return uuid.UUID(r.Client) }

func (r report) received() time.Time { return time.UnixMicro(r.source.received(r.Received)) }

func (r report) serials() []uint64 {
	return r.part.rows.Serial[r.FirstMessage : r.FirstMessage+r.Messages]
}

// reports goes over the readable reports in the order of their files.
func (b batch) reports() iter.Seq[report] {
	return func(yield func(report) bool) {
		for _, p := range b {
			for i := range p.files() {
				s := &p.files()[i]
				if s.bad != nil {
					continue
				}
				bad := p.rows.Bad[s.records.from:s.records.to]
				for n := s.reports.from; n < s.reports.to; n++ {
					r := &p.rows.Reports[n]
					if !yield(report{r, p.part, s, bad[:r.BadRecords], n}) {
						return
					}
					bad = bad[r.BadRecords:]
				}
			}
		}
	}
}

// titles goes over the titles that the messages of readable reports have, in their order.
func (b batch) titles() iter.Seq2[*part, smx.Title] {
	return func(yield func(*part, smx.Title) bool) {
		for _, p := range b {
			for i := range p.files() {
				s := &p.files()[i]
				if s.bad != nil || len(p.rows.Titles) == 0 {
					continue
				}
				from, _ := slices.BinarySearchFunc(p.rows.Titles, s.messages.from,
					func(t smx.Title, row int) int { return t.Row - row })
				for _, t := range p.rows.Titles[from:] {
					if t.Row >= s.messages.to {
						break
					}
					if !yield(p.part, t) {
						return
					}
				}
			}
		}
	}
}

// reports goes over the readable reports of one file.
func (p *part) reports(i int) iter.Seq[report] { return batch{{p, i, i + 1}}.reports() }

// halve splits the files of a batch.
func (b batch) halve() (left, right batch) {
	half := b.size().files / 2
	for _, p := range b {
		n := min(half, p.to-p.from)
		half -= n
		if n > 0 {
			left = append(left, piece{p.part, p.from, p.from + n})
		}
		if p.from+n < p.to {
			right = append(right, piece{p.part, p.from + n, p.to})
		}
	}
	return left, right
}

// gather collects parts until they are worth an insert or the oldest has waited long enough; empty when there are no
// more.
func (p *pipeline) gather() (parts []*part) {
	rows, bytes, idle := 0, int64(0), time.Now()
	var due <-chan time.Time
	for rows < maxBatchRows && bytes < maxBatchBytes {
		next, ok := p.next(due, rows >= p.cfg.BatchRows)
		if !ok {
			break
		}
		if len(parts) == 0 {
			p.pace.begin(time.Since(idle))
			timer := time.NewTimer(p.pace.due(time.Since(next.started)))
			defer timer.Stop()
			due = timer.C
		}
		parts = append(parts, next)
		rows += next.rows.Len()
		bytes += next.bytes
	}
	return parts
}

// next returns the next decoded part: one that is there already, or when there is not enough yet, the next that comes
// before due.
func (p *pipeline) next(due <-chan time.Time, enough bool) (*part, bool) {
	select {
	case next, ok := <-p.parts:
		return next, ok
	default:
	}
	if enough {
		return nil, false
	}
	select {
	case next, ok := <-p.parts:
		return next, ok
	case <-due:
		return nil, false
	}
}
