package smx

import "fmt"

// Vocabularies of a relay-written file.
var (
	fileAttributes     = attributes("Format")
	fileWords          = elements("Received", "Clients")
	clientsAttributes  = attributes("Reports", "Messages")
	clientWord         = elements("Client")
	clientAttributes   = attributes("ID")
	receivedAttributes = attributes("Time", "Receipt")
	reportWord         = elements("Report")

	fileEnd, clientsEnd, receivedEnd, clientEnd = end("Reports"), end("Clients"), end("Received"), end("Client")
)

const (
	wordReceived = iota
	wordClients
)

// entry is what a relay-written file says around its reports.
type entry struct {
	indexed           bool // its Clients element has been read
	reports, messages int  // what that promises
	clients           []ClientID
	listed            map[ClientID]struct{} // of clients, once order didn't suffice
	nextClient        int

	reportsSeen, messagesSeen int

	received int64 // of the report at hand
	receipt  string
}

// file reads a relay-written file from the end of its root's name on. A report
// with a fault of its own is set aside, the others load; a fault in the frame
// refuses the file.
func (d *Decoder) file(to int) int {
	p, empty := d.attributes(to, fileAttributes)
	if p == stop {
		return stop
	}
	if f := d.bytes(d.given(0)); string(f) != fileFormat {
		return d.fail(0, CodeContainer, "this file has format %s; only %s is known here", clip(f), fileFormat)
	}
	for !empty && p != stop {
		number, from, to := d.child(p, fileWords)
		switch {
		case number == failed:
			return stop
		case number == closing:
			p, empty = d.end(from, fileEnd), true
		case number == wordClients:
			p = d.index(from, to)
		case !d.entry.indexed:
			return d.fail(from-1, CodeContainer, "the first element of a relay-written file is Clients")
		case number == wordReceived:
			p = d.receivedReport(from, to)
		default:
			p = d.skip(from, to, depthPart)
		}
	}
	if p != stop && !d.entry.indexed {
		return d.fail(0, CodeContainer, "a relay-written file without its Clients element")
	}
	if e := &d.entry; p != stop && (e.reports != e.reportsSeen || e.messages != e.messagesSeen) {
		return d.fail(0, CodeContainer, "the file promises %d reports with %d messages but holds %d with %d",
			e.reports, e.messages, e.reportsSeen, e.messagesSeen)
	}
	return p
}

// index reads Clients: whom the file concerns, and how much it holds.
func (d *Decoder) index(from, to int) int {
	e := &d.entry
	if e.indexed {
		return d.fail(from-1, CodeContainer, "a second Clients element")
	}
	e.indexed = true
	p, empty := d.attributes(to, clientsAttributes)
	if p == stop {
		return stop
	}
	reports, ok1 := parseDigits(d.bytes(d.given(0)), 1<<31)
	messages, ok2 := parseDigits(d.bytes(d.given(1)), 1<<31)
	if !ok1 || !ok2 {
		return d.fail(from-1, CodeContainer, "Clients doesn't say how many Reports and Messages follow")
	}
	e.reports, e.messages = int(reports), int(messages)
	for !empty && p != stop {
		number, from, to := d.child(p, clientWord)
		switch number {
		case failed:
			return stop
		case closing:
			p, empty = d.end(from, clientsEnd), true
		case other:
			p = d.skip(from, to, depthGroup)
		default:
			p = d.client(from, to)
		}
	}
	return p
}

func (d *Decoder) client(from, to int) int {
	p, empty := d.attributes(to, clientAttributes)
	if p == stop {
		return stop
	}
	id, ok := parseClientID(d.bytes(d.given(0)))
	if !ok {
		return d.fail(from-1, CodeContainer, `a Client's ID is not "GUID:" and 36 hex digits and dashes`)
	}
	d.entry.clients = append(d.entry.clients, id)
	if empty {
		return p
	}
	return d.content(p, []byte(clientEnd.name), depthGroup)
}

// receivedReport reads a Received element: when the relay had a report, and
// the report.
func (d *Decoder) receivedReport(from, to int) int {
	p, empty := d.attributes(to, receivedAttributes)
	if p == stop {
		return stop
	}
	e, ok := &d.entry, false
	if e.received, ok = d.days.parse(d.bytes(d.given(0))); !ok {
		return d.fail(from-1, CodeContainer, "Received has no readable Time")
	}
	e.receipt = d.into.arena.string(d.bytes(d.given(1)))
	reports := 0
	for !empty && p != stop {
		number, from, to := d.child(p, reportWord)
		switch number {
		case failed:
			return stop
		case closing:
			p, empty = d.end(from, receivedEnd), true
		case other:
			p = d.skip(from, to, depthGroup)
		default:
			if reports++; reports > 1 {
				return d.fail(from-1, CodeContainer, "a Received element holds a second Report")
			}
			p = d.filedReport(from, to)
		}
	}
	if p != stop && reports == 0 {
		return d.fail(from-1, CodeContainer, "a Received element holds no Report")
	}
	return p
}

// filedReport reads one report of a file and appends its rows, or sets it
// aside whole.
func (d *Decoder) filedReport(from, to int) int {
	p := d.readReport(from-1, to)
	if p == stop || !d.characters(p) {
		return stop
	}
	r, e := &d.report, &d.entry
	d.completeReport()
	if r.to-r.from > MaxReportBytes {
		d.refuse(r.from, CodeTooLarge, "a report of %d bytes is larger than %d", r.to-r.from, MaxReportBytes)
	}
	if r.fault.code == "" && !d.foretold(r.row.Client) {
		return d.fail(r.from, CodeContainer, "the file's first element doesn't name this report's client")
	}
	r.row.Received, r.row.Receipt, r.row.Index = e.received, e.receipt, e.reportsSeen
	if r.fault.code == "" {
		d.finishReport()
	} else {
		d.setReportAside()
	}
	e.reportsSeen++
	e.messagesSeen += r.messages
	return p
}

// foretold tells whether the index names the client. Clients stand there in
// the order of their first reports, so the next one is mostly the right one.
func (d *Decoder) foretold(c ClientID) bool {
	e := &d.entry
	if e.nextClient < len(e.clients) && e.clients[e.nextClient] == c {
		e.nextClient++
		return true
	}
	if e.listed == nil {
		e.listed = make(map[ClientID]struct{}, len(e.clients))
		for _, c := range e.clients {
			e.listed[c] = struct{}{}
		}
	}
	_, ok := e.listed[c]
	return ok
}

// setReportAside takes back the rows of a report and keeps it whole. It has
// the numbers of its records, and one at least.
func (d *Decoder) setReportAside() {
	r, b := &d.report, d.into
	b.rollback(r.before)
	d.counted = r.counted // the fault may stand before the last one located
	if r.messages == 0 {
		d.numbers++
	}
	raw := append([]byte(declarationUTF8), d.text[r.from:r.to]...)
	b.BadReports = append(b.BadReports, BadReport{
		Index:    r.row.Index,
		Number:   r.numberBefore + 1,
		Received: r.row.Received,
		Receipt:  r.row.Receipt,
		Err:      d.locate(r.fault, fmt.Sprintf("report %d", r.row.Index+1)),
		Raw:      raw,
	})
}
