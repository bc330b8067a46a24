package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"statewire/identity"
	"statewire/internal/backoff"
	"statewire/smx"
)

// Codes of refusals beside those of package smx. They are stable: scripts and dashboards may rely on them.
const (
	codeNotFound       = "not_found"
	codeMethod         = "method_not_allowed"
	codeBadRequest     = "bad_request" // for the metric: net/http answers it
	codeVersion        = "http_version_unsupported"
	codeNoIdentity     = "no_identity"
	codeUnknown        = "unknown_identity"
	codeMismatch       = "identity_mismatch"
	codeMediaType      = "unsupported_media_type"
	codeEncoding       = "unsupported_encoding"
	codeRatio          = "compression_ratio"
	codeCompression    = "bad_compression"
	codeEmptyBody      = "empty_body"
	codeBodySlow       = "body_too_slow"
	codeBodyCut        = "incomplete_body"
	codeBodyFraming    = "bad_chunk"
	codeChecksum       = "checksum_mismatch"
	codeRate           = "rate_limited"
	codeDiskFull       = "disk_full"
	codeStorageFault   = "storage_fault"
	codeBacklog        = "backlog"
	codeOverloaded     = "overloaded"
	codePoll           = "bad_poll"
	codePolicy         = "policy_unavailable"
	codeEnrolment      = "bad_enrolment"
	codeChannel        = "channel_unavailable"
	codeChannelFull    = "channel_full"
	codeInternal       = "internal"
	contentTypeProblem = "application/problem+json"
)

// problem is one refusal as the caller gets it (RFC 9457).
type problem struct {
	Code      string `json:"code"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	Retry     bool   `json:"retry"`
	RequestID string `json:"request_id,omitempty"`

	after time.Duration // least time to wait before another try; zero says nothing about it
	cause error         // for the log: it may hold paths
	allow string        // the methods allowed
	// what follows on the connection is unknown or unwanted: it is closed, as it is behind any body left unread
	hangs bool
}

// Error is the refusal in one line, for logs and readiness.
func (p *problem) Error() string { return p.Code + ": " + p.Detail }

// refuse makes a refusal; the code decides everything but its detail.
func refuse(code, detail string, args ...any) *problem {
	p := kindOf(code)
	p.Code, p.Detail = code, fmt.Sprintf(detail, args...)
	return &p
}

// later sets the least time to wait.
func (p *problem) later(d time.Duration) *problem {
	p.after = d
	return p
}

// kindOf is the one table of what a code means. The connection ends behind every body that is answered 400: what was
// wrong with it may be its length, and then what follows is no request of this client's.
func kindOf(code string) problem {
	switch code {
	case codeNotFound:
		return problem{Status: 404, Title: "No such path", hangs: true}
	case codeMethod:
		return problem{Status: 405, Title: "Method not allowed", hangs: true}
	case codeVersion:
		return problem{Status: 505, Title: "HTTP version not supported", hangs: true}
	case codeBodyFraming:
		return problem{Status: 400, Title: "Malformed request", hangs: true}
	case codeNoIdentity, codeUnknown:
		return problem{Status: 401, Title: "Unknown caller", Retry: true, hangs: true}
	case codeMismatch:
		return problem{Status: 403, Title: "Not the caller's own", Retry: true}
	case codeMediaType, codeEncoding:
		return problem{Status: 415, Title: "Format not supported", hangs: true}
	case codeRatio, smx.CodeTooLarge:
		return problem{Status: 413, Title: "Report too large", hangs: true}
	case codeEmptyBody, codeCompression:
		return problem{Status: 400, Title: "Not a report", hangs: true}
	case codeBodySlow:
		return problem{Status: 408, Title: "Body too slow", Retry: true, hangs: true}
	case codeBodyCut:
		return problem{Status: 400, Title: "Body incomplete", Retry: true, hangs: true}
	case codeChecksum:
		return problem{Status: 400, Title: "Body damaged on its way", Retry: true, hangs: true}
	case codeRate:
		return problem{Status: 429, Title: "Too many requests", Retry: true}
	case codeDiskFull, codeStorageFault, codeBacklog, codeOverloaded:
		return problem{Status: 503, Title: "No reports taken at this moment", Retry: true}
	case codePoll:
		return problem{Status: 400, Title: "Not a poll"}
	case codeEnrolment:
		return problem{Status: 400, Title: "Not an enrolment"}
	case identity.CodeUnavailable:
		return problem{Status: 503, Title: "No certificates at this moment", Retry: true}
	case codePolicy:
		return problem{Status: 503, Title: "No policy at this moment", Retry: true}
	case codeChannel, codeChannelFull:
		return problem{Status: 503, Title: "No channel at this moment", Retry: true}
	case codeInternal:
		return problem{Status: 500, Title: "Fault of the relay", Retry: true, hangs: true}
	}
	return problem{Status: 400, Title: "Not a report", hangs: true} // the codes of package smx
}

// notReport turns the validator's finding into a refusal.
func notReport(err *smx.Error) *problem {
	p := refuse(err.Code, "%s", err.Detail)
	p.Line, p.Column = err.Line, err.Column
	return p
}

// notKnown turns what the identity stage says into a refusal. Whose certificate is not good any more is told so on a
// connection that ends: the next handshake decides anew.
func notKnown(err error) *problem {
	var refused *identity.Refusal
	if !errors.As(err, &refused) {
		return refuse(codeUnknown, "%v", err)
	}
	p := &problem{Code: refused.Code, Title: titleOf(refused.Status), Status: refused.Status, Detail: refused.Detail,
		Retry: refused.Retry, hangs: refused.Status == http.StatusUnauthorized}
	return p.later(refused.After)
}

func titleOf(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "Unknown caller"
	case http.StatusBadRequest:
		return "Not an enrolment"
	case http.StatusServiceUnavailable:
		return "No certificates at this moment"
	case http.StatusTooManyRequests:
		return "Too many requests"
	}
	return "Enrolment refused"
}

// write sends the refusal.
func (p *problem) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", contentTypeProblem)
	header.Set("Cache-Control", "no-store")
	if p.after > 0 {
		header.Set("Retry-After", strconv.Itoa(jittered(p.after)))
	}
	if p.allow != "" {
		header.Set("Allow", p.allow)
	}
	text := p.text()
	header.Set("Content-Length", strconv.Itoa(len(text))) // the answer is whole though the connection lingers
	w.WriteHeader(p.Status)
	w.Write(text)
}

func (p *problem) text() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it is no page, and people read it
	if err := enc.Encode(p); err != nil {
		return []byte(`{"code":"internal","retry":true}`) // strings and numbers always encode
	}
	return b.Bytes()
}

// jittered is the time in whole seconds, with up to as much again at random: a fleet that was refused at once must not
// come back at once.
func jittered(d time.Duration) int {
	return int((backoff.Jitter(d, d+1) + time.Second - 1) / time.Second)
}
