package ingest

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"statewire/inbox"
	"statewire/smx"
)

const (
	// partRows and partBytes close a part: small enough to be stored while the next are decoded, large enough to cost
	// nothing by itself.
	partRows  = 8192
	partBytes = 4 << 20
)

// part is some files of one chunk, decoded.
type part struct {
	claim   *claim
	rows    smx.Batch
	sources []source
	room    int64     // bytes taken from the pipeline's room
	bytes   int64     // of its files
	started time.Time // when its first file was read

	// What the rows lack of a stored message, one element per message; filled by complete.
	clients  []uuid.UUID
	received []time.Time
	filesOf  []string
	receipts []string

	asides     map[int]aside  // what is set aside of its reports, by report; filled by plan
	badReports map[int]string // names in corrupt of its bad reports; filled by plan
}

// source is one file of a part and the rows that came from it.
type source struct {
	file inbox.File
	bad  *smx.Error // why the file is set aside as a whole; nil when it loads
	took time.Duration

	reports, messages, records, badReports span
}

// span is a half-open range of indexes.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// decode appends a file's rows.
func (p *part) decode(d *smx.Decoder, f inbox.File, data []byte) {
	before := p.marks()
	p.bytes += int64(len(data))
	err := d.Decode(data, &p.rows)
	if err != nil {
		p.condemn(f, decodeError(err))
		return
	}
	p.add(f, nil, before)
}

// condemn notes a file nothing of which loads.
func (p *part) condemn(f inbox.File, why *smx.Error) { p.add(f, why, p.marks()) }

func (p *part) add(f inbox.File, bad *smx.Error, before [4]int) {
	after := p.marks()
	p.sources = append(p.sources, source{
		file: f, bad: bad,
		reports:    span{before[0], after[0]},
		messages:   span{before[1], after[1]},
		records:    span{before[2], after[2]},
		badReports: span{before[3], after[3]},
	})
}

func (p *part) marks() [4]int {
	return [4]int{len(p.rows.Reports), p.rows.Len(), len(p.rows.Bad), len(p.rows.BadReports)}
}

// full says that no further file should join the part.
func (p *part) full() bool { return p.rows.Len() >= partRows || p.bytes >= partBytes }

// complete fills the columns that the decoder does not.
func (p *part) complete() {
	for i := range p.sources {
		s := &p.sources[i]
		for r := s.reports.from; r < s.reports.to; r++ {
			report := &p.rows.Reports[r]
			client, at := uuid.UUID(report.Client), time.UnixMicro(s.received(report.Received))
			for range report.Messages {
				p.clients, p.received = append(p.clients, client), append(p.received, at)
				p.filesOf, p.receipts = append(p.filesOf, s.file.Name), append(p.receipts, report.Receipt)
			}
		}
	}
}

// textBytes is the bytes of a message's texts.
func (p *part) textBytes(i int) int {
	r := &p.rows
	n := len(r.TopicID[i]) + len(r.Details[i]) + len(r.User[i]) + len(r.UserSID[i])
	from := uint32(0)
	if i > 0 {
		from = r.ParamsEnd[i-1]
	}
	for _, param := range r.Params[from:r.ParamsEnd[i]] {
		n += len(param)
	}
	return n
}

func (p *part) reset() {
	p.rows.Reset()
	clear(p.sources)
	clear(p.filesOf)
	clear(p.receipts)
	clear(p.asides)
	clear(p.badReports)
	p.claim, p.room, p.bytes, p.started = nil, 0, 0, time.Time{}
	p.sources, p.clients, p.received = p.sources[:0], p.clients[:0], p.received[:0]
	p.filesOf, p.receipts = p.filesOf[:0], p.receipts[:0]
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

// claim is a chunk and how many hold files of it.
type claim struct {
	chunk   *inbox.Chunk
	log     *slog.Logger
	holders atomic.Int32
}

func newClaim(chunk *inbox.Chunk, log *slog.Logger) *claim {
	c := &claim{chunk: chunk, log: log}
	c.holders.Store(1)
	return c
}

func (c *claim) join() { c.holders.Add(1) }

// leave gives back what has not ended when the last holder leaves; nothing of it was acknowledged to anybody.
func (c *claim) leave() {
	if c.holders.Add(-1) > 0 {
		return
	}
	if err := c.chunk.Release(); err != nil {
		c.log.Error("claimed files go back to waiting at the next start only", "err", err)
	}
}
