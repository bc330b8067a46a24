package relay

import (
	"runtime"
	"sync"

	"statewire/inbox"
	"statewire/smx"
)

const (
	lightBody = 256 << 10 // larger bodies, and compressed ones, are checked by few at a time
	keptBody  = 64 << 10  // larger buffers are not kept for the next report
)

// delivery is one report on its way to the inbox, with the buffers it lies in.
type delivery struct {
	// Owned by the request until deliver, and again after it.
	raw    []byte // the body as sent
	text   []byte // the body decompressed
	answer []byte
	held   int64 // bytes of the budget
	lane   inbox.Lane
	report smx.Accepted

	// Written by the committer before done.
	done      chan struct{}
	file      string
	refused   *problem
	abandoned bool // given up: the committer may still read the report
}

// keep makes the report outlive the decoder that found it. It mostly lies in the text already; else the body as sent,
// which nobody needs any more, makes room for it.
func (d *delivery) keep(report, text []byte, memory *budget) []byte {
	at := cap(text) - cap(report)
	if len(report) > 0 && at >= 0 && at < len(text) && &text[at] == &report[0] {
		return report
	}
	had := cap(d.raw)
	d.raw = append(d.raw[:0], report...)
	more := int64(cap(d.raw) - had)
	memory.used.Add(more)
	d.held += more
	return d.raw
}

// pool lends deliveries and decoders.
type pool struct {
	memory     *budget
	deliveries sync.Pool
	decoders   sync.Pool
	heavy      chan struct{} // bounds the checks of heavy bodies at one time
}

func newPool(memory *budget) *pool {
	return &pool{memory: memory, heavy: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))}
}

// get returns nil when the memory for bodies is used up.
func (p *pool) get() *delivery {
	d, ok := p.deliveries.Get().(*delivery)
	if !ok {
		d = &delivery{done: make(chan struct{}, 1), raw: make([]byte, 0, firstBuffer)}
	}
	d.held = int64(cap(d.raw) + cap(d.text))
	if !p.memory.take(d.held) {
		return nil
	}
	return d
}

// put takes a delivery back and keeps its buffers when they are of the common size.
func (p *pool) put(d *delivery) {
	p.memory.give(d.held)
	if d.abandoned {
		return
	}
	if cap(d.raw) > keptBody {
		d.raw = make([]byte, 0, firstBuffer)
	}
	if cap(d.text) > keptBody {
		d.text = nil
	}
	d.held, d.report, d.file, d.refused = 0, smx.Accepted{}, "", nil
	p.deliveries.Put(d)
}

func (p *pool) decoder() *smx.Decoder {
	if d, ok := p.decoders.Get().(*smx.Decoder); ok {
		return d
	}
	return smx.NewDecoder()
}

func (p *pool) giveBack(d *smx.Decoder, size int) {
	if size <= lightBody {
		p.decoders.Put(d)
	}
}
