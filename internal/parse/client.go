package parse

import (
	"errors"
	"strings"

	"github.com/google/uuid"
)

// maxNameBytes bounds a computer's name.
const maxNameBytes = 4096

// Reasons why a text names no client.
var (
	errNoGUID = errors.New(
		"looks like a client id and is none; write GUID: and 36 hex digits and dashes, or those 36 alone, in braces or not")
	errNoClient = errors.New(
		"names no client; write GUID: and 36 hex digits and dashes, or those 36 alone, or a computer name")
	errClientID   = errors.New("has to be a GUID, with or without GUID: before it, in braces or not")
	errNameLength = errors.New("is too long for a computer name")
)

// ClientID reads a client's id as the wire writes it (GUID:…), as the store does (a UUID), or in braces as a registry
// does.
func ClientID(text string) (uuid.UUID, error) {
	text = unbraced(strings.TrimSpace(text))
	if len(text) > len("GUID:") && strings.EqualFold(text[:len("GUID:")], "GUID:") {
		text = unbraced(text[len("GUID:"):])
	}
	if len(text) != 36 {
		return uuid.Nil, errClientID
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil, errClientID
	}
	return id, nil
}

// Client reads what a person wrote for a client: its id, or a computer's name. The name is empty when the text is an
// id, and has no blanks around it otherwise. An id with a slip in it is no name.
func Client(text string) (id uuid.UUID, name string, err error) {
	if id, err = ClientID(text); err == nil {
		return id, "", nil
	}
	name = strings.TrimSpace(text)
	switch bare := unbraced(name); {
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }):
		return uuid.Nil, "", errNoClient
	case len(name) > maxNameBytes:
		return uuid.Nil, "", errNameLength
	case strings.HasPrefix(strings.ToUpper(bare), "GUID:"), len(bare) > 30 && strings.Count(bare, "-") == 4:
		return uuid.Nil, "", errNoGUID
	}
	return uuid.Nil, name, nil
}

// unbraced is the text without a pair of braces around it.
func unbraced(text string) string {
	if len(text) >= 2 && text[0] == '{' && text[len(text)-1] == '}' {
		return text[1 : len(text)-1]
	}
	return text
}
