package identity

import (
	"fmt"
	"net/http"
	"time"
)

// Codes of refusals. They are stable: agents and scripts decide by them.
const (
	CodeNoIdentity    = "no_identity"
	CodeUnknown       = "unknown_identity"
	CodeExpired       = "certificate_expired"
	CodeRevoked       = "certificate_revoked"
	CodeSuperseded    = "superseded"
	CodeBadRequest    = "bad_request"
	CodeBadCSR        = "bad_csr"
	CodeTokenInvalid  = "token_invalid"
	CodeTokenUsed     = "token_used"
	CodeTokenExpired  = "token_expired"
	CodeClientKnown   = "client_known"
	CodeEnrolled      = "already_enrolled"
	CodeClientRevoked = "client_revoked"
	CodeWrongClient   = "wrong_client"
	CodeDenied        = "enrolment_denied"
	CodePaused        = "enrolment_paused"
	CodeBusy          = "client_busy"
	CodeRate          = "rate_limited"
	CodeUnavailable   = "identity_unavailable"
	CodeAudit         = "audit_unavailable"
)

// Refusal is why the site does not do what it was asked.
type Refusal struct {
	Code   string        `json:"code"`
	Detail string        `json:"detail"`
	Status int           `json:"status"`          // of HTTP
	Retry  bool          `json:"retry"`           // the same request may be taken later
	After  time.Duration `json:"after,omitempty"` // the least time until then; 0 says nothing of it
}

// Error is the refusal in one line.
func (r *Refusal) Error() string { return r.Code + ": " + r.Detail }

// refuse makes a refusal; the code decides everything but its detail.
func refuse(code, detail string, args ...any) *Refusal {
	r := &Refusal{Code: code, Detail: fmt.Sprintf(detail, args...), Status: http.StatusForbidden}
	switch code {
	case CodeNoIdentity, CodeUnknown, CodeExpired, CodeRevoked:
		r.Status, r.Retry = http.StatusUnauthorized, true
	case CodeBadRequest, CodeBadCSR:
		r.Status = http.StatusBadRequest
	case CodeEnrolled:
		r.Status = http.StatusConflict
	case CodeRate:
		r.Status, r.Retry = http.StatusTooManyRequests, true
	case CodePaused, CodeBusy, CodeUnavailable, CodeAudit:
		r.Status, r.Retry, r.After = http.StatusServiceUnavailable, true, time.Minute
	}
	return r
}
