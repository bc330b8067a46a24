package trust

import (
	"encoding/json"
	"time"
)

// EnrollRequest is the body of POST /mp/enroll. Its sizes are bounded by MaxEnrollBytes.
type EnrollRequest struct {
	Token         string `json:"token"`
	CSR           string `json:"csr"`                 // PEM; only its key counts
	ClientID      string `json:"client_id,omitempty"` // empty: the site draws one
	NetBIOSName   string `json:"netbios_name,omitempty"`
	ClientVersion string `json:"client_version,omitempty"`
	LastSerial    uint64 `json:"last_serial,omitempty"` // the greatest serial that the client has given

	// RoleName is what a relay, notifier, fallback status point or child site calls itself; its token says which it is.
	RoleName string `json:"role_name,omitempty"`
	// Hosts are names and addresses that the certificate of a role is valid for.
	Hosts []string `json:"hosts,omitempty"`
}

// MaxEnrollBytes bounds the body of an enrolment and of a renewal.
const MaxEnrollBytes = 16 << 10

// EnrollAnswer is what an enrolment is answered: with 200 the certificate, with 202 Pending alone.
type EnrollAnswer struct {
	ClientID    string          `json:"client_id,omitempty"`
	Certificate string          `json:"certificate,omitempty"` // PEM, leaf first, then its authority
	CA          string          `json:"ca,omitempty"`          // PEM, every authority to believe
	NextSerial  uint64          `json:"next_serial,omitempty"`
	NotAfter    time.Time       `json:"not_after,omitzero"`
	Trust       json.RawMessage `json:"trust,omitempty"`

	Pending string `json:"pending,omitempty"` // the id under which somebody has to approve it
}

// RenewRequest is the body of POST /mp/renew, sent over the certificate that is to be renewed.
type RenewRequest struct {
	CSR   string   `json:"csr"` // PEM; with a new key
	Hosts []string `json:"hosts,omitempty"`
}

// RenewAnswer is what a renewal is answered.
type RenewAnswer struct {
	Certificate string          `json:"certificate"`
	CA          string          `json:"ca"`
	NotAfter    time.Time       `json:"not_after"`
	Trust       json.RawMessage `json:"trust,omitempty"`
}
