package transport

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"statewire/smx"
)

// ErrNotRelay is an answer that no relay gives: a proxy, a portal or a balancer stands before it.
var ErrNotRelay = errors.New("something that is no relay answered")

// judge reads the relay's answer. A 202 with its receipt is final, and so is one whose text was cut off: the relay
// acknowledges only what is on disk. What a 4xx of the relay's says of the report will be the same tomorrow. What it
// says of the address or of the client itself, in the header that all its reports share, says nothing of the states in
// it: those stay. An answer without the relay's words is somebody else's and decides nothing; only a 413 does, of which
// smaller reports are the way out.
func judge(resp *http.Response, text []byte, readErr error) Answer {
	answer := Answer{Status: resp.StatusCode, After: RetryAfter(resp.Header), Err: readErr}
	var said struct {
		Receipt, File, Code, Detail string
		Retry                       bool
	}
	if err := json.Unmarshal(text, &said); err == nil {
		answer.Receipt, answer.File, answer.Code, answer.Detail = said.Receipt, said.File, said.Code, said.Detail
	}
	switch code := resp.StatusCode; {
	case code == http.StatusAccepted && (said.Receipt != "" || readErr != nil):
		answer.Outcome = Accepted
	case foreign(code, said.Code) && code != http.StatusRequestEntityTooLarge:
		answer.Outcome, answer.Err = Again, cmp.Or(readErr, ErrNotRelay)
	case code/100 != 4 || said.Retry:
		answer.Outcome = Again
	case passing(code):
		answer.Outcome = Again
	default:
		answer.Outcome, answer.Whole = Refused, !blamesState(code, answer.Code)
	}
	return answer
}

// foreign tells whether an answer that is not the one asked for comes from somebody else than a relay: a relay says
// nothing with 2xx then, and gives a 4xx its code.
func foreign(status int, code string) bool {
	return status/100 == 2 || status/100 == 4 && code == "" && !passing(status)
}

// Forbids tells whether somebody else than a relay refuses what is in the report, as a filter does that sees an attack
// in it.
func (a *Answer) Forbids() bool {
	switch a.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotAcceptable, http.StatusUnprocessableEntity:
		return a.Code == "" && a.Outcome == Again
	}
	return false
}

// RetryAfter reads Retry-After in seconds or as a date. A date counts from the answer's own Date: clients' clocks are
// wrong.
func RetryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(value)
	sent, err2 := http.ParseTime(h.Get("Date"))
	if err != nil || err2 != nil {
		return 0
	}
	return max(0, until.Sub(sent))
}

// blamesState tells whether a 4xx is about one of the report's states. Other refusals are about the address or the
// request, or about the header that all of the client's reports share: no half of the report would fare better.
func blamesState(status int, code string) bool {
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired, http.StatusLengthRequired,
		http.StatusUnsupportedMediaType, http.StatusExpectationFailed, http.StatusMisdirectedRequest,
		http.StatusUpgradeRequired, http.StatusRequestHeaderFieldsTooLarge:
		return false
	}
	switch code {
	case smx.CodeClientID, smx.CodeHeader, smx.CodeDate, smx.CodeContent, "empty_body", "bad_compression", "bad_request",
		"ambiguous_length", "bad_chunk", "bare_line_feed", "folded_header", "pipelined":
		return false
	}
	return true
}

// passing tells which 4xx pass: a renewed certificate, a finished migration, a calmer relay.
func passing(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusUnauthorized,
		http.StatusForbidden:
		return true
	}
	return false
}
