package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"statewire/smx"
)

// decodeRequest reads the one JSON value that a request is. It refuses what it does not know, and text that the decoder
// would silently change.
func decodeRequest(text []byte, into any) error {
	if err := checkJSONText(text); err != nil {
		return err
	}
	body := json.NewDecoder(bytes.NewReader(text))
	body.DisallowUnknownFields()
	var wrong *json.UnmarshalTypeError
	switch err := body.Decode(into); {
	case errors.As(err, &wrong):
		return fmt.Errorf("%s is a %s, at byte %d; it takes a value of type %s",
			wrong.Field, wrong.Value, wrong.Offset, wrong.Type)
	case err != nil:
		return err
	}
	if _, more := body.Token(); more != io.EOF {
		return errors.New("something follows the request")
	}
	return nil
}

// checkJSONText refuses bytes that are no UTF-8 and halves of surrogate pairs: the decoder puts U+FFFD in their place,
// and two topics would become one.
func checkJSONText(text []byte) error {
	for at := 0; at < len(text); {
		if half := loneSurrogate(text[at:]); half != "" {
			return fmt.Errorf("byte %d is %s, half of a character; write both halves, or leave it out", at+1, half)
		}
		if text[at] == '\\' {
			at = min(at+escapeLength(text[at:]), len(text))
			continue
		}
		r, n := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && n == 1 {
			name, _ := smx.Uncarried(string(text[at:min(at+utf8.UTFMax, len(text))]))
			return fmt.Errorf("byte %d is %s, which is no UTF-8; write the request in UTF-8", at+1, name)
		}
		at += n
	}
	return nil
}

// escapeLength is how many bytes a JSON escape takes; a surrogate pair is one.
func escapeLength(text []byte) int {
	if unit, ok := escapedUnit(text); ok {
		if isHighHalf(unit) {
			return 12
		}
		return 6
	}
	return 2
}

// loneSurrogate names the half of a surrogate pair that text begins with as an escape and that lacks its other half.
func loneSurrogate(text []byte) string {
	unit, ok := escapedUnit(text)
	switch {
	case !ok || unit < 0xD800 || unit > 0xDFFF:
		return ""
	case isHighHalf(unit):
		if low, ok := escapedUnit(text[6:]); ok && low >= 0xDC00 && low <= 0xDFFF {
			return ""
		}
	}
	return fmt.Sprintf("U+%04X", unit)
}

func isHighHalf(unit uint64) bool { return unit >= 0xD800 && unit < 0xDC00 }

// escapedUnit is the UTF-16 unit that text begins with, written as in \u0041.
func escapedUnit(text []byte) (unit uint64, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return unit, err == nil
}
