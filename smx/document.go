package smx

import "bytes"

// root reads everything up to the end of the root element.
func (d *Decoder) root() int {
	p := d.prologue()
	if p == stop {
		return stop
	}
	to := d.name(p + 1)
	if to == stop {
		return stop
	}
	switch string(d.text[p+1 : to]) {
	case "Report":
		if len(d.text) > MaxReportBytes {
			return d.fail(p, CodeTooLarge, "a report of %d bytes is larger than %d", len(d.text), MaxReportBytes)
		}
		return d.bareReport(p, to)
	case "Reports":
		if d.checking {
			return d.fail(p, CodeNotReport,
				"this is a relay-written file, not a client's report; drop it into the inbox instead")
		}
		d.framed = true
		return d.file(to)
	}
	return d.fail(p, CodeNotReport, "the root element is %s, not Report", clip(d.text[p+1:to]))
}

// prologue goes to the "<" of the root element.
func (d *Decoder) prologue() int {
	b := d.text
	if start := bytes.TrimLeft(b, " \t\r\n"); len(start) == 0 || start[0] != '<' || looksLikeHTML(start) {
		return d.fail(len(b)-len(start), CodeNotXML, "this is no XML document; it looks like %s", guess(b))
	}
	p := d.declaration()
	if p == stop {
		return stop
	}
	if p = d.misc(p); p == stop {
		return stop
	}
	switch {
	case p+1 >= len(b):
		return d.fail(len(b), CodeSyntax, "the document ends before its root element")
	case b[p] != '<':
		return d.fail(p, CodeSyntax, "%s before the root element", d.glimpse(p))
	}
	return p
}

// misc goes over white space, comments and processing instructions.
func (d *Decoder) misc(p int) int {
	for p != stop {
		p = d.space(p)
		b := d.text[p:]
		switch {
		case len(b) > 1 && b[0] == '<' && b[1] == '?':
			p = d.instruction(p)
		case len(b) > 1 && b[0] == '<' && b[1] == '!':
			p = d.comment(p)
		default:
			return p
		}
	}
	return p
}

// epilogue checks that nothing of substance follows the root element: a second
// report there would be lost after its acknowledgement.
func (d *Decoder) epilogue(p int) int {
	for p != stop && p < len(d.text) {
		p = d.space(p)
		b := d.text[p:]
		switch {
		case len(b) == 0:
			return p
		case bytes.HasPrefix(b, []byte("<?")):
			p = d.instruction(p)
		case bytes.HasPrefix(b, []byte("<!--")):
			p = d.comment(p)
		default:
			return d.fail(p, CodeTrailing, "%s after the end of the document's root element", d.glimpse(p))
		}
	}
	return p
}
