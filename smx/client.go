package smx

import (
	"bytes"
	"errors"
	"log/slog"
)

// ClientID identifies a managed machine: a GUID in its textual byte order.
type ClientID [16]byte

// errClientID is what ParseClientID answers; it quotes nothing of the input.
var errClientID = errors.New(`client id: want "GUID:" and 36 hex digits and dashes`)

// ParseClientID reads "GUID:" followed by 8-4-4-4-12 hex digits, in any letter
// case, and nothing else.
func ParseClientID(s string) (ClientID, error) {
	id, ok := parseClientID([]byte(s))
	if !ok {
		return ClientID{}, errClientID
	}
	return id, nil
}

// ParseUUID reads the 36 characters of a client id as the store writes it, in
// any letter case and without the "GUID:" of the wire.
func ParseUUID(s string) (ClientID, error) {
	id, ok := parseUUID([]byte(s))
	if !ok {
		return ClientID{}, errors.New("client id: want 36 hex digits and dashes")
	}
	return id, nil
}

// String is the id as the wire writes it: "GUID:" and upper-case hex.
func (c ClientID) String() string { return string(c.append(nil)) }

// Compare puts clients in the order of their bytes, which is that of their text.
func (c ClientID) Compare(other ClientID) int { return bytes.Compare(c[:], other[:]) }

// LogValue is how a log shows the id, in whatever form the log is written.
func (c ClientID) LogValue() slog.Value { return slog.StringValue(c.String()) }

// UUID is the id as the store shows it: lower-case hex, no "GUID:".
func (c ClientID) UUID() string {
	return string(c.appendHex(make([]byte, 0, 36), "0123456789abcdef"))
}

func (c ClientID) append(dst []byte) []byte {
	return c.appendHex(append(dst, "GUID:"...), "0123456789ABCDEF")
}

func (c ClientID) appendHex(dst []byte, digits string) []byte {
	for i, b := range c {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return dst
}

func parseClientID(s []byte) (id ClientID, ok bool) {
	if len(s) != 41 || s[0]|0x20 != 'g' || s[1]|0x20 != 'u' || s[2]|0x20 != 'i' || s[3]|0x20 != 'd' || s[4] != ':' {
		return id, false
	}
	return parseUUID(s[5:])
}

func parseUUID(s []byte) (id ClientID, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, false
	}
	at := 0
	var bad byte
	for i := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			at++
		}
		hi, lo := hexValue(s[at]), hexValue(s[at+1])
		bad |= hi | lo
		id[i] = hi<<4 | lo
		at += 2
	}
	return id, bad < 16
}

// hexValue is the digit's value, or 0xFF.
func hexValue(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xFF
}
