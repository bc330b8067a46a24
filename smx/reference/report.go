package reference

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"statewire/smx"
)

// report reads a report's element and appends its messages; received is given
// in a relay-written file.
func (t *reader) report(e *etree.Element, received ...int64) (smx.ReportRow, *smx.Error) {
	row := smx.ReportRow{Priority: smx.NoPriority, EncodingMismatch: t.mismatch, FirstMessage: t.into.Len()}
	var worst *smx.Error
	note := func(f *smx.Error) {
		if f != nil && (worst == nil || f.Code == smx.CodeTextLong) {
			worst = f
		}
	}
	one := func(e *etree.Element, name string) *etree.Element {
		found := children(e, name)
		if len(found) > 1 {
			note(&smx.Error{Code: smx.CodeDuplicate, Detail: "a second " + name})
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
		{machine, []string{"ClientInstalled", "ClientType", "ClientID", "ClientVersion", "NetBIOSName", "CodePage",
			"SystemDefaultLCID", "Priority"}},
		{details, []string{"ReportContent", "ReportType", "Date", "Version", "Format"}},
	} {
		for _, name := range group.names {
			one(group.e, name)
		}
	}
	if len(children(machine, "ClientID")) == 0 || len(children(details, "ReportContent")) == 0 {
		note(&smx.Error{Code: smx.CodeContent, Detail: "ClientID or ReportContent is missing"})
	}
	messages := children(one(e, "ReportBody"), "StateMessage")
	if len(messages) > smx.MaxMessages {
		return row, &smx.Error{Code: smx.CodeMessages, Detail: "too many messages"}
	}
	for i, m := range messages {
		t.number++
		note(t.message(m, i+1, &row, received))
	}
	row.Messages = t.into.Len() - row.FirstMessage
	return row, worst
}

func tooLong(e *etree.Element, limit int) *smx.Error {
	if len(content(e)) > limit {
		return &smx.Error{Code: smx.CodeTextLong, Detail: "the text of " + e.Tag + " is too long"}
	}
	return nil
}

// The fields of Machine, by kind.
var (
	machineNumbers = map[string]int{"ClientInstalled": 8, "ClientType": 8, "SystemDefaultLCID": 32} // bits
	machineTexts   = map[string]bool{"ClientVersion": true, "NetBIOSName": true, "CodePage": true}
	wholeNumber    = regexp.MustCompile(`^-?[0-9]+$`)
)

func machineField(row *smx.ReportRow, e *etree.Element) *smx.Error {
	bits := machineNumbers[e.Tag]
	if e.Space != "" || bits == 0 && !machineTexts[e.Tag] && e.Tag != "Priority" && e.Tag != "ClientID" {
		return nil
	}
	if f := tooLong(e, smx.MaxTextBytes); f != nil {
		return f
	}
	text := content(e)
	trimmed := strings.Trim(text, " \t\r\n")
	switch {
	case bits > 0 && trimmed != "":
		n, err := strconv.ParseUint(trimmed, 10, bits)
		if err != nil {
			return &smx.Error{Code: smx.CodeHeader, Detail: e.Tag + " is no number"}
		}
		switch e.Tag {
		case "ClientInstalled":
			row.ClientInstalled = uint8(n)
		case "ClientType":
			row.ClientType = uint8(n)
		default:
			row.LCID = uint32(n)
		}
	case e.Tag == "Priority" && trimmed != "":
		n, err := strconv.ParseInt(trimmed, 10, 32)
		if err != nil || !wholeNumber.MatchString(trimmed) {
			return &smx.Error{Code: smx.CodeHeader, Detail: "Priority is no number"}
		}
		row.Priority = int8(min(max(n, 0), 127))
	case e.Tag == "ClientID":
		if !clientForm.MatchString(strings.ToUpper(text)) || len(text) != 41 || len(e.ChildElements()) > 0 {
			return &smx.Error{Code: smx.CodeClientID, Detail: "ClientID is not canonical"}
		}
		row.Client, _ = smx.ParseClientID(text)
	case e.Tag == "ClientVersion":
		row.ClientVersion = text
	case e.Tag == "NetBIOSName":
		row.NetBIOSName = text
	case e.Tag == "CodePage":
		row.CodePage = text
	}
	return nil
}

func detailField(row *smx.ReportRow, e *etree.Element) *smx.Error {
	if e.Space != "" {
		return nil
	}
	text := strings.Trim(content(e), " \t\r\n")
	wrong := &smx.Error{Code: smx.CodeContent, Detail: e.Tag + " is not that of a state message report"}
	switch e.Tag {
	case "ReportContent", "ReportType", "Format", "Version", "Date":
		if f := tooLong(e, smx.MaxTextBytes); f != nil {
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
		us, ok := Time(text)
		switch {
		case ok:
			row.Date = min(max(us, earliest), latest)
		case text != "":
			return &smx.Error{Code: smx.CodeDate, Detail: "Date is no datetime"}
		}
	}
	return nil
}

// A believable message time, in microseconds since 1970: from 2000 to 2100, at most a day after its arrival.
var (
	earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	latest   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	day      = (24 * time.Hour).Microseconds()
)

// A title of a topic has up to 300 characters, none of them a control character, an end of a line or paragraph, or a
// mark of direction, and one that can be seen.
var (
	titleForm = regexp.MustCompile(`^[^\p{Cc}\p{Zl}\p{Zp}` +
		`\x{061C}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2066}-\x{2069}]{1,300}$`)
	visibleForm = regexp.MustCompile(`[\pL\pM\pN\pP\pS]`)
)

// message appends a message's row or sets its record aside; what it returns
// concerns the whole document.
func (t *reader) message(e *etree.Element, index int, row *smx.ReportRow, received []int64) *smx.Error {
	var m message
	if m.read(e); m.whole != nil {
		return m.whole
	}
	b := t.into
	if m.code != "" {
		row.BadRecords++
		b.Bad = append(b.Bad, smx.BadRecord{
			Report: len(b.Reports), Index: index, Number: t.number, Serial: m.Serial, HasSerial: m.Serial != 0,
			Err: smx.Error{Code: m.code, Detail: "StateMessage " + strconv.Itoa(index)},
		})
		return nil
	}
	arrival := time.Now().UnixMicro()
	if len(received) > 0 {
		arrival = received[0]
	}
	us := m.Time.UnixMicro()
	if us < earliest || us > arrival+day {
		m.flags |= smx.TimeSuspect
	}
	switch {
	case titleForm.MatchString(m.Title) && visibleForm.MatchString(m.Title):
		b.Titles = append(b.Titles, smx.Title{Row: len(b.Serial), Text: m.Title})
	case m.Title != "":
		row.BadTitles++
	}
	b.Report = append(b.Report, int32(len(b.Reports)))
	b.Serial, b.Time = append(b.Serial, m.Serial), append(b.Time, min(max(us, earliest), latest))
	b.TopicType, b.TopicID, b.TopicIDType = append(b.TopicType, m.TopicType), append(b.TopicID, m.TopicID),
		append(b.TopicIDType, m.TopicIDType)
	b.User, b.UserSID = append(b.User, m.User), append(b.UserSID, m.UserSID)
	b.StateID, b.Criticality = append(b.StateID, m.StateID), append(b.Criticality, m.Criticality)
	b.Params = append(b.Params, m.Params...)
	b.ParamsEnd = append(b.ParamsEnd, uint32(len(b.Params)))
	b.DetailsType, b.Details = append(b.DetailsType, m.DetailsType), append(b.Details, m.Details)
	b.Hash, b.Flags = append(b.Hash, smx.PayloadHash(&m.Message)), append(b.Flags, m.flags)
	return nil
}
