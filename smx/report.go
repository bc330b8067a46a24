package smx

import (
	"bytes"
	"fmt"
)

// Vocabularies of a report. A word's number is its place in the list; the
// constants below follow it.
var (
	reportWords  = elements("ReportHeader", "ReportBody")
	headerWords  = elements("Identification", "ReportDetails")
	machineWord  = elements("Machine")
	messageWord  = elements("StateMessage")
	machineWords = elements("ClientInstalled", "ClientType", "ClientID", "ClientVersion", "NetBIOSName",
		"CodePage", "SystemDefaultLCID", "Priority")
	detailWords = elements("ReportContent", "ReportType", "Date", "Version", "Format")

	reportEnd, headerEnd, bodyEnd     = end("Report"), end("ReportHeader"), end("ReportBody")
	identificationEnd, machineEnd     = end("Identification"), end("Machine")
	detailsEnd                        = end("ReportDetails")
	machineFieldEnds, detailFieldEnds = endings(machineWords), endings(detailWords)
)

func endings(words vocabulary) []*ending {
	ends := make([]*ending, len(words))
	for i := range words {
		ends[i] = end(words[i].name)
	}
	return ends
}

const (
	wordHeader = iota
	wordBody
)

const (
	wordIdentification = iota
	wordDetails
)

const (
	wordClientInstalled = iota
	wordClientType
	wordClientID
	wordClientVersion
	wordNetBIOSName
	wordCodePage
	wordLCID
	wordPriority
)

const (
	wordContent = iota
	wordReportType
	wordDate
	wordVersion
	wordFormat
)

// Depths of a report's elements, the report's root being 1.
const (
	depthReport = 1 + iota
	depthPart   // ReportHeader, ReportBody
	depthGroup  // Identification, ReportDetails, StateMessage
	depthField  // Machine, fields of ReportDetails, parts of a message
	depthLeaf   // fields of Machine, Param
)

// report is the report being read.
type report struct {
	from, to             int // its element in the text
	headerFrom, headerTo int // its ReportHeader element
	row                  ReportRow
	messages             int  // StateMessage elements so far
	seen                 uint // elements that may occur once
	hasContent           bool
	fault                fault // why it is refused, in a file of many; code "" = it isn't
	version, netbios     value
	clientVersion        value
	codePage             value
	before               batchMark
	counted              place // as it was before
	numberBefore         int
	headerCopy           []byte // for its records set aside
}

// once notes an element that a report has at most once.
func (d *Decoder) once(p, bit int, name string) bool {
	if d.report.seen&(1<<bit) != 0 {
		return d.refuse(p, CodeDuplicate, "a second %s; a report has one", name)
	}
	d.report.seen |= 1 << bit
	return true
}

// refuse notes a fault of the report at hand. It answers false in a bare
// report, which ends here; in a file of many, reading goes on behind it.
func (d *Decoder) refuse(p int, code, format string, args ...any) bool {
	if !d.framed {
		d.fail(p, code, format, args...)
		return false
	}
	if d.report.fault.code == "" {
		d.report.fault = fault{code: code, detail: fmt.Sprintf(format, args...), at: p}
	}
	return true
}

func (d *Decoder) bareReport(from, to int) int {
	p := d.readReport(from, to)
	if p == stop || !d.completeReport() {
		return stop
	}
	if !d.checking {
		d.finishReport()
	}
	return p
}

// readReport reads a report's element; from is its "<", to the end of its name.
func (d *Decoder) readReport(from, to int) int {
	d.scratch = d.scratch[:0]
	d.report = report{from: from, numberBefore: d.numbers, counted: d.counted,
		row: ReportRow{Priority: NoPriority, EncodingMismatch: d.mismatch}}
	if !d.checking {
		d.report.before = d.into.mark()
		d.report.row.FirstMessage = d.into.Len()
	}
	p, empty := d.attributes(to, nil)
	for !empty && p != stop {
		number, from, to := d.child(p, reportWords)
		switch number {
		case failed:
			return stop
		case closing:
			p, empty = d.end(from, reportEnd), true
		case wordHeader:
			p = d.header(from, to)
		case wordBody:
			p = d.body(from, to)
		default:
			p = d.skip(from, to, depthPart)
		}
	}
	d.report.to = p
	return p
}

func (d *Decoder) header(from, to int) int {
	if !d.once(from-1, 0, "ReportHeader") {
		return stop
	}
	d.report.headerFrom = from - 1
	p, empty := d.attributes(to, nil)
	for !empty && p != stop {
		number, from, to := d.child(p, headerWords)
		switch number {
		case failed:
			return stop
		case closing:
			p, empty = d.end(from, headerEnd), true
		case wordIdentification:
			p = d.identification(from, to)
		case wordDetails:
			p = d.fields(from, to, 1, detailWords, detailsEnd)
		default:
			p = d.skip(from, to, depthGroup)
		}
	}
	d.report.headerTo = p
	return p
}

func (d *Decoder) identification(from, to int) int {
	if !d.once(from-1, 2, "Identification") {
		return stop
	}
	p, empty := d.attributes(to, nil)
	for !empty && p != stop {
		number, from, to := d.child(p, machineWord)
		switch number {
		case failed:
			return stop
		case closing:
			p, empty = d.end(from, identificationEnd), true
		case other:
			p = d.skip(from, to, depthField)
		default:
			p = d.fields(from, to, 3, machineWords, machineEnd)
		}
	}
	return p
}

// fields reads Machine or ReportDetails: elements that hold one value each.
func (d *Decoder) fields(from, to, bit int, words vocabulary, ending *ending) int {
	machine := ending == machineEnd
	ends, depth, firstBit, field := detailFieldEnds, depthField, 16, d.detailField
	if machine {
		ends, depth, firstBit, field = machineFieldEnds, depthLeaf, 8, d.machineField
	}
	if !d.once(from-1, bit, ending.name) {
		return stop
	}
	p, empty := d.attributes(to, nil)
	for !empty && p != stop {
		number, from, to := d.child(p, words)
		switch {
		case number == failed:
			return stop
		case number == closing:
			p, empty = d.end(from, ending), true
		case number == other:
			p = d.skip(from, to, depth)
		default:
			if !d.once(from-1, firstBit+number, words[number].name) {
				return stop
			}
			p = d.field(to, number, depth, ends[number], field)
		}
	}
	return p
}

// field reads one value and hands it to its reader.
func (d *Decoder) field(to, number, depth int, e *ending, read func(at, number int, v value, nested bool) bool) int {
	p, empty := d.attributes(to, nil)
	if p == stop {
		return stop
	}
	at, v, nested := p, value{from: p, to: p}, false
	if !empty {
		if v, nested, p = d.leaf(p, e, MaxTextBytes, depth); p == stop {
			return stop
		}
	}
	if !read(at, number, v, nested) {
		return stop
	}
	return p
}

// detailField reads a value of ReportDetails.
func (d *Decoder) detailField(at, number int, v value, _ bool) bool {
	text := bytes.Trim(d.bytes(v), " \t\r\n")
	switch number {
	case wordContent:
		d.report.hasContent = true
		if string(text) != "State Message Data" {
			return d.refuse(at, CodeContent, `ReportContent is %s, not "State Message Data"`, clip(text))
		}
	case wordReportType:
		if len(text) > 0 && !bytes.EqualFold(text, []byte("Full")) {
			return d.refuse(at, CodeContent, "ReportType is %s; state messages come as Full", clip(text))
		}
	case wordFormat:
		if len(text) > 0 && string(text) != "1.0" {
			return d.refuse(at, CodeContent, "Format is %s; only 1.0 is known here", clip(text))
		}
	case wordVersion:
		d.report.version = v
	case wordDate:
		if len(text) == 0 {
			return true
		}
		date, ok := d.days.parse(text)
		if !ok {
			return d.refuse(at, CodeDate, "Date %s is no datetime yyyymmddHHMMSS.mmmmmm+UUU", clip(text))
		}
		d.report.row.Date = min(max(date, earliest), latest)
	}
	return true
}
