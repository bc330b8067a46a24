package embedded

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Codes of ClickHouse that this package gives itself.
const (
	codeSyntax         = 62
	codeNoData         = 108
	codeUnknownSetting = 115
	codeReadonly       = 164
	codeUnknown        = 1002
)

// Exception is an error of the engine, with ClickHouse's code.
type Exception struct {
	Code    int
	Message string // as the engine printed it, without "Code: N."
}

func (e *Exception) Error() string {
	return fmt.Sprintf("Code: %d. %s", e.Code, e.Message)
}

var codePrefix = regexp.MustCompile(`(?s)^(?:Error: )?Code: (\d+)\. (.*)$`)

// exception reads what the engine said.
func exception(said string) error {
	said = strings.TrimSpace(said)
	if m := codePrefix.FindStringSubmatch(said); m != nil {
		if code, err := strconv.Atoi(m[1]); err == nil {
			return &Exception{Code: code, Message: m[2]}
		}
	}
	return &Exception{Code: codeUnknown, Message: "DB::Exception: " + said}
}

// text is what a ClickHouse server writes as the body of an error.
func (e *Exception) text(version string) string {
	msg := e.Message
	if !strings.HasPrefix(msg, "DB::") {
		msg = "DB::Exception: " + msg
	}
	return fmt.Sprintf("Code: %d. %s (version %s)\n", e.Code, msg, version)
}

// status is the HTTP status that a ClickHouse server answers with.
func (e *Exception) status() int {
	switch e.Code {
	case 6, 26, 27, 33, 38, 41, 42, 43, 44, 53, 62, 63, 69, 70, 72, 108, 115, 117, 130, 457:
		return http.StatusBadRequest
	case 46, 47, 60, 81:
		return http.StatusNotFound
	case 159, 160:
		return http.StatusRequestTimeout
	case 164, 291, 497:
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}

// inBand frames an error that comes after rows were sent, as ClickHouse does: the
// status has gone out already.
func (e *Exception) inBand(version string) []byte {
	const marker, tag = "__exception__", "statewirestorexx" // 16 bytes, as the frame wants
	msg := e.text(version)
	return fmt.Appendf(nil, "\r\n%s\r\n%s\r\n%s%d %s\r\n%s\r\n", marker, tag, msg, len(msg), tag, marker)
}
