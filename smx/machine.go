package smx

import (
	"bytes"
	"math"
)

// machineField reads a value of Machine.
func (d *Decoder) machineField(at, number int, v value, nested bool) bool {
	r := &d.report
	switch number {
	case wordClientID:
		id, ok := parseClientID(d.bytes(v))
		if !ok || nested {
			return d.refuse(at, CodeClientID, `ClientID %s is not "GUID:" and 36 hex digits and dashes`,
				clip(d.bytes(v)))
		}
		r.row.Client = id
	case wordClientVersion:
		r.clientVersion = v
	case wordNetBIOSName:
		r.netbios = v
	case wordCodePage:
		r.codePage = v
	case wordClientInstalled:
		return d.headerNumber(at, v, "ClientInstalled", math.MaxUint8,
			func(n int64) { r.row.ClientInstalled = uint8(n) })
	case wordClientType:
		return d.headerNumber(at, v, "ClientType", math.MaxUint8, func(n int64) { r.row.ClientType = uint8(n) })
	case wordLCID:
		return d.headerNumber(at, v, "SystemDefaultLCID", math.MaxUint32, func(n int64) { r.row.LCID = uint32(n) })
	case wordPriority:
		return d.priority(at, v)
	}
	return true
}

// headerNumber reads a number of the header. An empty element is a missing
// one.
func (d *Decoder) headerNumber(at int, v value, name string, limit int64, set func(int64)) bool {
	text := bytes.Trim(d.bytes(v), " \t\r\n")
	if len(text) == 0 {
		return true
	}
	n, ok := parseDigits(text, uint64(limit))
	if !ok {
		return d.refuse(at, CodeHeader, "%s %s is no number from 0 to %d", name, clip(text), limit)
	}
	set(int64(n))
	return true
}

// priority reads Priority. Only its side of 5 decides, so numbers beyond a
// byte are kept as the nearest one.
func (d *Decoder) priority(at int, v value) bool {
	text := bytes.Trim(d.bytes(v), " \t\r\n")
	if len(text) == 0 {
		return true
	}
	digits, negative := bytes.CutPrefix(text, []byte("-"))
	limit := uint64(math.MaxInt32)
	if negative {
		limit++
	}
	n, ok := parseDigits(digits, limit)
	if !ok {
		return d.refuse(at, CodeHeader, "Priority %s is no number", clip(text))
	}
	if negative {
		n = 0
	}
	d.report.row.Priority = int8(min(n, math.MaxInt8))
	return true
}

// parseDigits reads decimal digits up to a limit.
func parseDigits(b []byte, limit uint64) (n uint64, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		digit := uint64(c - '0')
		if digit > 9 || n > (math.MaxUint64-9)/10 {
			return 0, false
		}
		if n = n*10 + digit; n > limit {
			return 0, false
		}
	}
	return n, true
}

// completeReport checks that the header says what it must.
func (d *Decoder) completeReport() bool {
	r := &d.report
	if r.seen&(1<<(8+wordClientID)) == 0 && !d.refuse(r.from, CodeClientID, "the report has no ClientID") {
		return false
	}
	if !r.hasContent && !d.refuse(r.from, CodeContent, `the report has no ReportContent "State Message Data"`) {
		return false
	}
	return true
}

// finishReport appends the report's row and its records set aside.
func (d *Decoder) finishReport() {
	r, b := &d.report, d.into
	row := r.row
	row.ClientVersion = b.arena.string(d.bytes(r.clientVersion))
	row.NetBIOSName = b.arena.string(d.bytes(r.netbios))
	row.CodePage = b.arena.string(d.bytes(r.codePage))
	row.Version = b.arena.string(d.bytes(r.version))
	row.Messages = b.Len() - row.FirstMessage
	for i := r.before.bad; i < len(b.Bad); i++ {
		if r.headerCopy == nil {
			r.headerCopy = b.arena.bytes(d.shortHeader())
		}
		b.Bad[i].header = r.headerCopy
	}
	b.Reports = append(b.Reports, row)
}

// maxRawHeader bounds what each record set aside repeats of its report's
// header; an ordinary one has 600 bytes.
const maxRawHeader = 2 << 10

// shortHeader is the ReportHeader element as it came or, when that is out of
// all proportion, one with its mandatory values and the short ones of the
// others.
func (d *Decoder) shortHeader() []byte {
	r := &d.report
	if header := d.text[r.headerFrom:r.headerTo]; len(header) <= maxRawHeader {
		return header
	}
	h := Header{
		Client: r.row.Client, ClientInstalled: r.row.ClientInstalled, ClientType: r.row.ClientType, LCID: r.row.LCID,
		Priority: r.row.Priority, ClientVersion: string(d.short(r.clientVersion)),
		NetBIOSName: string(d.short(r.netbios)), CodePage: string(d.short(r.codePage)),
	}
	return appendHeader(nil, &h, r.row.Date)
}

// short is at most 64 bytes of a value.
func (d *Decoder) short(v value) []byte {
	text := d.bytes(v)
	return text[:min(len(text), 64)]
}
