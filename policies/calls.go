package policies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"statewire/internal/control"
	"statewire/smx"
	"statewire/smx/policy"
)

// role is the one on whose socket policies are called.
const role = "resync"

type setCall struct {
	Collection string   `json:"collection"`
	Settings   Settings `json:"settings"`
}

type pollCall struct {
	Client     string `json:"client_id"`
	LastSerial uint64 `json:"last_serial"`
	States     uint32 `json:"states"`
	Digest     uint64 `json:"digest"`
	Unsent     uint32 `json:"unsent"`
}

// Handle serves the service to other processes of the site, on the socket of the resync role.
func (s *Service) Handle(mux control.Router) {
	const path = "/" + role + "/policy"
	mux.HandleFunc("POST "+path, s.servePoll)
	control.Handle(mux, path+"/set", func(ctx context.Context, in setCall, _ *control.Teller) (Policy, error) {
		return s.Set(ctx, in.Collection, in.Settings)
	})
	control.Handle(mux, path+"/list", func(ctx context.Context, _ setCall, _ *control.Teller) ([]Policy, error) {
		return s.List(ctx)
	})
}

// servePoll answers a relay that has a client at the other end: no lines, the document itself.
func (s *Service) servePoll(w http.ResponseWriter, req *http.Request) {
	var in pollCall
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, 1<<10)).Decode(&in); err != nil {
		http.Error(w, "the poll is no JSON document", http.StatusBadRequest)
		return
	}
	client, err := smx.ParseUUID(in.Client)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	poll := smx.Poll{Client: client, LastSerial: in.LastSerial, States: in.States, Digest: in.Digest, Unsent: in.Unsent}
	document, etag, err := s.Policy(req.Context(), poll)
	if err != nil {
		http.Error(w, err.Error(), pollStatus(err))
		return
	}
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(document) // the relay that hung up asks again
}

func pollStatus(err error) int {
	if errors.As(err, new(*control.InvalidError)) {
		return http.StatusBadRequest
	}
	return http.StatusServiceUnavailable
}

// Client is a Service in another process.
type Client struct{ caller *control.Caller }

// Dial returns a client of the service behind the socket of the resync role. Nothing is connected before the first
// call.
func Dial(socketPath string) *Client { return &Client{control.NewCaller(socketPath, role)} }

// Policy is Service.Policy.
func (c *Client) Policy(ctx context.Context, poll smx.Poll) (document []byte, etag string, err error) {
	in := pollCall{poll.Client.UUID(), poll.LastSerial, poll.States, poll.Digest, poll.Unsent}
	resp, err := c.caller.Post(ctx, "policy", in)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, policy.MaxBytes))
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("read a policy from the resync service: %w", err)
	case resp.StatusCode == http.StatusBadRequest:
		return nil, "", control.Invalid("%s", strings.TrimSpace(string(body)))
	case resp.StatusCode == http.StatusServiceUnavailable:
		return nil, "", fmt.Errorf("%w: %s", ErrNotReady, strings.TrimSpace(string(body)))
	case resp.StatusCode != http.StatusOK:
		return nil, "", control.Unexpected("a policy", resp.StatusCode)
	}
	return body, resp.Header.Get("ETag"), nil
}

// Set is Service.Set.
func (c *Client) Set(ctx context.Context, collection string, p Settings) (Policy, error) {
	return control.Call[Policy](ctx, c.caller, "policy/set", setCall{collection, p}, control.Listener{})
}

// List is Service.List.
func (c *Client) List(ctx context.Context) ([]Policy, error) {
	return control.Call[[]Policy](ctx, c.caller, "policy/list", setCall{}, control.Listener{})
}
