package smx

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// report reads a report's element and appends its messages; received is given
// in a relay-written file.
func (t *tree) report(e *etree.Element, received ...int64) (ReportRow, *fault) {
	row := ReportRow{Priority: NoPriority, EncodingMismatch: t.mismatch, FirstMessage: t.into.Len()}
	var worst *fault
	note := func(f *fault) {
		if f != nil && (worst == nil || f.code == CodeTextLong) {
			worst = f
		}
	}
	one := func(e *etree.Element, name string) *etree.Element {
		found := children(e, name)
		if len(found) > 1 {
			note(&fault{code: CodeDuplicate, detail: "a second " + name})
		}
		if len(found) == 0 {
			return etree.NewElement(name)
		}
		return found[0]
	}
	header := one(e, "ReportHeader")
	machine := one(one(header, "Identification"), "Machine")
	for _, field := range machine.ChildElements() {
		note(machineField(&row, field))
	}
	details := one(header, "ReportDetails")
	for _, field := range details.ChildElements() {
		note(detailField(&row, field))
	}
	for _, group := range []struct {
		e     *etree.Element
		names []string
	}{
		{machine, []string{"ClientInstalled", "ClientType", "ClientID", "ClientVersion", "NetBIOSName", "CodePage", "SystemDefaultLCID", "Priority"}},
		{details, []string{"ReportContent", "ReportType", "Date", "Version", "Format"}},
	} {
		for _, name := range group.names {
			one(group.e, name)
		}
	}
	if len(children(machine, "ClientID")) == 0 || len(children(details, "ReportContent")) == 0 {
		note(&fault{code: CodeContent, detail: "ClientID or ReportContent is missing"})
	}
	messages := children(one(e, "ReportBody"), "StateMessage")
	if len(messages) > MaxMessages {
		return row, &fault{code: CodeMessages, detail: "too many messages"}
	}
	for i, m := range messages {
		t.number++
		note(t.message(m, i+1, &row, header, received))
	}
	row.Messages = t.into.Len() - row.FirstMessage
	return row, worst
}

func tooLong(e *etree.Element, limit int) *fault {
	if len(content(e)) > limit {
		return &fault{code: CodeTextLong, detail: "the text of " + e.Tag + " is too long"}
	}
	return nil
}

func machineField(row *ReportRow, e *etree.Element) *fault {
	if e.Space != "" {
		return nil
	}
	text := content(e)
	trimmed := strings.Trim(text, " \t\r\n")
	number := func(bits int) (uint64, *fault) {
		n, err := strconv.ParseUint(trimmed, 10, bits)
		if trimmed != "" && (err != nil || strings.HasPrefix(trimmed, "+")) {
			return 0, &fault{code: CodeHeader, detail: e.Tag + " is no number"}
		}
		return n, nil
	}
	var n uint64
	var f *fault
	switch e.Tag {
	case "ClientInstalled", "ClientType", "SystemDefaultLCID", "Priority", "ClientID", "ClientVersion", "NetBIOSName", "CodePage":
		if f := tooLong(e, MaxTextBytes); f != nil {
			return f
		}
	}
	switch e.Tag {
	case "ClientInstalled":
		n, f = number(8)
		row.ClientInstalled = uint8(n)
	case "ClientType":
		n, f = number(8)
		row.ClientType = uint8(n)
	case "SystemDefaultLCID":
		n, f = number(32)
		row.LCID = uint32(n)
	case "Priority":
		n, err := strconv.ParseInt(trimmed, 10, 32)
		if trimmed != "" && (!regexp.MustCompile(`^-?[0-9]+$`).MatchString(trimmed) || err != nil) {
			return &fault{code: CodeHeader, detail: "Priority is no number"}
		}
		if trimmed != "" {
			row.Priority = int8(min(max(n, 0), 127))
		}
	case "ClientID":
		if !clientForm.MatchString(strings.ToUpper(text)) || len(text) != 41 || len(e.ChildElements()) > 0 {
			return &fault{code: CodeClientID, detail: "ClientID is not canonical"}
		}
		row.Client, _ = ParseClientID(text)
	case "ClientVersion":
		row.ClientVersion = text
	case "NetBIOSName":
		row.NetBIOSName = text
	case "CodePage":
		row.CodePage = text
	}
	return f
}

func detailField(row *ReportRow, e *etree.Element) *fault {
	if e.Space != "" {
		return nil
	}
	text := strings.Trim(content(e), " \t\r\n")
	wrong := &fault{code: CodeContent, detail: e.Tag + " is not that of a state message report"}
	switch e.Tag {
	case "ReportContent", "ReportType", "Format", "Version", "Date":
		if f := tooLong(e, MaxTextBytes); f != nil {
			return f
		}
	}
	switch e.Tag {
	case "ReportContent":
		if text != "State Message Data" {
			return wrong
		}
	case "ReportType":
		if text != "" && !strings.EqualFold(text, "full") {
			return wrong
		}
	case "Format":
		if text != "" && text != "1.0" {
			return wrong
		}
	case "Version":
		row.Version = content(e)
	case "Date":
		us, ok := referenceTime(text)
		switch {
		case ok:
			row.Date = min(max(us, earliest), latest)
		case text != "":
			return &fault{code: CodeDate, detail: "Date is no datetime"}
		}
	}
	return nil
}

// message appends a message's row or sets its record aside; what it returns
// concerns the whole document.
func (t *tree) message(e *etree.Element, index int, row *ReportRow, header *etree.Element, received []int64) *fault {
	m, us, flags, code, whole := readMessage(e)
	if whole != nil {
		return whole
	}
	b := t.into
	if code != "" {
		row.BadRecords++
		b.Bad = append(b.Bad, BadRecord{
			Report: len(b.Reports), Index: index, Number: t.number, Serial: m.Serial, HasSerial: m.Serial != 0,
			Err: Error{Code: code, Detail: "StateMessage " + strconv.Itoa(index)}, header: written(header), record: written(e),
		})
		return nil
	}
	arrival := time.Now().UnixMicro()
	if len(received) > 0 {
		arrival = received[0]
	}
	if us < earliest || us > arrival+day {
		flags |= TimeSuspect
	}
	b.Report = append(b.Report, int32(len(b.Reports)))
	b.Serial, b.Time = append(b.Serial, m.Serial), append(b.Time, min(max(us, earliest), latest))
	b.TopicType, b.TopicID, b.TopicIDType = append(b.TopicType, m.TopicType), append(b.TopicID, m.TopicID), append(b.TopicIDType, m.TopicIDType)
	b.User, b.UserSID = append(b.User, m.User), append(b.UserSID, m.UserSID)
	b.StateID, b.Criticality = append(b.StateID, m.StateID), append(b.Criticality, m.Criticality)
	b.Params = append(b.Params, m.Params...)
	b.ParamsEnd = append(b.ParamsEnd, uint32(len(b.Params)))
	b.DetailsType, b.Details = append(b.DetailsType, m.DetailsType), append(b.Details, m.Details)
	b.Hash, b.Flags = append(b.Hash, PayloadHash(&m)), append(b.Flags, flags)
	return nil
}

// readMessage reads a StateMessage. The code says why it is to be set aside,
// the first reason in the order of the document's parts.
func readMessage(e *etree.Element) (m Message, us int64, flags uint8, code string, whole *fault) {
	blame := func(ok bool, why string) {
		if !ok && code == "" {
			code = why
		}
	}
	number := func(s *string, bits int, mandatory bool) uint64 {
		blame(s != nil || !mandatory, CodeMissing)
		if s == nil {
			return 0
		}
		n, err := strconv.ParseUint(*s, 10, bits)
		blame(err == nil && plainForm.MatchString(*s), CodeNumber)
		return n
	}
	when := attribute(e, "MessageTime")
	blame(when != nil, CodeMissing)
	us, ok := referenceTime(valueOf(when))
	blame(ok, CodeDate)
	m.Time = time.UnixMicro(us)
	if serial := attribute(e, "SerialNumber"); serial != nil {
		m.Serial, code = readSerial(*serial, code)
	}
	seen := map[string]int{}
	for _, part := range e.ChildElements() {
		if part.Space != "" {
			continue
		}
		if seen[part.Tag]++; seen[part.Tag] > 1 {
			blame(part.Tag != "Topic" && part.Tag != "State" && part.Tag != "StateDetails" && part.Tag != "UserParameters", CodeDuplicate)
		}
		switch part.Tag {
		case "Topic":
			id := attribute(part, "ID")
			blame(id != nil, CodeMissing)
			m.TopicID, m.User, m.UserSID = valueOf(id), valueOf(attribute(part, "User")), valueOf(attribute(part, "UserSID"))
			m.TopicType = uint32(number(attribute(part, "Type"), 32, true))
			m.TopicIDType = uint16(number(attribute(part, "IDType"), 16, false))
		case "State":
			m.StateID = uint32(number(attribute(part, "ID"), 32, true))
			m.Criticality = uint32(number(attribute(part, "Criticality"), 32, false))
		case "StateDetails":
			if s := attribute(part, "Type"); s != nil {
				n, err := strconv.ParseInt(*s, 10, 32)
				blame(err == nil && signedForm.MatchString(*s), CodeNumber)
				m.DetailsType = int32(n)
			}
			m.Details = content(part)
			whole = firstFault(whole, tooLong(part, MaxDetailsBytes))
		case "UserParameters":
			for _, p := range children(part, "Param") {
				blame(len(m.Params) < MaxParams, CodeParams)
				m.Params = append(m.Params, content(p))
				whole = firstFault(whole, tooLong(p, MaxTextBytes))
			}
			if s := attribute(part, "Count"); s != nil {
				if n, err := strconv.ParseUint(*s, 10, 32); err != nil || n != uint64(len(m.Params)) {
					flags |= CountMismatch
				}
			}
		}
	}
	blame(seen["Topic"] > 0 && seen["State"] > 0, CodeMissing)
	return m, us, flags, code, whole
}

func firstFault(a, b *fault) *fault {
	if a != nil {
		return a
	}
	return b
}

// readSerial reads a serial number; the code is the record's so far or why the
// serial is bad.
func readSerial(s, code string) (uint64, string) {
	n, ok := new(big.Int).SetString(s, 10)
	why := ""
	switch {
	case !ok || !plainForm.MatchString(s) || n.Sign() == 0:
		why = CodeSerial
	case n.Cmp(big.NewInt(math.MaxInt64/2+1)) > 0:
		why = CodeSerialOverflow
	default:
		return n.Uint64(), code
	}
	if code == "" {
		code = why
	}
	return 0, code
}
