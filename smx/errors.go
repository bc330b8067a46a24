package smx

// Codes of refusals. They are stable: scripts and dashboards may rely on them.
const (
	CodeNotXML         = "not_xml"              // the first bytes are no XML document
	CodeNotReport      = "not_a_report"         // XML, but its root is no report
	CodeSyntax         = "xml_syntax"           // not well-formed
	CodeCharacter      = "bad_character"        // a byte or reference that is no XML character
	CodeUTF16          = "bad_utf16"            // odd length or unpaired surrogate
	CodeEncodingKind   = "encoding_unsupported" // neither UTF-8 nor UTF-16
	CodeEncodingVague  = "encoding_unclear"     // UTF-16 with neither BOM nor declaration
	CodeDoctype        = "doctype_forbidden"    // any document type declaration
	CodeDuplicateAttr  = "duplicate_attribute"  // one attribute twice
	CodeTrailing       = "trailing_content"     // anything but comments after the root
	CodeDepth          = "too_deep"             // nested deeper than MaxDepth
	CodeAttributes     = "too_many_attributes"  // more than MaxAttributes
	CodeMessages       = "too_many_messages"    // more than MaxMessages
	CodeParams         = "too_many_params"      // more than MaxParams
	CodeTooLarge       = "too_large"            // report or file too large
	CodeNameLong       = "name_too_long"
	CodeAttributeLong  = "attribute_too_long"
	CodeTextLong       = "text_too_long"
	CodeCommentLong    = "comment_too_long" // comment or processing instruction
	CodeDuplicate      = "duplicate_element"
	CodeContent        = "wrong_content" // ReportContent, ReportType or Format
	CodeClientID       = "bad_client_id" // missing or not canonical
	CodeHeader         = "bad_header"    // another header value that can't be read
	CodeDate           = "bad_date"
	CodeMissing        = "missing_field" // a mandatory part of a message
	CodeNumber         = "bad_number"
	CodeSerial         = "bad_serial"
	CodeSerialOverflow = "serial_overflow"
	CodeContainer      = "bad_container" // a relay-written file whose frame is wrong
)

// Error is one refusal. Line and Column are 1-based and count characters of
// the text as sent; Offset counts its bytes from 0, a byte order mark included.
type Error struct {
	Code   string
	Detail string // a sentence with the place; never quotes input whole
	Line   int
	Column int
	Offset int64
}

func (e *Error) Error() string { return e.Code + ": " + e.Detail }
