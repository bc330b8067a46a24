package audit

import (
	"errors"
	"fmt"
	"time"
)

// maxFaults is how many places are named; a log with more has one cause.
const maxFaults = 100

// Fault is a place where the log is not what was written.
type Fault struct {
	Seq     uint64 // the number of the line that was changed or is missing; 0 for a head
	File    string
	Line    int // in the file, 0 for none
	Problem string
}

// String names the place, then says what is wrong.
func (f Fault) String() string {
	where := f.File
	if f.Line > 0 {
		where = fmt.Sprintf("%s line %d", f.File, f.Line)
	}
	if f.Seq == 0 {
		return fmt.Sprintf("%s: %s", where, f.Problem)
	}
	return fmt.Sprintf("seq %d, %s: %s", f.Seq, where, f.Problem)
}

// place is a line that was read.
type place struct {
	seq  uint64
	file string
	line int
}

// chain follows the lines of a log, one after the other, and finds where it breaks.
type chain struct {
	last    place // of the last line; its seq is 0 before the first
	sum     string
	named   bool   // the last line is a fault already
	doubt   *place // the line before the last has other bytes than the last one names: either may be the changed one
	started bool   // the first line is read, or must be the first of the log
	faults  []Fault
	open    map[uint64]bool // actions without outcome
	lines   uint64
	unfit   bool // a head does not fit
	lastAt  time.Time
}

func newChain() *chain { return &chain{sum: zeros, started: true, open: map[uint64]bool{}} }

// fault names a line, once.
func (c *chain) fault(at place, format string, args ...any) {
	for _, f := range c.faults {
		if f.Seq == at.seq && f.File == at.file {
			return
		}
	}
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, Fault{at.seq, at.file, at.line, fmt.Sprintf(format, args...)})
	}
}

// step takes the next line.
func (c *chain) step(file string, n int, rec record) {
	at := place{c.last.seq + 1, file, n}
	line, err := decodeRecord(rec)
	if err == nil && !c.started {
		c.last.seq, c.sum, at.seq, c.started = line.Seq-1, line.Prev, line.Seq, true
	}
	c.settle(err == nil && line.Prev == c.sum)
	before, beforeNamed := c.last, c.named
	c.named = true
	switch {
	case err != nil:
		c.fault(at, "%v", err)
	case line.Seq != at.seq:
		c.order(at, line.Seq, rec.sum)
		at.seq = line.Seq
	case line.Prev != c.sum && before.seq == 0:
		c.fault(at, "it is not the first line of the log, or was changed")
	case line.Prev != c.sum:
		if c.named = false; !beforeNamed {
			c.doubt = &before
		}
	case line.Time.Format(monthFormat)+fileEnd > file:
		c.fault(at, "it belongs into a later file")
	default:
		c.named = false
	}
	c.follow(at, line, err == nil, rec)
}

func (c *chain) follow(at place, line Line, read bool, rec record) {
	c.last, c.sum = at, rec.sum
	c.lines++
	switch {
	case !read:
	case line.Of > 0:
		delete(c.open, line.Of)
	default:
		c.open[line.Seq] = true
	}
	if read {
		c.lastAt = line.Time
	}
}

// order names a line that stands where another belongs.
func (c *chain) order(at place, seq uint64, sum string) {
	switch {
	case sum == c.sum:
		at.seq = seq
		c.fault(at, "the line stands there twice")
	case seq > at.seq:
		c.fault(at, "it is missing or was moved: seq %d stands in its place", seq)
	default:
		c.fault(at, "seq %d stands in its place: a line was doubled, moved or renumbered", seq)
	}
}

// settle decides which of two lines was changed: when what comes after the later one knows its bytes, the earlier one.
func (c *chain) settle(laterIsGood bool) {
	if c.doubt == nil {
		return
	}
	if at := *c.doubt; laterIsGood {
		c.fault(at, "its bytes were changed: the next line names another hash")
	} else {
		c.fault(c.last, "its bytes were changed: neither the line before nor what follows fits it")
	}
	c.doubt = nil
}

// head compares a signed head with the line it names, when that is the last one read.
func (c *chain) head(h Head, name string) {
	if h.Seq != c.last.seq || h.Hash == "" {
		return
	}
	fits := h.Hash == c.sum
	c.unfit = c.unfit || !fits
	c.settle(fits)
	if !fits && !c.named {
		c.fault(c.last, "its bytes were changed: %s, which is signed, names another hash", name)
	}
}

// end is told when there are no more lines.
func (c *chain) end(h Head, name string) {
	c.settle(true)
	if h.Seq > c.last.seq {
		c.unfit = true
		at := place{c.last.seq + 1, c.last.file, 0}
		if at.file == "" {
			at.file = name
		}
		c.fault(at, "the end is cut: %s, which is signed, names seq %d, and the last line is seq %d", name, h.Seq,
			c.last.seq)
	}
}

func decodeRecord(rec record) (Line, error) {
	if rec.text == nil && rec.size > 1 {
		return Line{}, fmt.Errorf("it has %d bytes, a line has %d at most", rec.size, maxLineBytes)
	}
	if !rec.whole {
		return Line{}, errors.New("it is cut: its end is missing")
	}
	return decode(rec.text)
}
