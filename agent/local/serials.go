package local

import (
	"context"
	"errors"
	"net/http"
)

// ErrNewID is what an agent ends with when its client is to get a new id: its store has to be closed for that.
var ErrNewID = errors.New("the client gets a new id")

// AcceptSerialRequest makes the agent continue from a serial that it declined.
type AcceptSerialRequest struct {
	NextSerial uint64 `json:"next_serial"`
}

func (s *Server) acceptSerial(w http.ResponseWriter, r *http.Request) {
	var request AcceptSerialRequest
	if !s.read(w, r, &request) {
		return
	}
	old, err := s.receipts()
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	if err := s.agent.AcceptSerial(request.NextSerial); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	s.sayFlushed(w, r, old)
}

// newID has the process give the client a new id, once this is answered.
func (s *Server) newID(w http.ResponseWriter, _ *http.Request) {
	status, err := s.agent.Status()
	switch {
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, err)
		return
	case s.about.Fixed:
		refuse(w, http.StatusBadRequest, errFixedID)
		return
	}
	say(w, NewIDAnswer{Old: status.Client.String()})
	s.renewing.Do(func() { close(s.renew) })
}

// errFixedID is a client whose id a person chose.
var errFixedID = errors.New("agent.client_id names this client's id: take it out of the configuration, start the " +
	"agent again, and ask then")

// NewIDAnswer says which id the client gives up.
type NewIDAnswer struct {
	Old string `json:"old"`
}

// Renewal returns ErrNewID once somebody asked for a new client id, and nil when ctx ends.
func (s *Server) Renewal(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.renew:
		return ErrNewID
	}
}

// AcceptSerial makes the agent continue from a serial that it declined.
func (c *Client) AcceptSerial(ctx context.Context, next uint64) (Flushed, error) {
	return call[Flushed](ctx, c, sendTimeout, http.MethodPost, "/v1/accept-serial", AcceptSerialRequest{next})
}

// NewID makes the agent give its client a new id, soon after it has answered.
func (c *Client) NewID(ctx context.Context) (NewIDAnswer, error) {
	return call[NewIDAnswer](ctx, c, askTimeout, http.MethodPost, "/v1/new-id", nil)
}
