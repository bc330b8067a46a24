package parse

import "log/slog"

// Secret is a text that no message, log line or listing shows.
type Secret string

// String says only whether there is one.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(set)"
}

// GoString is for messages that print whole values.
func (s Secret) GoString() string { return s.String() }

// LogValue is for log lines.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is for JSON and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal is the text, for whoever hands it to what it opens.
func (s Secret) Reveal() string { return string(s) }
