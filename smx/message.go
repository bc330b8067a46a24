package smx

// Vocabularies of a message, in the order clients write them.
var (
	messageAttributes = attributes("MessageTime", "SerialNumber")
	partWords         = elements("Topic", "State", "UserParameters", "StateDetails")
	topicAttributes   = attributes("ID", "Type", "IDType", "User", "UserSID", "Title")
	stateAttributes   = attributes("ID", "Criticality")
	detailAttributes  = attributes("Type")
	paramAttributes   = attributes("Flags", "Count")
	paramWord         = elements("Param")

	messageEnd, topicEnd, stateEnd               = end("StateMessage"), end("Topic"), end("State")
	stateDetailsEnd, userParametersEnd, paramEnd = end("StateDetails"), end("UserParameters"), end("Param")
)

const (
	wordTopic = iota
	wordState
	wordUserParameters
	wordStateDetails
)

// Bits of record.seen, beside those of the parts.
const seenAll = 1<<wordTopic | 1<<wordState

// record is the message being read.
type record struct {
	from        int // its "<"
	index       int // in its report, from 1
	seen        uint
	time        int64
	serial      uint64
	hasSerial   bool // readable and not above MaxSerial
	topicType   uint32
	topicIDType uint16
	stateID     uint32
	criticality uint32
	detailsType int32
	flags       uint8
	paramCount  int

	topicID, user, userSID, title, details value

	fault fault // the first; code "" = none
}

// body reads ReportBody.
func (d *Decoder) body(from, to int) int {
	if !d.once(from-1, 4, "ReportBody") {
		return stop
	}
	p, empty := d.attributes(to, nil)
	for !empty && p != stop {
		number, from, to := d.child(p, messageWord)
		switch number {
		case failed:
			return stop
		case closing:
			p, empty = d.end(from, bodyEnd), true
		case other:
			p = d.skip(from, to, depthGroup)
		default:
			p = d.message(from, to)
		}
	}
	return p
}

// message reads a StateMessage and appends its row, or sets it aside.
func (d *Decoder) message(from, to int) int {
	d.report.messages++
	d.numbers++
	if d.report.messages > MaxMessages &&
		!d.refuse(from-1, CodeMessages, "a report has more than %d messages", MaxMessages) {
		return stop
	}
	mark := len(d.scratch)
	r := &d.record
	*r = record{from: from - 1, index: d.report.messages}
	p, empty := d.attributes(to, messageAttributes)
	if p == stop {
		return stop
	}
	d.messageTime(r)
	d.messageSerial(r)
	if !empty {
		p = d.parts(p, r)
	}
	if p == stop {
		return stop
	}
	if r.fault.code == "" && r.seen&seenAll != seenAll {
		d.missingPart(r)
	}
	d.finishMessage(r, p)
	d.scratch = d.scratch[:mark]
	return p
}

// parts reads the elements of a StateMessage, to its end tag.
func (d *Decoder) parts(p int, r *record) int {
	for p != stop {
		number, from, to := d.child(p, partWords)
		switch number {
		case failed:
			return stop
		case closing:
			return d.end(from, messageEnd)
		case other:
			p = d.skip(from, to, depthField)
			continue
		}
		if r.seen&(1<<number) != 0 {
			d.blame(r, from-1, CodeDuplicate, "a second %s", partWords[number].name)
		}
		r.seen |= 1 << number
		switch number {
		case wordTopic:
			p = d.topic(from, to, r)
		case wordState:
			p = d.state(from, to, r)
		case wordUserParameters:
			p = d.userParameters(to, r)
		case wordStateDetails:
			p = d.stateDetails(to, r)
		}
	}
	return p
}

func (d *Decoder) topic(from, to int, r *record) int {
	p, empty := d.attributes(to, topicAttributes)
	if p == stop {
		return stop
	}
	if d.have&1 == 0 {
		d.blame(r, from-1, CodeMissing, "Topic has no ID")
	}
	r.topicID, r.user, r.userSID, r.title = d.given(0), d.given(3), d.given(4), d.given(5)
	r.topicType = uint32(d.number(r, from-1, 1, "Topic Type", 1<<32-1, true))
	r.topicIDType = uint16(d.number(r, from-1, 2, "Topic IDType", 1<<16-1, false))
	return d.rest(p, empty, topicEnd)
}

func (d *Decoder) state(from, to int, r *record) int {
	p, empty := d.attributes(to, stateAttributes)
	if p == stop {
		return stop
	}
	r.stateID = uint32(d.number(r, from-1, 0, "State ID", 1<<32-1, true))
	r.criticality = uint32(d.number(r, from-1, 1, "State Criticality", 1<<32-1, false))
	return d.rest(p, empty, stateEnd)
}

// rest reads what an element that should be empty holds nevertheless.
func (d *Decoder) rest(p int, empty bool, e *ending) int {
	if empty {
		return p
	}
	if b := d.text; p+1 < len(b) && b[p] == '<' && b[p+1] == '/' {
		return d.end(p+2, e)
	}
	return d.content(p, []byte(e.name), depthField)
}

// stateDetails reads StateDetails: its text is kept as it is, white space
// included.
func (d *Decoder) stateDetails(to int, r *record) int {
	p, empty := d.attributes(to, detailAttributes)
	if p == stop {
		return stop
	}
	r.detailsType = d.detailsType(r, p)
	if empty {
		return p
	}
	r.details, _, p = d.leaf(p, stateDetailsEnd, MaxDetailsBytes, depthField)
	return p
}

// userParameters reads UserParameters and its Params. A Count that differs is
// counted, never refused.
func (d *Decoder) userParameters(to int, r *record) int {
	p, empty := d.attributes(to, paramAttributes)
	if p == stop {
		return stop
	}
	count, counted := d.given(1), d.have&2 != 0
	for !empty && p != stop {
		number, from, to := d.child(p, paramWord)
		switch number {
		case failed:
			return stop
		case closing:
			p, empty = d.end(from, userParametersEnd), true
		case other:
			p = d.skip(from, to, depthLeaf)
		default:
			p = d.param(from, to, r)
		}
	}
	if n, ok := parseDigits(d.bytes(count), 1<<32); p != stop && counted && (!ok || n != uint64(r.paramCount)) {
		r.flags |= CountMismatch
	}
	return p
}

func (d *Decoder) param(from, to int, r *record) int {
	p, empty := d.attributes(to, nil)
	if p == stop {
		return stop
	}
	v := value{}
	if !empty {
		if v, _, p = d.leaf(p, paramEnd, MaxTextBytes, depthLeaf); p == stop {
			return stop
		}
	}
	if r.paramCount == MaxParams {
		d.blame(r, from-1, CodeParams, "more than %d parameters", MaxParams)
		return p
	}
	d.params[r.paramCount] = v
	r.paramCount++
	return p
}
