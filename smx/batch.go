package smx

// Flags of a message.
const (
	// TimeSuspect: the message time lies before 2000 or more than a day after
	// its arrival. Batch.Time holds it clamped to 2000-01-01 … 2100-01-01.
	TimeSuspect uint8 = 1 << iota
	// CountMismatch: UserParameters names another Count than it has Params.
	CountMismatch
)

// Batch is decoded messages in columns, ready for a columnar insert. Its
// strings live in its own arena and are valid until Reset; the bytes given to
// Decode may be reused at once.
type Batch struct {
	Reports []ReportRow

	// One element per message.
	Report      []int32  // index into Reports
	Serial      []uint64 // 0 = none
	Time        []int64  // µs since 1970 UTC, clamped, see TimeSuspect
	TopicType   []uint32
	TopicID     []string
	TopicIDType []uint16
	User        []string
	UserSID     []string
	StateID     []uint32
	Criticality []uint32
	ParamsEnd   []uint32 // message i has Params[ParamsEnd[i-1]:ParamsEnd[i]]
	DetailsType []int32
	Details     []string
	Hash        []uint64 // PayloadHash of the message
	Flags       []uint8

	Params []string // of all messages, see ParamsEnd
	Titles []Title  // of the messages that have one, in their order

	Bad        []BadRecord // records set aside inside readable reports
	BadReports []BadReport // reports set aside inside a readable file

	arena arena
}

// ReportRow is one readable report.
type ReportRow struct {
	Client          ClientID
	ClientInstalled uint8
	ClientType      uint8 // 0 legacy client, 1 client, 3 device
	Priority        int8  // NoPriority when absent; 0 … 127 otherwise
	LCID            uint32
	ClientVersion   string
	NetBIOSName     string
	CodePage        string
	Version         string // of the report's format, as sent
	Date            int64  // µs since 1970 UTC, clamped as Batch.Time is; 0 when absent

	Received int64  // µs since 1970 UTC; 0 in a bare report: its claim counts
	Receipt  string // the relay's; empty in a bare report
	Index    int    // position in the file, from 0

	FirstMessage     int // index into the columns
	Messages         int // rows of this report
	BadRecords       int // records of this report in Bad
	BadTitles        int // of its messages' titles those that are none: they are dropped
	EncodingMismatch bool
}

// BadRecord is a StateMessage set aside: the others of its report load.
type BadRecord struct {
	Report    int    // index into Reports
	Index     int    // position in its report, from 1
	Number    int    // position in the file, from 1
	Serial    uint64 // when HasSerial; it counts as received
	HasSerial bool
	Err       Error

	header, record []byte
}

// Raw is RawReport of this record alone.
func (r *BadRecord) Raw() []byte { return RawReport([]BadRecord{*r}) }

// RawReport is a complete report with the header and the given records, which are all of one report. It loads by
// itself, and the records with it once they are repaired. Call it before the batch's Reset.
func RawReport(records []BadRecord) []byte {
	size := len(declarationUTF8) + len(records[0].header) + 64
	for i := range records {
		size += len(records[i].record)
	}
	doc := make([]byte, 0, size)
	doc = append(append(doc, declarationUTF8...), "<Report>"...)
	doc = append(append(doc, records[0].header...), "<ReportBody>"...)
	for i := range records {
		doc = append(doc, records[i].record...)
	}
	return append(doc, "</ReportBody></Report>"...)
}

// BadReport is a report set aside whole: the others of its file load.
type BadReport struct {
	Index    int // position in the file, from 0; the N of NAME.N.SMX is one more
	Number   int // of its first record in the file; no readable record has it
	Received int64
	Receipt  string
	Err      Error
	Raw      []byte // a complete bare report
}

// Len is the number of messages.
func (b *Batch) Len() int { return len(b.Serial) }

// Reset empties the batch and keeps its memory. Every string it gave out is
// invalid from here on.
func (b *Batch) Reset() { b.rollback(batchMark{}) }

// batchMark is a point to go back to.
type batchMark struct {
	reports, rows, params, titles, bad, badReports int

	arena arenaMark
}

func (b *Batch) mark() batchMark {
	return batchMark{len(b.Reports), len(b.Serial), len(b.Params), len(b.Titles), len(b.Bad), len(b.BadReports),
		b.arena.mark()}
}

func (b *Batch) rollback(m batchMark) {
	b.Reports, b.Params, b.Titles = b.Reports[:m.reports], b.Params[:m.params], b.Titles[:m.titles]
	b.Report, b.Serial, b.Time = b.Report[:m.rows], b.Serial[:m.rows], b.Time[:m.rows]
	b.TopicType, b.TopicID, b.TopicIDType = b.TopicType[:m.rows], b.TopicID[:m.rows], b.TopicIDType[:m.rows]
	b.User, b.UserSID = b.User[:m.rows], b.UserSID[:m.rows]
	b.StateID, b.Criticality = b.StateID[:m.rows], b.Criticality[:m.rows]
	b.ParamsEnd, b.Flags, b.Hash = b.ParamsEnd[:m.rows], b.Flags[:m.rows], b.Hash[:m.rows]
	b.DetailsType, b.Details = b.DetailsType[:m.rows], b.Details[:m.rows]
	clear(b.Bad[m.bad:]) // they hold memory of their own
	clear(b.BadReports[m.badReports:])
	b.Bad, b.BadReports = b.Bad[:m.bad], b.BadReports[:m.badReports]
	b.arena.rollback(m.arena)
}
