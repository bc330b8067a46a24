// Package smx reads and writes state reports: the XML a client sends and the
// SMX file the relay leaves for the loader. It never lets a damaged document
// pass: what Decode accepts is well-formed XML within fixed limits, and every
// refusal names a stable code, a line and a column.
//
// One validator serves both ends. The relay runs Check on a body before it
// acknowledges it, the loader runs Decode on the file it finds; the two apply
// the same rules. Faults have three sizes:
//
//   - syntax, encoding and size limits refuse the whole document;
//   - a fault in a report's header, or too many messages, refuses that report
//     (the whole document when it is a bare report);
//   - a fault inside one StateMessage sets that record aside and keeps the
//     others.
package smx

// Limits of a report. They hold for each report, not for a relay-written file.
const (
	// MaxReportBytes bounds one report, counted as UTF-8 text.
	MaxReportBytes = 8 << 20
	// MaxRawBytes bounds the bytes of one bare report as sent: UTF-16 needs
	// two bytes where UTF-8 needs one.
	MaxRawBytes = 2*MaxReportBytes + 2
	// MaxFileBytes bounds a relay-written file, counted as UTF-8 text.
	MaxFileBytes = 64 << 20
	// MaxMessages bounds the StateMessage elements of a report.
	MaxMessages = 10_000
	// MaxParams bounds the Param elements of a message.
	MaxParams = 64
	// MaxDepth bounds how deep elements nest, the report's root being 1.
	MaxDepth = 32
	// MaxAttributes bounds the attributes of one element.
	MaxAttributes = 32
	// MaxDetailsBytes bounds the text of StateDetails, as stored (UTF-8).
	MaxDetailsBytes = 1 << 20
	// MaxTextBytes bounds every other text, as stored (UTF-8).
	MaxTextBytes = 64 << 10
	// MaxAttributeBytes bounds an attribute's value, as stored (UTF-8).
	MaxAttributeBytes = 8 << 10
	// MaxNameBytes bounds a name.
	MaxNameBytes = 1 << 10
	// MaxCommentBytes bounds a comment, and a processing instruction.
	MaxCommentBytes = 1 << 10
	// MaxSerial is the greatest serial number a message may carry.
	MaxSerial = 1 << 62
)

// NoPriority is the priority of a report whose header names none.
const NoPriority = -1
