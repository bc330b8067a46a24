package smx

import (
	"fmt"
	"math"
	"time"
)

// Bounds of a believable message time, µs since 1970: 2000-01-01 and
// 2100-01-01.
const (
	earliest = 946_684_800e6
	latest   = 4_102_444_800e6
	day      = 86_400e6
)

// blame notes a fault of the record; the first one counts.
func (d *Decoder) blame(r *record, p int, code, format string, args ...any) {
	if r.fault.code != "" {
		return
	}
	r.fault = fault{code: code, at: p}
	if !d.checking {
		r.fault.detail = fmt.Sprintf(format, args...)
	}
}

// given is a known attribute's value, or an empty one.
func (d *Decoder) given(word int) value {
	if d.have&(1<<word) == 0 {
		return value{}
	}
	return d.values[word]
}

func (d *Decoder) messageTime(r *record) {
	if d.have&1 == 0 {
		d.blame(r, r.from, CodeMissing, "MessageTime is missing")
		return
	}
	text := d.bytes(d.values[0])
	us, ok := d.days.parse(text)
	if !ok {
		d.blame(r, d.standing(0, r.from), CodeDate, "MessageTime %s is no datetime yyyymmddHHMMSS.mmmmmm+UUU",
			clip(text))
	}
	r.time = us
}

// messageSerial reads SerialNumber. Absent means an instant message. A number
// has one spelling: no sign, space or leading zero.
func (d *Decoder) messageSerial(r *record) {
	if d.have&2 == 0 {
		return
	}
	text := d.bytes(d.values[1])
	n, kind := parseNumber(text, MaxSerial)
	switch {
	case kind == numberTooLarge:
		d.blame(r, d.standing(1, r.from), CodeSerialOverflow, "SerialNumber %s is larger than %d", clip(text),
			uint64(MaxSerial))
	case kind == numberMalformed || n == 0:
		d.blame(r, d.standing(1, r.from), CodeSerial, "SerialNumber %s is no number from 1 on in plain decimal digits",
			clip(text))
	default:
		r.serial, r.hasSerial = n, true
	}
}

// standing is where an attribute's value stands, or fallback when it had to be
// decoded.
func (d *Decoder) standing(word, fallback int) int {
	if v := d.values[word]; !v.decoded {
		return v.from
	}
	return fallback
}

// number reads a numeric attribute.
func (d *Decoder) number(r *record, p, word int, name string, limit uint64, mandatory bool) uint64 {
	if d.have&(1<<word) == 0 {
		if mandatory {
			d.blame(r, p, CodeMissing, "%s is missing", name)
		}
		return 0
	}
	text := d.bytes(d.values[word])
	n, kind := parseNumber(text, limit)
	if kind != numberRead {
		d.blame(r, d.standing(word, p), CodeNumber, "%s %s is no number from 0 to %d in plain decimal digits", name,
			clip(text), limit)
	}
	return n
}

// detailsType reads StateDetails' Type, the one signed number.
func (d *Decoder) detailsType(r *record, p int) int32 {
	if d.have&1 == 0 {
		return 0
	}
	text := d.bytes(d.values[0])
	digits, limit := text, uint64(math.MaxInt32)
	negative := len(text) > 1 && text[0] == '-' && text[1] != '0'
	if negative {
		digits, limit = text[1:], limit+1
	}
	n, kind := parseNumber(digits, limit)
	if kind != numberRead {
		d.blame(r, d.standing(0, p), CodeNumber, "StateDetails Type %s is no whole number of 32 bits", clip(text))
		return 0
	}
	if negative {
		return int32(-int64(n))
	}
	return int32(n)
}

// Answers of parseNumber.
type numberKind uint8

const (
	numberRead numberKind = iota
	numberMalformed
	numberTooLarge
)

// parseNumber reads plain decimal digits without leading zeros.
func parseNumber(b []byte, limit uint64) (n uint64, kind numberKind) {
	if len(b) == 0 || b[0] == '0' && len(b) > 1 {
		return 0, numberMalformed
	}
	for _, c := range b {
		digit := uint64(c - '0')
		if digit > 9 {
			return 0, numberMalformed
		}
		if n > (math.MaxUint64-9)/10 {
			n = math.MaxUint64 // and stays there, however many digits follow
			continue
		}
		n = n*10 + digit
	}
	if n > limit {
		return 0, numberTooLarge
	}
	return n, numberRead
}

func (d *Decoder) missingPart(r *record) {
	name := "Topic"
	if r.seen&(1<<wordTopic) != 0 {
		name = "State"
	}
	d.blame(r, r.from, CodeMissing, "%s is missing", name)
}

// finishMessage appends the record's row or sets the record aside; to is the
// end of its element.
func (d *Decoder) finishMessage(r *record, to int) {
	bad := r.fault.code != ""
	if bad {
		d.report.row.BadRecords++
	}
	switch {
	case d.checking:
	case bad:
		d.setAside(r, to)
	default:
		d.appendRow(r)
	}
}

func (d *Decoder) setAside(r *record, to int) {
	d.into.Bad = append(d.into.Bad, BadRecord{
		Report:    len(d.into.Reports),
		Index:     r.index,
		Number:    d.numbers,
		Serial:    r.serial,
		HasSerial: r.hasSerial,
		Err:       d.locate(r.fault, fmt.Sprintf("StateMessage %d", r.index)),
		record:    d.into.arena.bytes(d.text[r.from:to]),
	})
}

// appendRow writes the message's payload into the arena once: it is what is
// hashed, and the strings of the row are pieces of it.
func (d *Decoder) appendRow(r *record) {
	b := d.into
	p := payload{
		time: r.time, topicType: r.topicType, stateID: r.stateID,
		texts: [4][]byte{d.bytes(r.user), d.bytes(r.userSID), d.bytes(r.topicID), d.bytes(r.details)},
	}
	size := p.size()
	for _, v := range d.params[:r.paramCount] {
		size += 4 + v.to - v.from
	}
	w := payloadWriter{buf: b.arena.take(size)}
	texts := w.begin(&p, r.paramCount)
	for _, v := range d.params[:r.paramCount] {
		b.Params = append(b.Params, w.text(d.bytes(v)))
	}
	shown, suspect := d.believable(r.time)
	if suspect {
		r.flags |= TimeSuspect
	}
	d.title(r.title)
	b.Report = append(b.Report, int32(len(b.Reports)))
	b.Serial = append(b.Serial, r.serial)
	b.Time = append(b.Time, shown)
	b.TopicType = append(b.TopicType, r.topicType)
	b.TopicID = append(b.TopicID, texts[2])
	b.TopicIDType = append(b.TopicIDType, r.topicIDType)
	b.User = append(b.User, texts[0])
	b.UserSID = append(b.UserSID, texts[1])
	b.StateID = append(b.StateID, r.stateID)
	b.Criticality = append(b.Criticality, r.criticality)
	b.ParamsEnd = append(b.ParamsEnd, uint32(len(b.Params)))
	b.DetailsType = append(b.DetailsType, r.detailsType)
	b.Details = append(b.Details, texts[3])
	b.Hash = append(b.Hash, w.sum())
	b.Flags = append(b.Flags, r.flags)
}

// believable clamps a message's time and tells whether it is suspect: before
// 2000, or more than a day after the report arrived. Order never depends on
// it.
func (d *Decoder) believable(us int64) (shown int64, suspect bool) {
	if us > d.lastNow || d.framed {
		suspect = us > d.arrived()+day
	}
	suspect = suspect || us < earliest
	return min(max(us, earliest), latest), suspect
}

// arrived is the time that message times are held against: what the relay
// stamped, or now. The clock is asked only for messages newer than its last
// answer.
func (d *Decoder) arrived() int64 {
	if d.framed {
		return d.entry.received
	}
	now := time.Now
	if d.Now != nil {
		now = d.Now
	}
	d.lastNow = now().UnixMicro()
	return d.lastNow
}
