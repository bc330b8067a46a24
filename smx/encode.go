package smx

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Report is a report to encode.
type Report struct {
	Header   Header
	Messages []Message
}

// Header is the header of a report to encode.
type Header struct {
	Client          ClientID
	ClientInstalled uint8
	ClientType      uint8
	Priority        int8 // below 0 (NoPriority) leaves it out
	LCID            uint32
	ClientVersion   string
	NetBIOSName     string
	CodePage        string
	Date            time.Time // zero leaves it out
}

// Message is one state message.
type Message struct {
	Time        time.Time // kept to the microsecond
	Serial      uint64    // 0 = none
	TopicType   uint32
	TopicID     string
	TopicIDType uint16
	Title       string // what people call the topic; no part of what the message says, see CheckTitle
	User        string
	UserSID     string
	StateID     uint32
	Criticality uint32
	DetailsType int32
	Details     string
	Params      []string
}

// Message is row i of the batch as a value of its own. Its texts live as long
// as the batch's.
func (b *Batch) Message(i int) Message {
	from := uint32(0)
	if i > 0 {
		from = b.ParamsEnd[i-1]
	}
	return Message{
		Time: time.UnixMicro(b.Time[i]).UTC(), Serial: b.Serial[i],
		TopicType: b.TopicType[i], TopicID: b.TopicID[i], TopicIDType: b.TopicIDType[i], Title: b.titleOf(i),
		User: b.User[i], UserSID: b.UserSID[i],
		StateID: b.StateID[i], Criticality: b.Criticality[i],
		DetailsType: b.DetailsType[i], Details: b.Details[i],
		Params: b.Params[from:b.ParamsEnd[i]:b.ParamsEnd[i]],
	}
}

// AppendReport appends the report as a UTF-8 document with its declaration, in
// the order and spelling of a ConfigMgr client. Characters that XML cannot
// carry become U+FFFD. It doesn't look at limits: the caller keeps to
// MaxMessages and the others.
func AppendReport(dst []byte, r *Report) []byte {
	dst = append(append(dst, declarationUTF8...), "<Report>"...)
	date := int64(0)
	if !r.Header.Date.IsZero() {
		date = r.Header.Date.UnixMicro()
	}
	dst = appendHeader(dst, &r.Header, date)
	dst = append(dst, "<ReportBody>"...)
	for i := range r.Messages {
		dst = appendMessage(dst, &r.Messages[i])
	}
	return append(dst, "</ReportBody></Report>"...)
}

// appendHeader appends a ReportHeader element; a date of 0 is left out.
func appendHeader(dst []byte, h *Header, date int64) []byte {
	dst = append(dst, "<ReportHeader><Identification><Machine><ClientInstalled>"...)
	dst = strconv.AppendUint(dst, uint64(h.ClientInstalled), 10)
	dst = append(dst, "</ClientInstalled><ClientType>"...)
	dst = strconv.AppendUint(dst, uint64(h.ClientType), 10)
	dst = append(dst, "</ClientType><ClientID>"...)
	dst = h.Client.append(dst)
	dst = append(dst, "</ClientID><ClientVersion>"...)
	dst = appendEscaped(dst, h.ClientVersion, false)
	dst = append(dst, "</ClientVersion><NetBIOSName>"...)
	dst = appendEscaped(dst, h.NetBIOSName, false)
	dst = append(dst, "</NetBIOSName><CodePage>"...)
	dst = appendEscaped(dst, h.CodePage, false)
	dst = append(dst, "</CodePage><SystemDefaultLCID>"...)
	dst = strconv.AppendUint(dst, uint64(h.LCID), 10)
	dst = append(dst, "</SystemDefaultLCID>"...)
	if h.Priority >= 0 {
		dst = append(dst, "<Priority>"...)
		dst = strconv.AppendInt(dst, int64(h.Priority), 10)
		dst = append(dst, "</Priority>"...)
	}
	dst = append(dst,
		"</Machine></Identification><ReportDetails><ReportContent>State Message Data</ReportContent>"...)
	dst = append(dst, "<ReportType>Full</ReportType>"...)
	if date != 0 {
		dst = append(dst, "<Date>"...)
		dst = AppendTime(dst, time.UnixMicro(date))
		dst = append(dst, "</Date>"...)
	}
	return append(dst, "<Version>1.0</Version><Format>1.0</Format></ReportDetails></ReportHeader>"...)
}

func appendMessage(dst []byte, m *Message) []byte {
	dst = append(dst, `<StateMessage MessageTime="`...)
	dst = AppendTime(dst, m.Time)
	if m.Serial != 0 {
		dst = append(dst, `" SerialNumber="`...)
		dst = strconv.AppendUint(dst, m.Serial, 10)
	}
	dst = append(dst, `"><Topic ID="`...)
	dst = appendEscaped(dst, m.TopicID, true)
	dst = append(dst, `" Type="`...)
	dst = strconv.AppendUint(dst, uint64(m.TopicType), 10)
	dst = append(dst, `" IDType="`...)
	dst = strconv.AppendUint(dst, uint64(m.TopicIDType), 10)
	if m.User != "" || m.UserSID != "" {
		dst = append(dst, `" User="`...)
		dst = appendEscaped(dst, m.User, true)
		dst = append(dst, `" UserSID="`...)
		dst = appendEscaped(dst, m.UserSID, true)
	}
	if m.Title != "" {
		dst = append(dst, `" Title="`...)
		dst = appendEscaped(dst, m.Title, true)
	}
	dst = append(dst, `"/><State ID="`...)
	dst = strconv.AppendUint(dst, uint64(m.StateID), 10)
	dst = append(dst, `" Criticality="`...)
	dst = strconv.AppendUint(dst, uint64(m.Criticality), 10)
	dst = append(dst, `"/>`...)
	if m.Details != "" || m.DetailsType != 0 {
		dst = append(dst, `<StateDetails Type="`...)
		dst = strconv.AppendInt(dst, int64(m.DetailsType), 10)
		dst = append(dst, `">`...)
		dst = appendDetails(dst, m.Details)
		dst = append(dst, "</StateDetails>"...)
	}
	dst = appendParams(dst, m.Params)
	return append(dst, "</StateMessage>"...)
}

func appendParams(dst []byte, params []string) []byte {
	dst = append(dst, `<UserParameters Flags="0" Count="`...)
	dst = strconv.AppendInt(dst, int64(len(params)), 10)
	dst = append(dst, `">`...)
	for _, p := range params {
		dst = append(dst, "<Param>"...)
		dst = appendEscaped(dst, p, false)
		dst = append(dst, "</Param>"...)
	}
	return append(dst, "</UserParameters>"...)
}

// appendDetails appends details as CDATA, as clients do, or as plain text
// where CDATA would change them: a reader turns CR into LF there.
func appendDetails(dst []byte, s string) []byte {
	if strings.IndexByte(s, '\r') >= 0 || badCharacter([]byte(s)) >= 0 {
		return appendEscaped(dst, s, false)
	}
	dst = append(dst, "<![CDATA["...)
	for {
		before, after, found := strings.Cut(s, "]]>")
		dst = append(dst, before...)
		if !found {
			return append(dst, "]]>"...)
		}
		dst = append(dst, "]]]]><![CDATA[>"...)
		s = after
	}
}

// appendEscaped appends text so that a reader gets it back as it is.
func appendEscaped(dst []byte, s string, attribute bool) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			dst = appendEscapedByte(dst, c, attribute)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if !isXMLCharacter(r) {
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst
}

func appendEscapedByte(dst []byte, c byte, attribute bool) []byte {
	switch {
	case c == '&':
		return append(dst, "&amp;"...)
	case c == '<':
		return append(dst, "&lt;"...)
	case c == '>':
		return append(dst, "&gt;"...)
	case c == '"' && attribute:
		return append(dst, "&quot;"...)
	case c == '\r', attribute && (c == '\t' || c == '\n'):
		dst = append(dst, "&#"...)
		dst = strconv.AppendUint(dst, uint64(c), 10)
		return append(dst, ';')
	case !isXMLCharacter(rune(c)):
		return utf8.AppendRune(dst, utf8.RuneError)
	}
	return append(dst, c)
}

// EncodeUTF16 appends a UTF-8 document as UTF-16 with a byte order mark, and
// names UTF-16 in its declaration where that names an encoding.
func EncodeUTF16(dst, doc []byte, bigEndian bool) []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	if bigEndian {
		order = binary.BigEndian
	}
	dst = order.AppendUint16(dst, 0xFEFF)
	doc = bytes.TrimPrefix(doc, []byte("\xEF\xBB\xBF"))
	if end := bytes.Index(doc, []byte("?>")); end >= 0 && bytes.HasPrefix(doc, []byte("<?xml")) {
		declaration := strings.NewReplacer(`"UTF-8"`, `"UTF-16"`, `"utf-8"`, `"utf-16"`, `'UTF-8'`, `'UTF-16'`,
			`'utf-8'`, `'utf-16'`).
			Replace(string(doc[:end]))
		dst = appendUTF16(dst, []byte(declaration), order)
		doc = doc[end:]
	}
	return appendUTF16(dst, doc, order)
}

func appendUTF16(dst, src []byte, order binary.AppendByteOrder) []byte {
	for len(src) > 0 {
		r, n := utf8.DecodeRune(src)
		src = src[n:]
		if r >= 0x10000 {
			high, low := utf16.EncodeRune(r)
			dst = order.AppendUint16(dst, uint16(high))
			r = low
		}
		dst = order.AppendUint16(dst, uint16(r))
	}
	return dst
}
