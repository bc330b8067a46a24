package reference

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"statewire/smx"
)

// reader fills a batch from an etree document, by lookups where the decoder
// keeps state.
type reader struct {
	into     *smx.Batch
	mismatch bool
	size     []int // of the reports in a relay-written file
	number   int
}

func (t *reader) document(root *etree.Element, size int) *smx.Error {
	switch {
	case named(root, "Report"):
		if size > smx.MaxReportBytes {
			return &smx.Error{Code: smx.CodeTooLarge}
		}
		row, f := t.report(root)
		if f != nil {
			return f
		}
		t.into.Reports = append(t.into.Reports, row)
		return nil
	case named(root, "Reports"):
		return t.file(root)
	}
	return &smx.Error{Code: smx.CodeNotReport, Detail: "the root element is no report"}
}

func named(e *etree.Element, name string) bool { return e.Space == "" && e.Tag == name }

// children are the elements of a name.
func children(e *etree.Element, name string) (found []*etree.Element) {
	for _, c := range e.ChildElements() {
		if named(c, name) {
			found = append(found, c)
		}
	}
	return found
}

// attribute is nil when the element hasn't the attribute.
func attribute(e *etree.Element, name string) *string {
	for _, a := range e.Attr {
		if a.Space == "" && a.Key == name {
			return &a.Value
		}
	}
	return nil
}

func valueOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// content is the text directly inside an element.
func content(e *etree.Element) string {
	var b strings.Builder
	for _, token := range e.Child {
		if c, ok := token.(*etree.CharData); ok {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// file reads a relay-written file.
func (t *reader) file(root *etree.Element) *smx.Error {
	broken := &smx.Error{Code: smx.CodeContainer, Detail: "the frame of the relay-written file is wrong"}
	elements := root.ChildElements()
	lists := children(root, "Clients")
	if valueOf(attribute(root, "Format")) != "1.0" || len(lists) != 1 || !named(elements[0], "Clients") {
		return broken
	}
	promised := map[string]int{"Reports": 0, "Messages": 0}
	clients := map[string]bool{}
	for _, list := range lists {
		for name := range promised {
			n, err := strconv.ParseUint(valueOf(attribute(list, name)), 10, 31)
			if err != nil {
				return broken
			}
			promised[name] = int(n)
		}
		for _, c := range children(list, "Client") {
			id := strings.ToUpper(valueOf(attribute(c, "ID")))
			if !clientForm.MatchString(id) {
				return broken
			}
			clients[id] = true
		}
	}
	messages := 0
	for i, received := range children(root, "Received") {
		n, f := t.received(received, i, clients)
		if f != nil {
			return f
		}
		messages += n
	}
	if promised["Reports"] != len(children(root, "Received")) || promised["Messages"] != messages {
		return broken
	}
	return nil
}

// received reads one report of a file and returns how many messages it has.
func (t *reader) received(e *etree.Element, index int, clients map[string]bool) (int, *smx.Error) {
	at, ok := Time(valueOf(attribute(e, "Time")))
	reports := children(e, "Report")
	if !ok || len(reports) != 1 {
		return 0, &smx.Error{Code: smx.CodeContainer, Detail: "a Received element has no Time or not one Report"}
	}
	before, numberBefore := *t.into, t.number
	row, f := t.report(reports[0], at)
	if f == nil && t.size[index] > smx.MaxReportBytes {
		f = &smx.Error{Code: smx.CodeTooLarge, Detail: "the report is too large"}
	}
	messages := 0
	for _, body := range children(reports[0], "ReportBody") {
		messages += len(children(body, "StateMessage"))
	}
	row.Received, row.Receipt, row.Index = at, valueOf(attribute(e, "Receipt")), index
	switch {
	case f != nil && f.Code == smx.CodeTextLong:
		return 0, f
	case f != nil:
		*t.into = before
		t.number = numberBefore + max(messages, 1)
		t.into.BadReports = append(t.into.BadReports, smx.BadReport{
			Index: index, Number: numberBefore + 1, Received: at, Receipt: row.Receipt, Err: *f,
		})
	case !clients[row.Client.String()]:
		return 0, &smx.Error{Code: smx.CodeContainer, Detail: "a client is missing in the index"}
	default:
		t.into.Reports = append(t.into.Reports, row)
	}
	return messages, nil
}

var (
	clientForm = regexp.MustCompile(`^GUID:[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}$`)
	timeForm   = regexp.MustCompile(`^[0-9]{14}\.[0-9]{6}[+-][0-9]{3}$`)
	plainForm  = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)
	signedForm = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)
)

// Time reads a CIM datetime by way of package time, as microseconds since 1970; ok is false when s is none.
func Time(s string) (us int64, ok bool) {
	if !timeForm.MatchString(s) {
		return 0, false
	}
	local, err := time.Parse("20060102150405.000000", s[:21])
	minutes, _ := strconv.Atoi(s[22:])
	if err != nil || minutes > 14*60 {
		return 0, false
	}
	if s[21] == '-' {
		minutes = -minutes
	}
	return local.Add(-time.Duration(minutes) * time.Minute).UnixMicro(), true
}
