package reports

// TerminalSafe is text as a terminal may show it: control, format and invalid characters are written as escapes.
func TerminalSafe(s string) string { return terminalSafe(s) }

// SpreadsheetSafe is text that no spreadsheet takes for a formula, and that is safe for terminals.
func SpreadsheetSafe(s string) string { return spreadsheetSafe(terminalSafe(s)) }
