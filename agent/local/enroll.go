package local

import (
	"context"
	"net/http"
	"time"

	"statewire/agent/credentials"
	"statewire/trust"
)

// MostEnrollWait bounds how long a caller waits for a certificate.
const MostEnrollWait = 4 * time.Minute

// EnrollRequest makes the agent enrol its client.
type EnrollRequest struct {
	Relay string  `json:"relay"`
	Token string  `json:"token"`
	Wait  float64 `json:"wait_seconds"` // for how long it asks
}

// enroll answers once the client has a certificate, or will not get one in time.
func (s *Server) enroll(w http.ResponseWriter, r *http.Request) {
	var request EnrollRequest
	if !s.read(w, r, &request) {
		return
	}
	token, err := trust.ParseToken(request.Token)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	wait := min(max(time.Duration(request.Wait*float64(time.Second)), 0), MostEnrollWait)
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	err = s.own.Enroll(ctx, credentials.Request{
		Relay: request.Relay, Token: token, NetBIOSName: s.about.Host, ClientVersion: s.about.Version,
	}, func(credentials.Progress) {})
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	say(w, NewIdentityReport(s.own.Status()))
}

// Enroll makes the agent enrol its client.
func (c *Client) Enroll(ctx context.Context, request EnrollRequest) (IdentityReport, error) {
	return call[IdentityReport](ctx, c, MostEnrollWait+askTimeout, http.MethodPost, "/v1/enroll", request)
}
