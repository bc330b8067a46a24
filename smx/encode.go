package smx

import "time"

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
	Priority        int8 // NoPriority leaves it out
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
	User        string
	UserSID     string
	StateID     uint32
	Criticality uint32
	DetailsType int32
	Details     string
	Params      []string
}

// AppendReport appends the report as a UTF-8 document with its declaration.
// Characters that XML cannot carry become U+FFFD.
func AppendReport(dst []byte, r *Report) []byte { return dst }

// EncodeUTF16 appends a UTF-8 document as UTF-16 with a byte order mark, and
// names UTF-16 in its declaration.
func EncodeUTF16(dst, doc []byte, bigEndian bool) []byte { return dst }

// Message is row i of the batch as a value of its own.
func (b *Batch) Message(i int) Message { return Message{} }
